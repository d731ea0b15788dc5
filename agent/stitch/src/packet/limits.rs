//! How much a [`Decoder`](super::Decoder) may hold.

use std::time::Duration;

/// Limits of a decoder. Each has a counter in [`Counters`](super::Counters).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; beyond, the one that was silent longest is given up.
    pub connections: usize,
    /// Closed connections remembered, so that late packets are known as such.
    pub closed: usize,
    /// Bytes held behind a hole in one direction of a connection.
    pub held: usize,
    /// Bytes held behind holes in all connections together.
    pub held_total: usize,
    /// Silence, in the capture's time, after which a connection is given up.
    pub idle: Duration,
    /// For how long a closed connection is remembered: at least two maximum
    /// segment lifetimes (RFC 9293 section 3.4.1).
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 65_536,
            closed: 16_384,
            held: 4 << 20,
            held_total: 64 << 20,
            idle: Duration::from_hours(1),
            linger: Duration::from_mins(4),
        }
    }
}
