//! What is learnt of one process: which thing follows which, after how long,
//! and how often calls happen that no request causes.
//!
//! Bounded: states that were not used for long are forgotten. What is learnt
//! can be saved and loaded (see [`Model::save`]) and shown.

mod background;
mod moments;
mod outlook;
mod portrait;
mod saved;
mod state;

use hashbrown::HashMap;

use self::background::Background;
use self::moments::ByMoment;
use self::state::{State, prior};
use super::path::{Move, Next, Position};

pub(super) use moments::Moment;
pub(super) use outlook::Outlook;
pub use saved::ModelError;

/// States remembered in one process.
const MAX_STATES: usize = 4096;
/// At this weight a state's counts are halved: it follows what changes.
const HALVE_AT: f32 = 4096.0;
/// Weight of the coarser state's opinion in the finer one.
const COARSE_WEIGHT: f32 = 2.0;
/// Weight of the prior in the coarser state.
const PRIOR_WEIGHT: f32 = 1.0;
/// Share of answered requests that call from which it is reckoned with.
const LATE: f32 = 0.01;

/// What is learnt of one process.
#[derive(Clone, Debug, Default)]
pub struct Model {
    states: HashMap<u64, State>,
    background: HashMap<u64, Background>,
    /// How long each kind of moment was in all, in ns.
    time: ByMoment,
    /// The largest power of ten (ns) that divides every time seen.
    resolution: u64,
    uses: u64,
    forgotten: u64,
}

impl Model {
    /// Log-likelihood of a move: of what happens next, and of the gap (per ns).
    pub(super) fn score(&self, step: &Move) -> f32 {
        self.outlook(&step.from, step.next).score(step)
    }

    /// How likely `next` is in the state of `from`, at whatever time.
    pub(super) fn outlook(&self, from: &Position, next: Next) -> Outlook<'_> {
        let (mut chance, has_gap) = prior(next, from.responded);
        let mut gaps = [None, None];
        let keys = [(from.coarse, PRIOR_WEIGHT), (from.state, COARSE_WEIGHT)];
        for ((key, weight), gaps) in keys.into_iter().zip(&mut gaps) {
            let Some(state) = self.states.get(&key) else {
                continue;
            };
            let follows = state.steps.iter().find(|s| s.next == next);
            let seen = follows.map_or(0.0, |f| f.weight);
            chance = (seen + weight * chance) / (state.total + weight);
            *gaps = follows.and_then(|f| f.gaps.as_deref());
        }
        Outlook {
            chance,
            gaps,
            has_gap,
            tick: self.tick(),
        }
    }

    /// Learns a move with a weight of 0 to 1.
    pub(super) fn learn(&mut self, step: &Move, weight: f32) {
        self.uses += 1;
        if let Next::Start(label) = step.next {
            self.learn_call(label, step, weight);
        }
        for key in [step.from.state, step.from.coarse] {
            if !self.states.contains_key(&key) {
                self.make_room();
            }
            let state = self.states.entry(key).or_default();
            state.used = self.uses;
            state.learn(step, weight);
        }
    }

    /// Whether requests in this state, answered already, were seen to call.
    pub(super) fn calls_late(&self, state: u64) -> bool {
        self.states.get(&state).is_some_and(|state| {
            let late = state
                .steps
                .iter()
                .filter(|s| matches!(s.next, Next::Start(_)));
            late.map(|s| s.weight).sum::<f32>() > LATE * state.total
        })
    }

    /// States remembered.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether nothing has been learnt.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.background.is_empty()
    }

    /// States and labels forgotten because a limit was hit.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn tick(&self) -> u64 {
        self.resolution.max(1)
    }

    /// Forgets the half of the states that was not used for longest.
    fn make_room(&mut self) {
        if self.states.len() < MAX_STATES {
            return;
        }
        let mut used: Vec<u64> = self.states.values().map(|s| s.used).collect();
        used.sort_unstable();
        let limit = used[used.len() / 2];
        self.states.retain(|_, state| state.used > limit);
        self.forgotten += (used.len() - self.states.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::{Frame, Step, walk};
    use super::*;
    use crate::time::Timestamp;

    fn taught() -> Model {
        let mut model = Model::default();
        for n in 0..50 {
            moves(n * 1000, 40_000, |step| model.learn(step, 1.0));
        }
        model.learn_background(9, 1.0, true);
        model.learn_time(Timestamp(0), Timestamp(1_000_000_123), None, false);
        model
    }

    fn moves(start: u64, gap: u64, mut tell: impl FnMut(&Move)) {
        let frame = Frame {
            route: 1,
            started: Timestamp(start),
            responded: Some(Timestamp(start + 200_000)),
        };
        let step = Step {
            label: 5,
            started: Timestamp(start + gap),
            ended: Some(Timestamp(start + 150_000)),
        };
        walk(frame, &[step], |step| tell(&step));
    }

    fn score(model: &Model, gap: u64) -> f32 {
        let mut sum = 0.0;
        moves(0, gap, |step| sum += model.score(step));
        sum
    }

    #[test]
    fn what_was_learnt_is_likelier() {
        let model = taught();
        assert!(score(&model, 41_000) > score(&model, 5_000) + 2.0);
        assert!(score(&model, 41_000) > score(&Model::default(), 41_000));
        assert!(model.background(9) > model.background(8) + 3.0);
    }

    #[test]
    fn saving_and_loading_keeps_every_opinion() {
        let model = taught();
        let bytes = model.save();
        let loaded = Model::load(&bytes).unwrap();
        assert_eq!(loaded.save(), bytes);
        assert!((score(&loaded, 41_000) - score(&model, 41_000)).abs() < 1e-3);
        assert!(loaded.to_string().contains("response"));
    }

    #[test]
    fn foreign_and_damaged_bytes_are_refused() {
        let bytes = taught().save();
        assert_eq!(Model::load(b"other").unwrap_err(), ModelError::Version);
        for end in 8..bytes.len() {
            assert!(Model::load(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(Model::load(&longer).unwrap_err(), ModelError::Damaged);
    }

    #[test]
    fn states_are_bounded() {
        let mut model = Model::default();
        for route in 0..10_000 {
            let frame = Frame {
                route,
                started: Timestamp(0),
                responded: Some(Timestamp(10)),
            };
            walk(frame, &[], |step| model.learn(&step, 1.0));
        }
        assert!(model.len() <= MAX_STATES);
        assert!(model.forgotten() > 0);
    }
}
