//! The ways in which hypotheses may explain a call: who made it, of those who
//! wait; somebody of whom nothing is known; or the request answered next.

use smallvec::SmallVec;

use super::Written;
use super::entry::View;
use super::filter::{Filter, MOST, OVERHEAD};
use super::hypothesis::NOBODY;
use super::times::{enters, milliseconds};

/// Likelihood of a call that nobody known makes, handed on or not.
const STRAY: f32 = 0.003;
const STRAY_SEEN: f32 = 0.0001;
/// Likelihood of explaining a call below which nothing is looked at.
const HARDLY: f32 = 5e-5;
/// Of a call that belongs to the request answered next, though it did not wait.
const UNEXPECTED: f32 = 0.003;
/// Of a cause that the response contradicts.
pub(super) const CONTRADICTED: f32 = 0.003;
/// Ways this much less likely than the best are not gone.
pub(super) const HOPELESS: f64 = 3e-4;

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
        self.entry.is_none() && self.who & NOBODY == 0
    }
}

impl Filter {
    /// How the entries of a hypothesis may explain a call, and the probability that
    /// nobody before each of them waits for the same callee.
    fn views(&mut self, from: usize, call: &Written, doubt: &impl Fn(u64) -> f32) -> Views {
        let before = (self.step, milliseconds(self.read, call.at));
        let (mut views, mut first) = (SmallVec::new(), SmallVec::new());
        let mut none = 1.0;
        for entry in &self.hypotheses[from].entries {
            let view = self.entries.view(*entry, call, before, doubt);
            first.push(none);
            none *= view.pass;
            views.push(view);
            // Who comes later cannot be the first.
            if none < HARDLY {
                break;
            }
        }
        self.steps.spend(2 * (views.len() + OVERHEAD));
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
        let hypothesis = &self.hypotheses[from];
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
            let act = view.act * first[place];
            if act > HARDLY {
                add(act * view.doubt, view.who, Some(place), false, place);
            }
            if view.late * first[place + 1] > HARDLY {
                let (chance, before) = if call.waited() {
                    self.steps.spend(ages.len() - place);
                    enters(&ages, &first, place)
                } else {
                    (1.0, 0)
                };
                let late = view.late * chance;
                add(late * view.doubt, view.who, Some(place), true, before);
            }
        }
        let stray = if call.waited() { STRAY } else { STRAY_SEEN };
        let nobody = call.id | NOBODY;
        add(stray * doubt(nobody), nobody, None, false, 0);
        if let Some(who) = call.anchor.filter(|who| self.open.contains(who)) {
            add(UNEXPECTED, who, None, false, 0);
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
        let mut foretold = [(0.0, 0.0); 2];
        for way in known {
            let (right, every) = &mut foretold[usize::from(way.after_timer)];
            let share = before(way) / all.max(f64::MIN_POSITIVE);
            *every += share;
            *right += if way.who == anchor { share } else { 0.0 };
        }
        self.right.learn(foretold);
    }

    /// The likeliest ways, no more than can be afforded, by where they come from.
    pub(super) fn choose(&mut self, ways: &mut Vec<Way>, afford: usize) {
        let best = ways.iter().map(|way| way.weight).fold(0.0, f64::max);
        ways.retain(|way| way.weight > best * HOPELESS);
        if ways.len() > afford && afford > 0 {
            self.cut += u64::from(afford < MOST);
            ways.select_nth_unstable_by(afford - 1, |a, b| b.weight.total_cmp(&a.weight));
            ways.truncate(afford);
        }
        let order = |way: &Way| (way.from, way.entry, way.after_timer);
        ways.sort_unstable_by_key(order);
    }
}
