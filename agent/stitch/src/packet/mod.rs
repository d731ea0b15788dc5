//! Packet captures as a source of events.
//!
//! In: packets with their times and link types, as a capture file's reader
//! hands them over. Out: [`crate::event::Event`]s of the TCP connections in
//! them, with [`crate::event::Source::Packets`]. Reading the file is left to
//! the caller, what the bytes mean to the stages after this one.
//!
//! ```text
//! packet → link → IP (fragments, tunnels) → segment → connection (two flows) → Event
//! ```

mod connection;
mod counters;
mod decoder;
mod extension;
mod flow;
mod fragments;
mod ip;
mod limits;
mod link;
mod parked;
mod segment;
mod tunnel;

pub use counters::Counters;
pub use decoder::Decoder;
pub use limits::Limits;
pub use link::LinkType;
