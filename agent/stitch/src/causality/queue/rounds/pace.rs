//! In which round of the loop who was told something acts on it, learnt.

use hashbrown::HashMap;

use super::super::progress::State;

/// Rounds told apart; what comes later is waited for.
pub(super) const ROUNDS: usize = 5;
/// States remembered; at more all are forgotten.
const MAX_STATES: usize = 4096;
/// What is assumed: shares by round.
const ASSUMED: [f32; ROUNDS] = [0.45, 0.25, 0.1, 0.07, 0.03];
/// Weight of what is assumed in the opinion on a kind, and of that in the opinion
/// on a state.
const BY_ALL: f32 = 3.0;
const BY_KIND: f32 = 3.0;
/// Some always act later.
const LEAST_LEFT: f32 = 0.02;
/// At this weight counts are halved.
const HALVE_AT: f32 = 60.0;

/// Share of those that have not acted before each round, and the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace([f32; ROUNDS + 1]);

/// What was learnt: by kind or state, how often each round, or a later one.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<u64, [f32; ROUNDS + 1]>);

impl Pace {
    /// Acting in each round has these probabilities.
    fn new(shares: [f32; ROUNDS]) -> Self {
        let mut left = [1.0; ROUNDS + 1];
        for (round, share) in shares.iter().enumerate() {
            left[round + 1] = (left[round] - share).max(LEAST_LEFT);
        }
        Self(left)
    }

    /// Share that has not acted before this round.
    pub(super) fn left(&self, round: u8) -> f32 {
        self.0[usize::from(round).min(ROUNDS)]
    }
}

impl Paces {
    /// That of a state of this kind.
    pub(super) fn of(&self, kind: u64, state: State) -> Pace {
        let mut shares = ASSUMED;
        for (key, weight) in [(kind, BY_ALL), (state.keys[1], BY_KIND)] {
            if let Some(counts) = self.0.get(&key) {
                let all = counts.iter().sum::<f32>() + weight;
                for (share, count) in shares.iter_mut().zip(counts) {
                    *share = (count + weight * *share) / all;
                }
            }
        }
        Pace::new(shares)
    }

    /// Learns that who was in this state acted in this round first.
    pub(super) fn learn(&mut self, kind: u64, state: State, round: u8, weight: f32) -> bool {
        let full = self.0.len() + 2 > MAX_STATES;
        if full {
            self.0.clear();
        }
        for key in [kind, state.keys[1]] {
            let counts = self.0.entry(key).or_default();
            counts[usize::from(round).min(ROUNDS)] += weight;
            if counts.iter().sum::<f32>() > HALVE_AT {
                for count in counts.iter_mut() {
                    *count /= 2.0;
                }
            }
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::progress::Progress;
    use super::*;

    #[test]
    fn the_round_is_learnt_by_state_and_by_kind() {
        let state = |route| State::new(route, 1, Progress::default(), false, false);
        let mut paces = Paces::default();
        let assumed = paces.of(1, state(7));
        assert!(assumed.left(0) - assumed.left(1) > 0.4, "most act at once");
        for _ in 0..50 {
            assert!(!paces.learn(1, state(7), 2, 1.0));
        }
        let in_third = |pace: Pace| pace.left(2) - pace.left(3);
        assert!(in_third(paces.of(1, state(7))) > 0.9);
        assert!(
            in_third(paces.of(1, state(8))) > 0.8,
            "as others of its kind"
        );
        assert!(in_third(paces.of(2, state(8))) < 0.2);
    }

    #[test]
    fn states_are_bounded() {
        let mut paces = Paces::default();
        let full = (0..5000).filter(|route| {
            let state = State::new(*route, 1, Progress::default(), false, false);
            paces.learn(1, state, 0, 1.0)
        });
        assert_eq!(full.count(), 1);
        assert!(paces.0.len() <= MAX_STATES);
    }
}
