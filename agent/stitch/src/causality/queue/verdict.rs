//! Who made a call, as far as the hypotheses know and were right before.

use smallvec::SmallVec;

/// How fast what is known of being right follows.
const SLOWNESS: f32 = 24.0;
/// So much is taken to be wrong to begin with.
const FEW: f32 = 1.0;
/// How much more often than those foretold the others are wrong: those that
/// responses tell of are mostly last calls, the easier ones.
const HARDER: f32 = 1.5;
/// Share of foretold responses below which nothing is said.
const UNDERSTOOD: f32 = 0.6;
/// Share from which what nobody is foretold to do is nobody's.
const SURE: f32 = 0.85;

/// Share of connections handed on that were given right, as responses told later:
/// to who was seen to be told something, and to who had waited for a timer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Right([Known; 2]);

/// How much was right of what was foretold, and how much should have been.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    right: f32,
    said: f32,
}

/// Who may have made a call.
#[derive(Clone, Debug)]
pub(in crate::causality) struct Verdict {
    right: Right,
    /// Requests with their probabilities.
    shares: SmallVec<[(u64, f32); 4]>,
    /// Probability that none of the requests known has made it.
    nobody: f32,
    /// Probability that all of that is a mistake.
    mistaken: f32,
}

impl Right {
    /// What was right, and what should have been if all were as likely as was said,
    /// by kind.
    pub(super) fn learn(&mut self, foretold: [(f64, f64); 2]) {
        for (known, (right, said)) in self.0.iter_mut().zip(foretold) {
            let kept = 1.0 - said as f32 / SLOWNESS;
            known.right = known.right * kept + right as f32;
            known.said = known.said * kept + said as f32;
        }
    }

    /// Whether those seen to be told something are mostly right.
    pub(super) fn is_understood(self) -> bool {
        self.0[0].share() >= UNDERSTOOD
    }

    /// Whether they are nearly always: what is not foretold then is rather
    /// somebody's of whom nothing is known than a mistake.
    pub(super) fn is_sure(self) -> bool {
        self.0[0].share() >= SURE
    }

    /// Probability that one is right of which no response tells.
    fn of(self, timed: bool) -> f32 {
        // Of those who had waited for a timer too few are foretold to be surer.
        let seen = self.0[0].share();
        let right = self.0[usize::from(timed)].share().min(seen);
        if right < UNDERSTOOD {
            return 0.0;
        }
        1.0 - HARDER * (1.0 - right)
    }
}

impl Known {
    /// The share that was right of what should have been.
    fn share(self) -> f32 {
        (self.right / (self.said + FEW)).min(1.0)
    }
}

impl Verdict {
    /// Nobody, so far.
    pub(super) fn new(right: Right) -> Self {
        Self {
            right,
            shares: SmallVec::new(),
            nobody: 0.0,
            mistaken: 1.0,
        }
    }

    /// This request has made it with a probability of so much more; `timed` if it
    /// had waited for a timer.
    pub(super) fn add(&mut self, who: u64, chance: f32, timed: bool) {
        let share = chance * self.right.of(timed);
        self.mistaken -= share;
        match self.shares.iter_mut().find(|(other, _)| *other == who) {
            Some((_, present)) => *present += share,
            None => self.shares.push((who, share)),
        }
    }

    /// Nobody known has made it, with a probability of so much more.
    pub(super) fn nobody(&mut self, chance: f32) {
        let share = chance * self.right.of(false);
        self.mistaken -= share;
        self.nobody += share;
    }

    /// Whether it says anything.
    pub(super) fn is_silent(&self) -> bool {
        self.mistaken > 1.0 - UNDERSTOOD / 2.0
    }

    /// The requests that have made it with at least this probability.
    pub(super) fn named(&self, least: f32) -> impl Iterator<Item = u64> {
        let named = self.shares.iter().filter(move |(_, share)| *share >= least);
        named.map(|(who, _)| *who)
    }

    /// What it says for a request, or for no cause, against one of `others` of
    /// which it knows nothing, in nats, no more than `most`.
    pub(super) fn weight(&self, cause: Option<u64>, others: usize, most: f32) -> f32 {
        let share = cause.map_or(self.nobody, |who| {
            let share = self.shares.iter().find(|(other, _)| *other == who);
            share.map_or(0.0, |(_, share)| *share)
        });
        let level = self.mistaken.max(f32::EPSILON) / others.max(2) as f32;
        ((share + level) / level).ln().min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_right_before_is_believed() {
        let mut right = Right::default();
        let mut verdict = Verdict::new(right);
        verdict.add(1, 1.0, false);
        assert!(verdict.is_silent(), "nothing was foretold yet");
        (0..200).for_each(|_| right.learn([(0.95, 1.0), (0.0, 0.0)]));
        let mut verdict = Verdict::new(right);
        verdict.add(1, 0.9, false);
        verdict.add(2, 0.1, false);
        assert!(verdict.weight(Some(1), 8, 7.0) > verdict.weight(Some(2), 8, 7.0) + 1.0);
        assert!(verdict.weight(Some(3), 8, 7.0).abs() < 1e-6);
        let mut timed = Verdict::new(right);
        timed.add(1, 1.0, true);
        assert!(timed.is_silent(), "each kind for itself");
    }

    #[test]
    fn who_is_as_right_as_it_says_is_believed_and_who_is_not_is_not() {
        let (mut unsure, mut wrong) = (Right::default(), Right::default());
        for _ in 0..200 {
            unsure.learn([(0.5, 0.5), (0.0, 0.0)]);
            wrong.learn([(0.5, 1.0), (0.0, 0.0)]);
        }
        assert!(unsure.is_understood() && unsure.is_sure());
        assert!(!wrong.is_understood());
        (0..200).for_each(|_| unsure.learn([(0.5, 1.0), (0.0, 0.0)]));
        assert!(!unsure.is_understood(), "what was is forgotten");
    }

    #[test]
    fn who_is_likely_is_named() {
        let mut right = Right::default();
        (0..200).for_each(|_| right.learn([(0.99, 1.0), (0.0, 0.0)]));
        let mut verdict = Verdict::new(right);
        verdict.add(1, 0.9, false);
        verdict.add(2, 0.02, false);
        verdict.nobody(0.08);
        assert_eq!(verdict.named(0.05).collect::<Vec<_>>(), [1]);
        assert!(Verdict::new(right).named(0.0).next().is_none());
    }
}
