//! What follows one state, how often, and after how long.

use smallvec::SmallVec;

use super::HALVE_AT;
use crate::causality::histogram::Histogram;
use crate::causality::path::{Move, Next};

/// Different things remembered to follow one state.
const MAX_STEPS: usize = 32;
/// Share of calls made in sequence from which gaps count from the last answer.
const SEQUENTIAL: f32 = 0.8;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) total: f32,
    pub(super) used: u64,
    pub(super) steps: SmallVec<[Follows; 3]>,
}

#[derive(Clone, Debug)]
pub(super) struct Follows {
    pub(super) next: Next,
    pub(super) weight: f32,
    pub(super) gaps: Option<Box<Gaps>>,
}

/// How long it takes until something follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    pub(super) since_act: Histogram,
    pub(super) since_event: Histogram,
    /// Times that all calls made before were answered, and that some were not.
    pub(super) in_sequence: f32,
    pub(super) in_parallel: f32,
}

impl State {
    pub(super) fn learn(&mut self, step: &Move, weight: f32) {
        let (_, has_gap) = prior(step.next, step.from.responded);
        self.total += weight;
        let found = self.steps.iter().position(|s| s.next == step.next);
        let index = match found {
            Some(index) => index,
            None if self.steps.len() >= MAX_STEPS => return,
            None => {
                self.steps.push(Follows {
                    next: step.next,
                    weight: 0.0,
                    gaps: has_gap.then(Box::default),
                });
                self.steps.len() - 1
            }
        };
        let follows = &mut self.steps[index];
        follows.weight += weight;
        if let Some(gaps) = &mut follows.gaps {
            gaps.add(step, weight);
        }
        if self.total > HALVE_AT {
            self.total /= 2.0;
            self.steps.iter_mut().for_each(|s| s.weight /= 2.0);
        }
    }
}

impl Gaps {
    /// Probability of being in sequence or not, times the density of the gap.
    pub(super) fn density(&self, step: &Move, tick: u64) -> f32 {
        if !step.from.called {
            return self.since_act.density(step.since_act(), tick);
        }
        let seen = self.in_sequence + self.in_parallel;
        let sequence = (self.in_sequence + 0.5) / (seen + 1.0);
        let density = if sequence >= SEQUENTIAL {
            self.since_event.density(step.since_event(), tick)
        } else {
            self.since_act.density(step.since_act(), tick)
        };
        density
            * if step.from.waiting {
                1.0 - sequence
            } else {
                sequence
            }
    }

    /// The gaps that count.
    pub(super) fn usual(&self) -> &Histogram {
        let seen = self.in_sequence + self.in_parallel;
        if self.in_sequence >= SEQUENTIAL * seen {
            &self.since_event
        } else {
            &self.since_act
        }
    }

    fn add(&mut self, step: &Move, weight: f32) {
        self.since_act.add(step.since_act(), weight);
        self.since_event.add(step.since_event(), weight);
        if step.from.waiting {
            self.in_parallel += weight;
        } else {
            self.in_sequence += weight;
        }
    }
}

/// What is assumed of a move before anything was learnt, and whether it has a
/// gap.
pub(super) fn prior(next: Next, responded: bool) -> (f32, bool) {
    match (next, responded) {
        (Next::Start(_), false) => (0.2, true),
        (Next::Start(_), true) => (0.005, true),
        (Next::Respond, _) => (0.3, true),
        (Next::Nothing, _) => (0.95, false),
    }
}
