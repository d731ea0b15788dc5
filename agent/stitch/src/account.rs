//! The account: what became of every request that was seen.

use crate::causality;
use crate::protocol::Counters;

/// Counts since the engine began.
///
/// `seen` is always `spans + open`: an exchange that cannot be finished is
/// handed out as it is, with the reason, never dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Events handed in.
    pub events: u64,
    /// Events that came after a later one had been handled.
    pub late_events: u64,
    /// Events that the source says it lost.
    pub lost_events: u64,
    /// Requests seen, each end of a connection for itself.
    pub seen: u64,
    /// Spans handed out.
    pub spans: u64,
    /// Exchanges without an end or a place yet.
    pub open: u64,
    /// Exchanges that became roots since they waited too long for a place.
    pub overdue: u64,
    /// Sockets given up since too many were open.
    pub evicted_sockets: u64,
    /// Sockets given up since all together kept too much memory.
    pub evicted_for_memory: u64,
    /// Requests whose trace context was not valid, and therefore not used.
    pub invalid_contexts: u64,
    /// What the stream and protocol stages discarded, repaired or doubted.
    pub http: Counters,
    /// What the causality stage decided.
    pub causality: causality::Counters,
}
