//! The hypotheses that are followed: how many, which go on, and what they say
//! together.

use hashbrown::HashMap;

use super::history::History;
use super::hypothesis::{Hypothesis, NOBODY, Tag};
use super::steps::Steps;
use super::verdict::{Right, Verdict};

/// What a look at a hypothesis costs apart from its entries, in steps.
pub(super) const OVERHEAD: usize = 8;
/// Hypotheses, and ways that they may go on, this much less likely than the best
/// are gone.
pub(super) const HOPELESS: f64 = 3e-4;
/// Calls that stay open to smoothing.
const WINDOW: usize = 64;

/// All hypotheses of one process.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) all: Vec<Hypothesis>,
    /// No more than these.
    most: usize,
    /// Those given up, for their memory.
    spare: Vec<Hypothesis>,
    /// The calls of the window, and whether its probabilities are up to date.
    pub(super) history: History,
    settled: bool,
    pub(super) right: Right,
    pub(super) steps: Steps,
    /// Calls for which not all hypotheses could be afforded.
    pub(super) cut: u64,
}

impl Crowd {
    /// None so far; up to `most`, which may take so many steps a call.
    pub(super) fn new(most: usize, steps: u32) -> Self {
        Self {
            all: Vec::new(),
            most,
            spare: Vec::new(),
            history: History::default(),
            settled: false,
            right: Right::default(),
            steps: Steps::new(steps),
            cut: 0,
        }
    }

    /// A call was written. How many can be afforded: where none can, all are given
    /// up; where all can, one that knows nothing begins.
    pub(super) fn renew(&mut self) -> usize {
        self.steps.earn(self.right.is_understood());
        let afford = self.steps.afford(self.most);
        if afford == 0 {
            self.spare.append(&mut self.all);
        } else if self.all.is_empty() && afford == self.most {
            self.history.clear();
            self.all.push(Hypothesis::new());
        }
        self.cut += u64::from(self.all.is_empty());
        afford
    }

    /// All are given up.
    pub(super) fn give_up(&mut self) {
        self.settled = false;
        self.spare.append(&mut self.all);
    }

    /// Makes one of those that agree on all that can still matter; `tag` gives what
    /// tells an entry from others.
    pub(super) fn merge(&mut self, tag: impl Fn(u32) -> Tag) {
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut kept: usize = 0;
        for index in 0..self.all.len() {
            let hypothesis = &mut self.all[index];
            self.steps.spend(hypothesis.entries.len() + OVERHEAD);
            let key = hypothesis.key(&tag);
            if let Some(same) = known.get(&key) {
                let (before, after) = self.all.split_at_mut(index);
                before[*same].absorb(&after[0]);
            } else {
                known.insert(key, kept);
                self.all.swap(kept, index);
                kept += 1;
            }
        }
        self.spare.extend(self.all.drain(kept..));
    }

    /// Keeps the likeliest ways, no more than can be afforded.
    pub(super) fn choose<W>(
        &mut self,
        ways: &mut Vec<W>,
        afford: usize,
        weight: impl Fn(&W) -> f64,
    ) {
        let best = ways.iter().map(&weight).fold(0.0, f64::max);
        ways.retain(|way| weight(way) > best * HOPELESS);
        if ways.len() > afford && afford > 0 {
            self.cut += u64::from(afford < self.most);
            ways.select_nth_unstable_by(afford - 1, |a, b| weight(b).total_cmp(&weight(a)));
            ways.truncate(afford);
        }
    }

    /// In place of all come those that they become: for each way, from which one and
    /// with what weight, those from the same one next to each other.
    pub(super) fn branch(&mut self, ways: impl Iterator<Item = (usize, f64)>) {
        let mut old = std::mem::take(&mut self.all);
        let mut ways = ways.peekable();
        while let Some((from, weight)) = ways.next() {
            let last = ways.peek().is_none_or(|(next, _)| *next != from);
            let mut next = self.spare.pop().unwrap_or_default();
            if last {
                std::mem::swap(&mut next, &mut old[from]);
            } else {
                next.copy(&old[from]);
            }
            next.weight = weight;
            self.all.push(next);
        }
        self.spare.append(&mut old);
        self.spare.truncate(self.most);
    }

