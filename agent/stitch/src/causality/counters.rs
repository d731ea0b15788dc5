//! What the causality stage counts.

/// What happened so far; monotone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Decisions given.
    pub decisions: u64,
    /// Acts of exchanges that are unknown or forgotten.
    pub acts_unknown: u64,
    /// Processes forgotten because of `max_owners`.
    pub owners_evicted: u64,
    /// Requests forgotten because of `max_requests`.
    pub requests_evicted: u64,
    /// Calls decided before their time because of `max_pending`.
    pub decided_early: u64,
    /// Calls decided by what was known at their start, because of `effort`.
    pub decided_greedily: u64,
    /// Calls for which not all open requests were weighed (`max_weighed`).
    pub candidates_skipped: u64,
    /// The most calls that were decided together.
    pub largest_component: u64,
    /// Kinds of processes of which all was forgotten, for want of room.
    pub kinds_forgotten: u64,
    /// Turns of event loops with more reads or writes than are aligned.
    pub turns_cut: u64,
    /// Turns of event loops that have no deadline, since too many have: they end
    /// when their thread reads again.
    pub turns_untimed: u64,
    /// Calls of pooled clients of whose waiting not all was weighed: for want of
    /// steps, or since the answer took too long.
    pub queues_cut: u64,
    /// Tables of a process that were full and begin anew: its threads, who opened
    /// its connections, its callees, which routes make which calls, what follows
    /// what.
    pub tables_cleared: u64,
    /// Exchanges left out of the self-audit, which is bounded.
    pub unaudited: u64,
}
