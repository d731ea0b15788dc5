//! The candidates of a call: which requests may have caused it, and the first,
//! provisional choice.

use smallvec::SmallVec;

use super::{Desk, Owner};
use crate::causality::act::ExchangeId;
use crate::causality::call::{Link, Weights};
use crate::causality::confidence::Odds;
use crate::causality::config::Config;
use crate::causality::model::Outlook;
use crate::causality::path::{Move, Next, Position};
use crate::causality::request::Request;
use crate::causality::said::{EXACT, Said};
use crate::causality::solve;
use crate::span::Method;
use crate::time::Timestamp;

/// Answered requests that are weighed for a call after the response.
const MAX_LATE: usize = 8;
/// Undecided calls that one request may be a candidate for.
const MAX_SUITORS: usize = 512;
/// A candidate that is less likely than the best by so much (in nats) is none.
const HOPELESS: f32 = 25.0;
/// From this weight on (in nats) evidence tells who it was: so many candidates
/// are kept, should it be wrong.
const TOLD: f32 = 7.0;
const RIVALS: usize = 4;
/// Log-likelihood of a call by a request that timing was not asked about.
const UNGUESSED: f32 = -25.0;
/// Requests that a response may be foretold of, the latest active.
const MOST_FORETOLD: usize = 64;

/// What is known of the states met while a call was weighed.
type Outlooks<'a> = SmallVec<[(u64, Outlook<'a>); 8]>;

impl Owner {
    /// The likeliest causes of a call with this label, with the evidence.
    pub(super) fn weigh(
        &self,
        label: u64,
        now: Timestamp,
        said: &Said,
        desk: &mut Desk<'_>,
    ) -> SmallVec<[Link; 4]> {
        let late = self
            .leaving
            .iter()
            .rev()
            .take(MAX_LATE)
            .map(|(_, slot, _)| *slot);
        let late = late.filter(|slot| {
            let request = self.scene.requests.get(*slot);
            self.scene.open == 0 || request.is_some_and(|r| self.model.calls_late(r.position.state))
        });
        // Where evidence tells who it was, a few others do for comparison.
        let named = |weight: f32, cause: Option<u32>| cause.is_some() && weight >= TOLD;
        let told = said.causes.iter().any(|(cause, _, w)| named(*w, *cause));
        let weighed = if told {
            RIVALS
        } else {
            desk.config.max_weighed
        };
        let late = late.filter(|_| !told);
        let open = self.scene.recent().map(|(slot, _)| slot).take(weighed);
        let named = said.causes.iter().filter_map(|(cause, ..)| *cause);
        // Only those that evidence names may come twice.
        let mut slots: SmallVec<[u32; 32]> = SmallVec::new();
        for slot in named {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        let named = slots.len();
        for slot in open.chain(late) {
            if !slots[..named].contains(&slot) {
                slots.push(slot);
            }
        }
        if !told && self.scene.open as usize > weighed {
            desk.counters.candidates_skipped += 1;
        }
        let trust = self.scene.trust();
        let mut known: Outlooks<'_> = SmallVec::new();
        let mut links: SmallVec<[(f32, Link); 16]> = SmallVec::new();
        for slot in slots {
            let Some(request) = self.scene.requests.get(slot) else {
                continue;
            };
            let full = request.suitors.len() >= MAX_SUITORS;
            if full || !request.may_cause(now, desk.config.after_response) {
                continue;
            }
            let mut weights = Weights::default();
            for (_, method, weight) in said.causes.iter().filter(|(c, ..)| *c == Some(slot)) {
                weights.add(*method, *weight);
            }
            let guess = if desk.config.uses(Method::Timing) {
                self.chance(request.position, Next::Start(label), now, &mut known)
            } else {
                0.0
            };
            links.push((
                weights.total() + trust * guess,
                Link {
                    request: slot,
                    weights,
                    guess,
                },
            ));
        }
        let better = |a: &(f32, Link), b: &(f32, Link)| b.0.total_cmp(&a.0);
        let limit = desk.config.max_candidates;
        if links.len() > limit {
            links.select_nth_unstable_by(limit, better);
            links.truncate(limit);
        }
        links.sort_by(better);
        let best = links.first().map_or(0.0, |(score, _)| *score);
        links.retain(|(score, _)| *score > best - HOPELESS);
        links.into_iter().map(|(_, link)| link).collect()
    }

    /// Log-likelihood that a request does this now. What is known of a
    /// state is looked up once: many requests are in the same.
    fn chance<'a>(
        &'a self,
        from: Position,
        next: Next,
        now: Timestamp,
        known: &mut Outlooks<'a>,
    ) -> f32 {
        let step = Move {
            from,
            next,
            time: now,
            repeats: false,
        };
        if let Some((_, outlook)) = known.iter().find(|(state, _)| *state == from.state) {
            return outlook.score(&step);
        }
        let outlook = self.model.outlook(&from, step.next);
        if known.len() < known.inline_size() {
            known.push((from.state, outlook));
        }
        outlook.score(&step)
    }