    /// Drops those that are hopeless; the probabilities of the others add up to 1.
    pub(super) fn prune(&mut self) {
        self.settled = false;
        let weights = self.all.iter().map(|h| h.weight);
        let best = weights.fold(0.0, f64::max);
        if best < f64::MIN_POSITIVE {
            // Nothing explains what was seen: all are as likely.
            self.all.iter_mut().for_each(|h| h.weight = 1.0);
        }
        let least = best * HOPELESS;
        let dropped = self.all.extract_if(.., |h| h.weight < least);
        self.spare.extend(dropped);
        let sum: f64 = self.all.iter().map(|h| h.weight).sum();
        self.all.iter_mut().for_each(|h| h.weight /= sum);
    }

    /// What was done until `lag` calls ago: the number at which later things begin,
    /// and what was done before with how likely it still is.
    pub(super) fn done(
        &mut self,
        lag: usize,
    ) -> Option<(u64, impl Iterator<Item = (u64, f32)> + '_)> {
        self.settle();
        self.history.done(lag)
    }

    /// The oldest call leaves the window, if that is full. Who made it.
    pub(super) fn leave(&mut self) -> Option<(u64, Verdict)> {
        self.settle();
        if self.history.len() <= WINDOW {
            return None;
        }
        let oldest = self.history.oldest()?;
        let verdict = self.history.verdict(oldest, self.right);
        self.history.leave();
        verdict.map(|verdict| (oldest, verdict))
    }

    /// Who made a call of the window; `None` if nothing is known of it.
    pub(super) fn verdict(&mut self, call: u64) -> Option<Verdict> {
        self.settle();
        self.history.verdict(call, self.right)
    }

    fn settle(&mut self) {
        if !self.settled {
            self.history.settle(&mut self.all);
            self.settled = true;
        }
    }
}

/// Probability that no request made a call, by the ways to explain it: who made it
/// in each, and its weight.
pub(super) fn nobody(ways: impl Iterator<Item = (u64, f64)> + Clone) -> f32 {
    let all: f64 = ways.clone().map(|(_, weight)| weight).sum();
    let strays = ways.filter(|(who, _)| who & NOBODY != 0);
    let stray: f64 = strays.map(|(_, weight)| weight).sum();
    (stray / all.max(f64::MIN_POSITIVE)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(weights: &[f64]) -> Crowd {
        let mut crowd = Crowd::new(4, 4096);
        crowd.renew();
        crowd.branch(weights.iter().map(|weight| (0, *weight)));
        crowd
    }

    fn weights(crowd: &Crowd) -> Vec<f64> {
        crowd.all.iter().map(|h| h.weight).collect()
    }

    #[test]
    fn what_is_hopeless_is_dropped_and_the_rest_adds_up() {
        let mut crowd = crowd(&[3.0, 1.0, 0.000_1]);
        crowd.prune();
        assert_eq!(weights(&crowd), [0.75, 0.25]);
    }

    #[test]
    fn where_nothing_explains_what_was_seen_all_are_as_likely() {
        let mut crowd = crowd(&[0.0, 0.0]);
        crowd.prune();
        assert_eq!(weights(&crowd), [0.5, 0.5]);
    }

    #[test]
    fn those_that_agree_become_one() {
        let mut crowd = crowd(&[0.3, 0.2, 0.5]);
        crowd.all[2].add(7);
        crowd.merge(|entry| Tag {
            key: entry.into(),
            bit: 0,
        });
        assert_eq!(weights(&crowd), [0.5, 0.5]);
    }

    #[test]
    fn no_more_ways_are_gone_than_can_be_afforded() {
        let mut crowd = crowd(&[1.0]);
        let mut ways = vec![0.2, 0.5, 0.000_01, 0.3];
        crowd.choose(&mut ways, 2, |way| *way);
        ways.sort_unstable_by(f64::total_cmp);
        assert_eq!(ways, [0.3, 0.5]);
        assert_eq!(crowd.cut, 1);
    }
}
