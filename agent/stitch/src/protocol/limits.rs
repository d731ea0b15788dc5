//! What one connection may cost, at most.

use std::time::Duration;

/// Limits on what is kept of one connection. Each has a counter in
/// [`super::Counters`] for when it is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message's head; the rest of a longer one is not read.
    pub head: usize,
    /// Bytes of a chunked body's trailer section, and of a chunk extension.
    pub trailer: usize,
    /// Bytes of memory that requests keep which wait for their responses; of
    /// later ones only the number is kept, so that responses still find their
    /// requests.
    pub pending: usize,
    /// Bytes of memory that pieces of one direction keep which wait for the other
    /// one.
    pub backlog: usize,
    /// Bytes left of a body from which on the source is told to skip them.
    pub skip: u64,
    /// Silence after which requests that wait are given up.
    pub idle: Duration,
    /// Silence after which nothing more is expected from what came before: a
    /// body whose end was not seen has ended, a doubtful response is the last.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 64 << 10,
            trailer: 64 << 10,
            pending: 16 << 20,
            backlog: 256 << 10,
            skip: 16 << 10,
            idle: Duration::from_mins(10),
            settle: Duration::from_secs(5),
        }
    }
}
