//! The ways in which hypotheses may explain an act: who did it, in which round.

use smallvec::SmallVec;

use super::super::crowd::OVERHEAD;
use super::super::hypothesis::NOBODY;
use super::super::word::Label;
use super::filter::{Call, Filter};
use crate::time::Timestamp;

/// Rounds looked ahead.
const LEVELS: u8 = 4;
/// Likelihood of a call that nobody known makes; the most that is learnt of it; and
/// how many there are for each that is counted: others are taken for some request's.
const STRAY: f32 = 3e-4;
const MOST_STRAY: f32 = 0.05;
const UNCOUNTED: f32 = 2.0;
/// Of one that belongs to the request answered next, though nothing else tells so.
const UNEXPECTED: f32 = 0.003;
/// Of a cause that a response contradicts: of those that seem to be told by the
/// order of answers and responses, 2 to 4 % are not.
pub(super) const CONTRADICTED: f32 = 0.02;
/// Likelihood of explaining an act below which nothing is looked at.
const HARDLY: f32 = 5e-5;

/// What did it, in one hypothesis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    /// Its place among the entries.
    pub(super) place: usize,
    pub(super) likelihood: f32,
    /// The most of it that comes from one round.
    peak: f32,
    /// The round in which it did, from now, likeliest; `None` after a timer or
    /// where the round does not show.
    pub(super) level: Option<u8>,
    pub(super) after_timer: bool,
}

/// One way in which a hypothesis may go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) from: usize,
    pub(super) weight: f64,
    pub(super) who: u64,
    pub(super) actor: Option<Actor>,
}

impl Actor {
    /// One that acts whenever, if it is likely enough.
    fn unordered(place: usize, likelihood: f32, after_timer: bool) -> Option<Self> {
        (likelihood > HARDLY).then_some(Self {
            place,
            likelihood,
            peak: likelihood,
            level: None,
            after_timer,
        })
    }

    /// One that acts in a round.
    fn in_round(place: usize, likelihood: f32, level: u8) -> Self {
        Self {
            place,
            likelihood,
            peak: likelihood,
            level: Some(level),
            after_timer: false,
        }
    }

    /// The same may act in another round.
    fn add(&mut self, likelihood: f32, level: u8) {
        self.likelihood += likelihood;
        if likelihood > self.peak {
            (self.peak, self.level) = (likelihood, Some(level));
        }
    }
}

pub(super) type Actors = SmallVec<[Actor; 16]>;

/// An entry as a hypothesis sees it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: u32,
    slot: u8,
    passes: u8,
    act: f32,
    /// Its place among the actors, once it is one.
    actor: Option<usize>,
}

impl Filter {
    /// Who of the entries may have done this, in one hypothesis; `only` names who
    /// did, if that is known. Without `order`, it is not told by the order of acts.
    pub(super) fn actors(
        &mut self,
        from: usize,
        label: Label,
        now: Timestamp,
        only: Option<u64>,
        order: bool,
    ) -> Actors {
        let mut actors = Actors::new();
        let mut seen: SmallVec<[Seen; 32]> = SmallVec::new();
        let entries = &self.crowd.all[from].entries;
        self.crowd.steps.spend(2 * entries.len() + OVERHEAD);
        for (place, at) in entries.iter().enumerate() {
            let entry = self.entries.get(*at);
            let (slot, passes) = (entry.slot(self.batch), entry.passes);
            let chance = entry.chance(passes);
            let mut act = 0.0;
            if only.is_none_or(|who| who == entry.who) {
                let view = self.entries.view(*at, label, now);
                act = view.act;
                let late = Actor::unordered(place, view.late / chance, true);
                actors.extend(late);
            }
            seen.push(Seen {
                at: *at,
                slot,
                passes,
                act,
                actor: None,
            });
        }
        if order {
            self.in_order(&mut seen, &mut actors);
        } else {
            actors.extend(seen.iter().enumerate().filter_map(|(place, seen)| {
                let likelihood = self.entries.get(seen.at).unseen() * seen.act;
                Actor::unordered(place, likelihood, false)
            }));
        }
        actors
    }

