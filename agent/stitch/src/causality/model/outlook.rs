//! How likely a thing is next in one state, with how long it takes.

use super::state::Gaps;
use super::{COARSE_WEIGHT, PRIOR_WEIGHT};
use crate::causality::histogram;
use crate::causality::path::Move;

/// How likely a thing is next in one state, with how long it takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::causality) struct Outlook<'a> {
    pub(super) chance: f32,
    /// Learnt of the coarser state and of the finer one.
    pub(super) gaps: [Option<&'a Gaps>; 2],
    pub(super) has_gap: bool,
    pub(super) tick: u64,
}

impl Outlook<'_> {
    /// Log-likelihood of a move of this kind, its gap included (per ns).
    pub(in crate::causality) fn score(&self, step: &Move) -> f32 {
        let mut likelihood = self.chance;
        if self.has_gap {
            let mut density = histogram::prior_density(step.since_event(), self.tick);
            for (gaps, weight) in self.gaps.iter().zip([PRIOR_WEIGHT, COARSE_WEIGHT]) {
                let Some(gaps) = gaps else { continue };
                let total = gaps.since_act.total();
                let learnt = gaps.density(step, self.tick);
                density = (total * learnt + weight * density) / (total + weight);
            }
            likelihood *= density;
        }
        histogram::log2(likelihood.max(f32::MIN_POSITIVE)) * std::f32::consts::LN_2
    }
}
