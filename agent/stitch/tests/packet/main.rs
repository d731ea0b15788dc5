//! Packets in, events out: against the byte streams the packets were cut from.
#![expect(
    clippy::unwrap_used,
    reason = "tests; clippy knows only their #[test] functions"
)]

mod connections;
mod conversation;
mod generated;
mod layers;
mod limits;
mod rubbish;
mod situations;
mod wire;
