//! Calls of which no entry tells: by no request, a timer's or a job's; by the
//! request whose response follows; or by a lost one.
//!
//! A request is lost in a hypothesis that expects nothing of it though it is open:
//! it was read before all this began, or what was taken for its call was another's.
//! It may do anything at any time, until its response, or a call right before
//! that, tells of it. So hypotheses that went astray find their way again, one
//! request after the other.

use super::Written;
use super::filter::Filter;
use super::hypothesis::Hypothesis;

/// Likelihood of a call that nobody known makes, handed on or not.
const STRAY: f32 = 0.003;
const STRAY_SEEN: f32 = 0.0001;
/// The most that is learnt of it; and how many strays there are for each that is
/// counted: others are taken for some request's.
const MOST_STRAY: f32 = 0.1;
const UNCOUNTED: f32 = 3.0;
/// Of a call that belongs to the request answered next, though it did not wait; and
/// of the same where nothing else is known of it.
const UNEXPECTED: f32 = 0.003;
const UNEXPECTED_LOST: f32 = 0.0003;
/// Probability that a lost request calls at once when it is told something.
const STIRRED: f32 = 0.5;

/// Likelihoods of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unknown {
    /// By no request.
    pub(super) nobody: f32,
    /// By any of the lost requests.
    pub(super) lost: f32,
    /// By the request whose response follows.
    pub(super) anchor: Option<(u64, f32)>,
    /// Probability that it is by somebody who is not lost.
    pub(super) known: f32,
}

impl Filter {
    /// What no entry of this hypothesis tells of a call.
    pub(super) fn unknown(&self, hypothesis: &Hypothesis, call: &Written) -> Unknown {
        let all = self.open.others(hypothesis.known) as f32;
        let share = self.entries.words.share(call.label);
        let (lost, known) = if call.waited() {
            let part = all / self.open.len().max(1) as f32;
            (part * share, 1.0 - part)
        } else if hypothesis.stirred == self.step {
            (STIRRED * share, 1.0)
        } else {
            (0.0, 1.0)
        };
        let anchor = call.anchor.filter(|who| self.open.contains(*who));
        let anchor = anchor.map(|who| {
            let is_lost = hypothesis.has_lost(self.open.bit(who));
            let least = if is_lost { UNEXPECTED_LOST } else { UNEXPECTED };
            let one = if is_lost { lost / all.max(1.0) } else { 0.0 };
            (who, one.max(least))
        });
        Unknown {
            nobody: self.nobody(call),
            lost,
            anchor,
            known,
        }
    }

    /// Likelihood of a call that no request makes.
    fn nobody(&self, call: &Written) -> f32 {
        // While much is a mistake, strays would explain it, and be learnt.
        let often = if self.crowd.right.is_sure() {
            self.entries.words.stray(call.label)
        } else {
            0.0
        };
        let often = (UNCOUNTED * often).clamp(STRAY, MOST_STRAY);
        if call.waited() {
            often
        } else {
            often / STRAY * STRAY_SEEN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps::EACH;
    use super::*;
    use crate::time::Timestamp;

    fn call(anchor: Option<u64>) -> Written {
        Written {
            id: 20,
            label: 2,
            callee: 2,
            handed_on: true,
            new: false,
            at: Timestamp(0),
            anchor,
        }
    }

    #[test]
    fn who_is_open_and_nowhere_expected_may_do_anything() {
        let mut filter = Filter::new(EACH);
        filter.entries.words.saw(2, 2);
        (1..=2).for_each(|who| assert!(!filter.open.add(who)));
        let mut hypothesis = Hypothesis::new();
        hypothesis.call(10, 1, filter.open.bit(1), 2);
        hypothesis.key(|_| unreachable!("no entries"));
        let one = filter.unknown(&hypothesis, &call(None));
        assert!(one.lost > STRAY && (one.known - 0.5).abs() < 1e-6);
        let told = filter.unknown(&hypothesis, &call(Some(2)));
        let known = filter.unknown(&hypothesis, &call(Some(1)));
        let likelihood = |unknown: Unknown| unknown.anchor.map_or(0.0, |(_, one)| one);
        assert!(likelihood(told) > likelihood(known), "the lost one it was");
        hypothesis.call(11, 2, filter.open.bit(2), 2);
        hypothesis.key(|_| unreachable!("no entries"));
        let none = filter.unknown(&hypothesis, &call(None));
        assert!(none.lost < f32::EPSILON && none.known > 0.99);
    }
}
