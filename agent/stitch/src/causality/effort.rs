//! How much work decisions may cost: score evaluations, so many for each call
//! on average.
//!
//! Calls that are decided plainly leave theirs to harder ones. Where nothing is
//! left, a call is decided by what was known at its start, with less confidence,
//! rather than late: the cost of a call has a bound that does not depend on how
//! many requests are in flight.

use std::cell::Cell;

/// Calls whose share may be saved up.
const SAVED: u32 = 65_536;

/// Score evaluations left.
#[derive(Debug)]
pub(super) struct Effort(Cell<u32>);

impl Effort {
    /// All that may be saved up of this share, to begin with.
    pub(super) fn full(share: u32) -> Self {
        Self(Cell::new(share.saturating_mul(SAVED)))
    }

    /// A call came, and brings its share.
    pub(super) fn earn(&self, share: u32) {
        let limit = share.saturating_mul(SAVED);
        self.0.set(self.0.get().saturating_add(share).min(limit));
    }

    /// So many evaluations are made.
    pub(super) fn spend(&self, evaluations: usize) {
        let evaluations = u32::try_from(evaluations).unwrap_or(u32::MAX);
        self.0.set(self.0.get().saturating_sub(evaluations));
    }

    /// Evaluations left.
    pub(super) fn left(&self) -> u32 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::Effort;

    #[test]
    fn plain_calls_save_up_for_hard_ones_up_to_a_limit() {
        let effort = Effort::full(10);
        effort.spend(655_360);
        effort.earn(10);
        effort.spend(4);
        assert_eq!(effort.left(), 6);
        (0..70_000).for_each(|_| effort.earn(10));
        assert_eq!(effort.left(), 655_360);
        effort.spend(usize::MAX);
        assert_eq!(effort.left(), 0);
    }
}
