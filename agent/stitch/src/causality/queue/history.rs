//! Whose the last calls were, in all hypotheses: a lattice. Each call has a layer
//! of nodes, one for each request that it may belong to in each hypothesis kept
//! then, and each node knows which nodes of the call before led to it. So a
//! hypothesis that forks shares its past, and two that have become the same keep
//! both of theirs.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::hypothesis::{Hypothesis, LOST, NOBODY, TIMED};
use super::verdict::{Right, Verdict};

/// Nodes of the last layer, and their shares in a hypothesis.
pub(super) type Past = SmallVec<[(u32, f32); 1]>;

/// One call in some of the hypotheses.
#[derive(Debug)]
struct Node {
    who: u64,
    before: Past,
    /// Numbers of what requests did between this call and the next.
    done: SmallVec<[u64; 4]>,
    /// Its probability, when last settled.
    share: f32,
    /// Where it is after the dead are gone.
    moved: u32,
}

#[derive(Debug)]
struct Layer {
    call: u64,
    /// What is done after the call has this number, or a higher one.
    begin: u64,
    /// Probability that no request made it though it is said so.
    missed: f32,
    nodes: Vec<Node>,
}

/// The lattice.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Layer>);

impl Node {
    /// Something comes from it with this probability: it is alive, however little
    /// that is.
    fn came(&mut self, share: f32) {
        self.share += share.max(f32::MIN_POSITIVE);
    }
}

impl History {
    /// Calls.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A call was written; what is done from now on has numbers from `begin` on.
    /// That no request made it is `missed` with this probability.
    pub(super) fn begin(&mut self, call: u64, begin: u64, missed: f32) {
        self.0.push_back(Layer {
            call,
            begin,
            missed,
            nodes: Vec::new(),
        });
    }

    /// The last call belongs to `who` in a hypothesis with this past. Its new past.
    pub(super) fn add(&mut self, who: u64, before: Past) -> Past {
        let Some(layer) = self.0.back_mut() else {
            return before;
        };
        layer.nodes.push(Node {
            who,
            before,
            done: SmallVec::new(),
            share: 0.0,
            moved: 0,
        });
        SmallVec::from_buf([(layer.nodes.len() as u32 - 1, 1.0)])
    }

    /// A request did something in the hypothesis with this past.
    pub(super) fn did(&mut self, past: &Past, number: u64) {
        let Some(layer) = self.0.back_mut() else {
            return;
        };
        for (node, _) in past {
            layer.nodes[*node as usize].done.push(number);
        }
    }

    /// Brings the probabilities of all nodes up to date, and throws away those
    /// that no hypothesis comes from.
    pub(super) fn settle(&mut self, hypotheses: &mut [Hypothesis]) {
        let layers = self.0.make_contiguous();
        let nodes = layers.iter_mut().flat_map(|layer| &mut layer.nodes);
        nodes.for_each(|node| node.share = 0.0);
        let Some(last) = layers.last_mut() else {
            return;
        };
        for hypothesis in hypotheses.iter() {
            for (node, part) in &hypothesis.past {
                last.nodes[*node as usize].came(hypothesis.weight as f32 * part);
            }
        }
        for at in (1..layers.len()).rev() {
            let (before, after) = layers.split_at_mut(at);
            let before = &mut before[at - 1].nodes;
            for node in after[0].nodes.iter().filter(|node| node.share > 0.0) {
                for (from, part) in &node.before {
                    before[*from as usize].came(node.share * part);
                }
            }
        }
        bury(layers);
        let Some(last) = layers.last_mut() else {
            return;
        };
        for hypothesis in hypotheses {
            for (node, _) in &mut hypothesis.past {
                *node = last.nodes[*node as usize].moved;
            }
        }
        for layer in layers {
            layer.nodes.retain(|node| node.share > 0.0);
        }
    }

    /// Who made a call; `None` if it is not among the last. As of when it was last
    /// settled.
    pub(super) fn verdict(&self, call: u64, right: Right) -> Option<Verdict> {
        let layer = self.0.iter().find(|layer| layer.call == call)?;
        let mut verdict = Verdict::new(right);
        for node in &layer.nodes {
            if node.who & LOST != 0 {
                // Nothing is said.
            } else if node.who & NOBODY == 0 {
                let share = node.share * (1.0 - layer.missed);
                verdict.add(node.who & !TIMED, share, node.who & TIMED != 0);
                verdict.nobody(node.share - share);
            } else {
                verdict.nobody(node.share);
            }
        }
        Some(verdict)
    }

