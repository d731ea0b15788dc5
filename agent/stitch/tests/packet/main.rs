//! Packets in, events out: against the byte streams the packets were cut from.

mod conversation;
mod generated;
mod rubbish;
mod situations;
mod wire;