    /// Goes through the entries in the order in which they would act, round by
    /// round.
    fn in_order(&self, seen: &mut [Seen], actors: &mut Actors) {
        let mut before = 1.0;
        for level in 0..LEVELS {
            let mut none = before;
            for (place, seen) in seen.iter_mut().enumerate() {
                if seen.slot > level {
                    continue;
                }
                let entry = self.entries.get(seen.at);
                let round = seen.passes + (level - seen.slot);
                let chance = entry.chance(round);
                if seen.act > 0.0 {
                    let likelihood = none * entry.acts(round) * seen.act / chance;
                    if likelihood > HARDLY {
                        if let Some(actor) = seen.actor {
                            actors[actor].add(likelihood, level);
                        } else {
                            seen.actor = Some(actors.len());
                            actors.push(Actor::in_round(place, likelihood, level));
                        }
                    }
                }
                none *= entry.chance(round + 1) / chance;
                if none < HARDLY {
                    break;
                }
            }
            // All that might have acted in this round did not.
            before = none;
            if before < HARDLY {
                break;
            }
        }
    }

    /// The ways in which a hypothesis explains a call.
    pub(super) fn ways(
        &mut self,
        from: usize,
        call: &Call,
        doubt: &impl Fn(u64) -> f32,
        ways: &mut Vec<Way>,
    ) {
        let weight = self.crowd.all[from].weight;
        for actor in self.actors(from, call.label, call.at, None, !call.first) {
            let at = self.crowd.all[from].entries[actor.place];
            let who = self.entries.get(at).who;
            ways.push(Way {
                from,
                weight: weight * f64::from(actor.likelihood * doubt(who)),
                who,
                actor: Some(actor),
            });
        }
        let nobody = call.id | NOBODY;
        ways.push(Way {
            from,
            weight: weight * f64::from(self.nobody(call.label) * doubt(nobody)),
            who: nobody,
            actor: None,
        });
        if let Some(who) = call.anchor.filter(|who| self.open.contains(*who)) {
            ways.push(Way {
                from,
                weight: weight * f64::from(UNEXPECTED),
                who,
                actor: None,
            });
        }
    }

    /// Likelihood of a call that no request makes.
    fn nobody(&self, label: Label) -> f32 {
        if !self.crowd.right.is_understood() {
            return STRAY;
        }
        (UNCOUNTED * self.entries.words.stray(label)).clamp(STRAY, MOST_STRAY)
    }

    /// Learns how often those were right whose response followed.
    pub(super) fn foretell(&mut self, call: &Call, ways: &[Way]) {
        let Some(anchor) = call.anchor else {
            return;
        };
        // What the response said is not foretold.
        let before = |way: &Way| {
            let factor = if way.who == anchor { 1.0 } else { CONTRADICTED };
            way.weight / f64::from(factor)
        };
        let known = ways
            .iter()
            .filter(|way| way.actor.is_some() || way.who & NOBODY != 0);
        let all: f64 = known.clone().map(before).sum();
        let right: f64 = known.filter(|way| way.who == anchor).map(before).sum();
        let share = right / all.max(f64::MIN_POSITIVE);
        self.crowd.right.learn([(share, 1.0), (share, 1.0)]);
    }

    /// The likeliest ways, no more than can be afforded, by where they come from.
    pub(super) fn choose(&mut self, ways: &mut Vec<Way>, afford: usize) {
        self.crowd.choose(ways, afford, |way| way.weight);
        let order = |way: &Way| {
            let actor = way.actor.map(|actor| (actor.place, actor.after_timer));
            (way.from, actor, way.who)
        };
        ways.sort_unstable_by_key(order);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::steps::EACH;
    use super::*;

    #[test]
    fn strays_are_expected_as_often_as_they_come_once_the_rest_is_understood() {
        let mut filter = Filter::new(EACH);
        for n in 0..200 {
            let stray = if n % 50 == 0 { 1.0 } else { 0.0 };
            filter.entries.words.strayed(2, stray);
        }
        assert!((filter.nobody(2) - STRAY).abs() < f32::EPSILON);
        (0..100).for_each(|_| filter.crowd.right.learn([(0.95, 1.0), (0.95, 1.0)]));
        assert!(filter.nobody(2) > 20.0 * STRAY && filter.nobody(2) <= MOST_STRAY);
        assert!(
            (filter.nobody(3) - STRAY).abs() < f32::EPSILON,
            "each kind for itself"
        );
    }
}
