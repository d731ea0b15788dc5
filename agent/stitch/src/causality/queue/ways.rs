//! The ways in which hypotheses may explain a call: who made it, of those who
//! wait; somebody of whom nothing is known; or the request answered next.

use smallvec::SmallVec;

use super::Written;
use super::crowd::OVERHEAD;
use super::entry::View;
use super::filter::Filter;
use super::hypothesis::{LOST, NOBODY};
use super::times::{enters, milliseconds};

/// Likelihood of explaining a call below which nothing is looked at.
const HARDLY: f32 = 5e-5;
/// Of a cause that the response contradicts.
pub(super) const CONTRADICTED: f32 = 0.003;

/// One way in which a hypothesis may go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) from: usize,
    pub(super) weight: f64,
    pub(super) who: u64,
    /// The place of its entry in the hypothesis.
    pub(super) entry: Option<usize>,
    pub(super) after_timer: bool,
    /// Entries before this one did not wait for the same callee.
    pub(super) before: usize,
}

/// What [`Filter::views`] tells.
type Views = (SmallVec<[View; 32]>, SmallVec<[f32; 36]>);

impl Way {
    /// Whether only the response tells of it.
    pub(super) fn is_unexpected(&self) -> bool {
        self.entry.is_none() && self.who & (NOBODY | LOST) == 0
    }
}

impl Filter {
    /// How the entries of a hypothesis may explain a call, and the probability that
    /// nobody before each of them waits for the same callee.
    fn views(&mut self, from: usize, call: &Written, doubt: &impl Fn(u64) -> f32) -> Views {
        let before = (self.step, milliseconds(self.read, call.at));
        let (mut views, mut first) = (SmallVec::new(), SmallVec::new());
        let mut none = 1.0;
        for entry in &self.crowd.all[from].entries {
            let view = self.entries.view(*entry, call, before, doubt);
            first.push(none);
            none *= view.pass;
            views.push(view);
            // Who comes later cannot be the first.
            if none < HARDLY {
                break;
            }
        }
        self.crowd.steps.spend(2 * (views.len() + OVERHEAD));
        first.push(none);
        (views, first)
    }

    /// The ways in which a hypothesis explains a call, each with its likelihood.
    pub(super) fn ways(
        &mut self,
        from: usize,
        call: &Written,
        doubt: &impl Fn(u64) -> f32,
        ways: &mut Vec<Way>,
    ) {
        let (views, first) = self.views(from, call, doubt);
        let hypothesis = &self.crowd.all[from];
        let unknown = self.unknown(hypothesis, call);
        let mut add = |likelihood: f32, who, entry, after_timer, before| {
            if likelihood > 0.0 {
                ways.push(Way {
                    from,
                    weight: hypothesis.weight * f64::from(likelihood),
                    who,
                    entry,
                    after_timer,
                    before,
                });
            }
        };
        let ages: SmallVec<[f32; 32]> = views.iter().map(|view| view.age).collect();
        for (place, view) in views.iter().enumerate() {
            let act = view.act * first[place] * unknown.known;
            if act > HARDLY {
                add(act * view.doubt, view.who, Some(place), false, place);
            }
            if view.late * first[place + 1] > HARDLY {
                let (chance, before) = if call.waited() {
                    self.crowd.steps.spend(ages.len() - place);
                    enters(&ages, &first, place)
                } else {
                    (1.0, 0)
                };
                let late = view.late * chance * unknown.known;
                add(late * view.doubt, view.who, Some(place), true, before);
            }
        }
        for (who, likelihood) in [(NOBODY, unknown.nobody), (LOST, unknown.lost)] {
            let who = call.id | who;
            add(likelihood * doubt(who), who, None, false, 0);
        }
        if let Some((who, likelihood)) = unknown.anchor {
            add(likelihood, who, None, false, 0);
        }
    }

    /// Learns how often those were right whose response followed.
    pub(super) fn foretell(&mut self, call: &Written, ways: &[Way]) {
        let Some(anchor) = call.anchor.filter(|_| call.handed_on) else {
            return;
        };
        // What the response said is not foretold.
        let before = |way: &Way| {
            let factor = if way.who == anchor { 1.0 } else { CONTRADICTED };
            way.weight / f64::from(factor)
        };
        let known = ways.iter().filter(|way| !way.is_unexpected());
        let all: f64 = known.clone().map(before).sum();
        let mut shares: SmallVec<[(u64, [f64; 2]); 16]> = SmallVec::new();
        for way in known {
            let share = before(way) / all.max(f64::MIN_POSITIVE);
            let same = shares.iter().position(|(who, _)| *who == way.who);
            let place = same.unwrap_or_else(|| {
                shares.push((way.who, [0.0; 2]));
                shares.len() - 1
            });
            shares[place].1[usize::from(way.after_timer)] += share;
        }
        let mut foretold = [(0.0, 0.0); 2];
        for (who, shares) in shares {
            let both = shares[0] + shares[1];
            for ((right, said), share) in foretold.iter_mut().zip(shares) {
                // Who is given this share should be right as often.
                *said += share * both;
                *right += if who == anchor { share } else { 0.0 };
            }
        }
        self.crowd.right.learn(foretold);
    }

    /// The likeliest ways, no more than can be afforded, by where they come from.
    pub(super) fn choose(&mut self, ways: &mut Vec<Way>, afford: usize) {
        self.crowd.choose(ways, afford, |way| way.weight);
        let order = |way: &Way| (way.from, way.entry, way.after_timer);
        ways.sort_unstable_by_key(order);
    }
}
