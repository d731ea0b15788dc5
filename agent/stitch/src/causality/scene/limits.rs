//! Limits of one process that were hit.

/// How often limits were hit since that was last taken.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::causality) struct Limits {
    /// Turns with more reads or writes than are aligned.
    pub(in crate::causality) turns_cut: u64,
    /// Turns that have no deadline: they end when their thread reads again.
    pub(in crate::causality) turns_untimed: u64,
    /// Looks at who waits for a connection that were cut short.
    pub(in crate::causality) queues_cut: u64,
    /// Tables of facts that were full: they begin anew.
    pub(in crate::causality) tables_cleared: u64,
}