    /// A response is about to be written: how far timing foretold whose it is.
    pub(super) fn foretell(&mut self, slot: u32, now: Timestamp) {
        let open = self.scene.requests.get(slot).is_some_and(Request::open);
        let threads = !self.scene.threads.is_empty();
        if threads && open && self.scene.open > 1 && self.scene.foresight.is_wanted() {
            let foretold = self.foretold(slot, now);
            let calls = self
                .scene
                .requests
                .get(slot)
                .map_or(0, |row| row.calls.len());
            let in_flight = self.scene.open;
            self.scene.foresight.responded(in_flight, calls, foretold);
        }
    }

    /// Probability, by timing, that what is written now is the response to this
    /// request and to no other open one.
    fn foretold(&self, slot: u32, now: Timestamp) -> f32 {
        let mut known: Outlooks<'_> = SmallVec::new();
        let mut score =
            |request: &Request| self.chance(request.position, Next::Respond, now, &mut known);
        let Some(own) = self.scene.requests.get(slot).map(&mut score) else {
            return 0.0;
        };
        let others = self.scene.recent().take(MOST_FORETOLD);
        let others = others.filter(|(other, _)| *other != slot);
        let against: f32 = others.map(|(_, row)| (score(row) - own).exp()).sum();
        1.0 / (1.0 + against)
    }

    /// A new call enters the game, with a provisional cause.
    pub(super) fn enter(
        &mut self,
        slot: u32,
        id: ExchangeId,
        deadline: Timestamp,
        desk: &mut Desk<'_>,
    ) {
        let Some(call) = self.scene.calls.get(slot) else {
            return;
        };
        for link in &call.links {
            if let Some(request) = self.scene.requests.get_mut(link.request) {
                request.suitors.push(slot);
            }
        }
        let follows = call.follows;
        if call.links.is_empty() {
            if follows.is_none() {
                // Nobody can have caused it, and nothing else hangs on it.
                self.settle(slot, &[Odds::NOBODY], desk);
            } else {
                self.decide(slot, desk);
            }
            return;
        }
        if let Some((other, _)) = follows
            && let Some(row) = self.scene.calls.get_mut(other)
        {
            row.followers.push(slot);
        }
        let timing = desk.config.uses(Method::Timing);
        let trust = self.scene.trust();
        let Some(call) = self.scene.calls.get(slot) else {
            return;
        };
        let followed = call
            .follows
            .and_then(|(other, weight)| Some((self.scene.calls.get(other)?.parent?, weight)));
        let mut best = (
            trust * solve::background(&self.model, timing, call.label) + call.none.total(),
            None,
        );
        for link in &call.links {
            let follows = followed.filter(|(cause, _)| *cause == link.request);
            let score = trust * link.guess
                + link.weights.total()
                + follows.map_or(0.0, |(_, weight)| weight);
            if score > best.0 {
                best = (score, Some(link.request));
            }
        }
        self.solver(desk.config).assign(slot, best.1);
        if let Some(cause) = best.1 {
            self.scene.touch(cause);
        }
        self.due.push_back((deadline, slot, id));
    }

    /// More speaks for a candidate than was known at the call.
    pub(super) fn add_weight(&mut self, call: u32, request: u32, method: Method, weight: f32) {
        let Some(row) = self.scene.calls.get_mut(call).filter(|call| !call.decided) else {
            return;
        };
        if let Some(link) = row.links.iter_mut().find(|link| link.request == request) {
            link.weights.add(method, weight);
            return;
        }
        let mut weights = Weights::default();
        weights.add(method, weight);
        if let Some(target) = self.scene.requests.get_mut(request)
            && target.started.time <= row.started.time
        {
            // Timing has no opinion of it: it is as likely as the likeliest.
            let guesses = row.links.iter().map(|link| link.guess);
            let guess = guesses.fold(f32::NEG_INFINITY, f32::max).max(UNGUESSED);
            row.links.push(Link {
                request,
                weights,
                guess,
            });
            target.suitors.push(call);
        }
    }

    /// Gives a call to a request that exact evidence names.
    pub(super) fn prefer(&mut self, call: u32, request: u32, weight: f32, config: &Config) {
        let linked = self.scene.calls.get(call).is_some_and(|row| {
            row.parent != Some(request) && row.links.iter().any(|link| link.request == request)
        });
        if linked && weight >= EXACT {
            self.solver(config).assign(call, Some(request));
        }
    }
}