    /// What was done after the call that has `later` behind it, with how likely
    /// that is; and the first number of what was done after that.
    pub(super) fn done(&self, later: usize) -> Option<(u64, impl Iterator<Item = (u64, f32)>)> {
        let at = self.0.len().checked_sub(later + 1)?;
        let end = self.0.get(at + 1)?.begin;
        let nodes = self.0[at].nodes.iter();
        let each = nodes.flat_map(|node| node.done.iter().map(|number| (*number, node.share)));
        Some((end, each))
    }

    /// The oldest call.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.0.front().map(|layer| layer.call)
    }

    /// Forgets the oldest call.
    pub(super) fn leave(&mut self) {
        self.0.pop_front();
    }
}

/// Tells where each node goes when the dead are gone.
fn bury(layers: &mut [Layer]) {
    for at in 0..layers.len() {
        let (before, after) = layers.split_at_mut(at);
        let mut alive = 0;
        for node in &mut after[0].nodes {
            node.moved = alive;
            alive += u32::from(node.share > 0.0);
            let Some(before) = before.last() else {
                continue;
            };
            for (from, _) in &mut node.before {
                *from = before.nodes[*from as usize].moved;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right() -> Right {
        let mut right = Right::default();
        (0..500).for_each(|_| right.learn([(1.0, 1.0), (1.0, 1.0)]));
        right
    }

    /// A hypothesis of this weight and past.
    fn hypothesis(weight: f64, past: Past) -> Hypothesis {
        let mut hypothesis = Hypothesis::new();
        (hypothesis.weight, hypothesis.past) = (weight, past);
        hypothesis
    }

    /// Two requests may have made call 1; both hypotheses then agree.
    fn forked() -> (History, [Hypothesis; 2]) {
        let mut history = History::default();
        history.begin(1, 0, 0.0);
        let first = hypothesis(0.75, history.add(10, Past::new()));
        let second = hypothesis(0.25, history.add(20, Past::new()));
        (history, [first, second])
    }

    fn leads(history: &History, call: u64, better: u64, worse: u64) -> bool {
        let verdict = history.verdict(call, right());
        let weight = |who| verdict.as_ref().map(|v| v.weight(Some(who), 8, 99.0));
        weight(better) > weight(worse)
    }

    #[test]
    fn hypotheses_that_become_one_keep_both_pasts() {
        let (mut history, [mut one, other]) = forked();
        one.absorb(&other);
        history.begin(2, 0, 0.0);
        one.past = history.add(30, std::mem::take(&mut one.past));
        history.settle(std::slice::from_mut(&mut one));
        let shares = |at: usize| -> Vec<f32> {
            let nodes = history.0[at].nodes.iter();
            nodes.map(|node| node.share).collect()
        };
        assert_eq!((shares(0), shares(1)), (vec![0.75, 0.25], vec![1.0]));
        assert!(leads(&history, 1, 10, 20) && leads(&history, 1, 20, 40));
    }

    #[test]
    fn what_a_dropped_hypothesis_held_is_gone() {
        let (mut history, [_, mut other]) = forked();
        history.begin(2, 0, 0.0);
        other.weight = 1.0;
        other.past = history.add(30, std::mem::take(&mut other.past));
        history.settle(std::slice::from_mut(&mut other));
        assert_eq!(history.0[0].nodes.len(), 1);
        assert!(leads(&history, 1, 20, 10));
        history.begin(3, 0, 0.0);
        other.past = history.add(40, std::mem::take(&mut other.past));
        history.settle(std::slice::from_mut(&mut other));
        assert!(leads(&history, 1, 20, 10), "places have moved");
    }

    #[test]
    fn what_was_done_is_as_likely_as_those_who_say_so() {
        let (mut history, both) = forked();
        history.did(&both[0].past, 7);
        history.begin(2, 8, 0.0);
        let mut after = both.map(|before| {
            let past = history.add(30, before.past);
            hypothesis(before.weight, past)
        });
        history.settle(&mut after);
        let (end, done) = history.done(1).expect("a call is behind it");
        assert_eq!((end, done.collect::<Vec<_>>()), (8, vec![(7, 0.75)]));
        assert!(history.done(0).is_none() && history.done(2).is_none());
    }
}
