//! One process: takes its acts, keeps its scene, decides its calls in time.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;

use super::act::{Decision, ExchangeId, Features};
use super::belief;
use super::call::{Call, Link, Weights};
use super::confidence::{self, Odds};
use super::config::Config;
use super::coroutine;
use super::effort::Effort;
use super::event_loop;
use super::evidence::{AT_CALL, AT_RESPONSE, Beginning, EXACT, Said};
use super::model::{Model, Outlook};
use super::path::{Move, Next, Position, mix, walk};
use super::route;
use super::scene::{self, Scene};
use super::solve::{self, Solver};
use super::stage::Counters;
use crate::event::{SocketId, Task};
use crate::exchange::{Moment, Role};
use crate::span::Method;
use crate::time::Timestamp;

/// Answered requests that are weighed for a call after the response.
const MAX_LATE: usize = 8;
/// Undecided calls that one request may be a candidate for.
const MAX_SUITORS: usize = 512;
/// A call is decided earlier than its deadline, by up to this share of the lag,
/// where another one of its component is due.
const EARLY: f32 = 0.125;
/// A candidate that is less likely than the best by so much (in nats) is none.
const HOPELESS: f32 = 60.0;
/// From this weight on (in nats) evidence tells who it was: so many candidates
/// are kept, should it be wrong.
const TOLD: f32 = 7.0;
const RIVALS: usize = 4;
/// Log-likelihood of a call by a request that timing was not asked about.
const UNGUESSED: f32 = -25.0;
/// Score evaluations from which calls are searched for together, and of which
/// one call may be searched.
const SEARCH: u32 = 64;
const SEARCH_EACH: u32 = 16;
/// Calls kept with one request; the path looks at fewer.
const MAX_CALLS: usize = 64;
/// A path is learnt if every decision about it was right with this probability.
const LEAST_CERTAINTY: f32 = 0.3;

/// One process.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) scene: Scene,
    pub(super) model: Model,
    effort: Effort,
    /// Undecided calls, in the order of their deadlines.
    due: VecDeque<(Timestamp, u32, ExchangeId)>,
    /// Answered requests, in the order in which they may be forgotten.
    leaving: VecDeque<(Timestamp, u32, ExchangeId)>,
    /// Whether the process ever made a call.
    calls: bool,
    undecided: usize,
    now: Timestamp,
}

/// What is known of the states met while a call was weighed.
type Outlooks<'a> = SmallVec<[(u64, Outlook<'a>); 8]>;

/// What an owner's methods need from the stage.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) config: &'a Config,
    pub(super) counters: &'a mut Counters,
    /// Decisions made.
    pub(super) decisions: &'a mut VecDeque<Decision>,
    /// Exchanges forgotten.
    pub(super) gone: &'a mut Vec<ExchangeId>,
}

impl Owner {
    pub(super) fn new(model: Model, now: Timestamp, config: &Config) -> Self {
        Self {
            scene: Scene::default(),
            model,
            effort: Effort::full(config.effort),
            due: VecDeque::new(),
            leaving: VecDeque::new(),
            calls: false,
            undecided: 0,
            now,
        }
    }

    /// Time went on: decides and forgets what is due.
    pub(super) fn advance(&mut self, now: Timestamp, desk: &mut Desk<'_>) {
        if now > self.now {
            self.model.learn_time(self.now, now, self.scene.open == 0);
            self.now = now;
        }
        while let Some((_, call, id)) = self.due.pop_front_if(|(time, ..)| *time <= now) {
            if self.is_undecided(call, id) {
                self.decide_component(call, desk);
            }
        }
        while let Some((_, slot, id)) = self.leaving.pop_front_if(|(time, ..)| *time <= now) {
            let request = self.scene.requests.get(slot).filter(|r| r.id == id);
            if request.is_some_and(|request| request.suitors.is_empty()) {
                self.forget(slot, desk);
            }
        }
    }

    /// Whether the exchange is still in this row.
    pub(super) fn holds(&self, role: Role, slot: u32, id: ExchangeId) -> bool {
        match role {
            Role::Server => self
                .scene
                .requests
                .get(slot)
                .is_some_and(|row| row.id == id),
            Role::Client => self.scene.calls.get(slot).is_some_and(|row| row.id == id),
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let due = self.due.front().map(|(time, ..)| *time);
        let leaving = self.leaving.front().map(|(time, ..)| *time);
        due.into_iter().chain(leaving).min()
    }

    /// A request was read.
    pub(super) fn request_started(
        &mut self,
        id: ExchangeId,
        at: Moment,
        features: Features,
        desk: &mut Desk<'_>,
    ) -> u32 {
        if self.scene.requests.len() >= desk.config.max_requests {
            desk.counters.requests_evicted += 1;
            if let Some(slot) = self.first_leaving().or(self.scene.stalest()) {
                self.evict(slot, desk);
            }
        }
        let slot = self.scene.add_request(scene::request(id, at, features));
        if self.calls {
            self.solver(desk.config).locate(slot);
        }
        slot
    }

    /// A call was written.
    pub(super) fn call_started(
        &mut self,
        id: ExchangeId,
        at: Moment,
        socket: SocketId,
        features: &Features,
        desk: &mut Desk<'_>,
    ) -> u32 {
        if self.undecided >= desk.config.max_pending {
            desk.counters.decided_early += 1;
            self.decide_oldest(desk);
        }
        self.calls = true;
        self.effort.earn(desk.config.effort);
        let mut said = Said::default();
        for (_, kind) in AT_CALL
            .iter()
            .filter(|(method, _)| desk.config.uses(*method))
        {
            kind(
                &self.scene,
                Beginning {
                    at,
                    socket,
                    features,
                },
                &mut said,
            );
        }
        // Threads that serve make other calls than those that never do.
        let asked = mix(features.callee, features.route);
        let label = |serves: bool| mix(asked, u64::from(serves));
        let serves = self.scene.serves(at.task);
        if self.scene.habits.served < 1.0 {
            // Which of them this thread will be is not known yet.
            self.model.learn_background(label(!serves), 1.0, true);
        }
        let label = label(serves);
        let links = self.weigh(label, at.time, &said, desk);
        let mut none = Weights::default();
        for (_, method, weight) in said.causes.iter().filter(|(cause, ..)| cause.is_none()) {
            none.add(*method, *weight);
        }
        let call = Call {
            id,
            socket,
            label,
            started: at,
            answered: None,
            ended: false,
            links,
            none,
            parent: None,
            rank: 0,
            ready: at.time,
            search: 0,
            after: said.after,
            before: None,
            follows: said.follows,
            told: SmallVec::new(),
            sure: 0.0,
            followers: SmallVec::new(),
            rivals: self.scene.open,
            caller: None,
            decided: false,
        };
        if let Some((_, manner)) = call.after {
            self.scene.adjacency.wrote(manner);
        }
        let slot = self.scene.add_call(call);
        self.scene.calls(at, slot, id);
        self.scene.wrote(at, Some(socket), None);
        self.undecided += 1;
        self.enter(slot, id, at.time + desk.config.lag, desk);
        slot
    }

    /// A response's first piece was written.
    pub(super) fn responded(&mut self, slot: u32, at: Moment, desk: &mut Desk<'_>) {
        if !self.scene.respond(slot, at) {
            return;
        }
        if !self.calls {
            // Who never calls is nobody's cause: nothing to learn, nothing to keep.
            desk.gone
                .extend(self.scene.remove_request(slot).map(|request| request.id));
            return;
        }
        let mut said = Vec::new();
        for (method, kind) in AT_RESPONSE {
            if desk.config.uses(*method) {
                kind(&self.scene, slot, at, &mut said);
                for (call, weight) in said.drain(..) {
                    self.add_weight(call, slot, *method, weight);
                }
            }
        }
        event_loop::learn(&mut self.scene, slot, at);
        let id = self
            .scene
            .requests
            .get(slot)
            .map(|request| (slot, request.id));
        self.scene.wrote(at, None, id);
        if let Some(thread) = self.scene.thread(at.task) {
            thread.responded = Some(at.time);
            thread.calls.clear();
        }
        self.solver(desk.config).locate(slot);
        if let Some(request) = self.scene.requests.get(slot) {
            let until = at.time + desk.config.after_response;
            self.leaving.push_back((until, slot, request.id));
        }
        self.decide_sure(slot, desk);
        self.learn_if_settled(slot);
    }

    /// An incoming exchange is over.
    pub(super) fn request_ended(&mut self, slot: u32, at: Moment, desk: &mut Desk<'_>) {
        self.responded(slot, at, desk);
        if let Some(request) = self.scene.requests.get_mut(slot) {
            request.ended = true;
        }
    }

    /// The first piece of a call's answer was read.
    pub(super) fn answered(&mut self, slot: u32, at: Moment, config: &Config) {
        if !self.scene.answer(slot, at) {
            return;
        }
        if let Some(parent) = self.scene.calls.get(slot).and_then(|call| call.parent) {
            self.scene.touch(parent);
            self.solver(config).locate(parent);
        }
    }

    /// An outgoing exchange is over.
    pub(super) fn call_ended(&mut self, slot: u32, at: Moment, config: &Config) {
        self.answered(slot, at, config);
        if let Some(call) = self.scene.calls.get_mut(slot) {
            call.ended = true;
        }
    }

    /// A runtime's memory told who waits for a call's answer.
    pub(super) fn caller_is(&mut self, slot: u32, caller: Task, config: &Config) {
        if !config.uses(Method::Coroutine) {
            return;
        }
        let Some(call) = self.scene.calls.get_mut(slot).filter(|call| !call.decided) else {
            return;
        };
        call.caller = Some(caller);
        let call = call.clone();
        let mut said = Said::default();
        coroutine::at_caller(&self.scene, &call, &mut said);
        for (cause, method, weight) in said.causes {
            if let Some(cause) = cause {
                self.add_weight(slot, cause, method, weight);
                self.prefer(slot, cause, weight, config);
            }
        }
    }

    /// Decides everything that is left.
    pub(super) fn finish(&mut self, desk: &mut Desk<'_>) {
        while let Some((_, call, id)) = self.due.pop_front() {
            if self.is_undecided(call, id) {
                self.decide_component(call, desk);
            }
        }
        while let Some((_, slot, id)) = self.leaving.pop_front() {
            if self.scene.requests.get(slot).is_some_and(|r| r.id == id) {
                self.forget(slot, desk);
            }
        }
    }
}

/// Candidates.
impl Owner {
    /// The likeliest causes of a call with this label, with the evidence.
    fn weigh(
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
                self.chance(request.position, label, now, &mut known)
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

    /// Log-likelihood that a request makes this call now. What is known of a
    /// state is looked up once: many requests are in the same.
    fn chance<'a>(
        &'a self,
        from: Position,
        label: u64,
        now: Timestamp,
        known: &mut Outlooks<'a>,
    ) -> f32 {
        let step = Move {
            from,
            next: Next::Start(label),
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

    /// A new call enters the game, with a provisional cause.
    fn enter(&mut self, slot: u32, id: ExchangeId, deadline: Timestamp, desk: &mut Desk<'_>) {
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
            self.decide(slot, desk);
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
    fn add_weight(&mut self, call: u32, request: u32, method: Method, weight: f32) {
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
    fn prefer(&mut self, call: u32, request: u32, weight: f32, config: &Config) {
        let linked = self.scene.calls.get(call).is_some_and(|row| {
            row.parent != Some(request) && row.links.iter().any(|link| link.request == request)
        });
        if linked && weight >= EXACT {
            self.solver(config).assign(call, Some(request));
        }
    }
}

/// Decisions.
impl Owner {
    /// Decides a call together with those that compete with it, as far as all
    /// their candidates are answered. Odds are told before any of them is fixed:
    /// who is unsure which of two is right is unsure of both.
    fn decide_component(&mut self, call: u32, desk: &mut Desk<'_>) {
        if self.effort.left() < SEARCH {
            desk.counters.decided_greedily += 1;
            self.decide_greedily(call, desk);
            return;
        }
        let limit = (self.effort.left() / SEARCH_EACH) as usize;
        let limit = limit.clamp(1, desk.config.max_component);
        let crowded = self.undecided >= desk.config.max_pending;
        let mut solver = self.solver(desk.config);
        let calls = solver.component(call, limit);
        for call in &calls {
            event_loop::weigh_again(solver.scene, *call);
            if desk.config.uses(Method::Route) {
                route::weigh(solver.scene, *call);
            }
        }
        solver.refresh_all(&calls);
        solver.improve(&calls);
        desk.counters.largest_component = desk.counters.largest_component.max(calls.len() as u64);
        // Where the component was cut, its far end lacks its other neighbours.
        let whole = calls.len() < limit;
        let near = if whole { calls.len() } else { calls.len() / 2 };
        // Calls that will be due soon are decided too: looking at all again for
        // each of them would cost too much.
        let soon = self.now - desk.config.lag.mul_f32(1.0 - EARLY);
        let ripe = calls.iter().enumerate().filter(|(index, slot)| {
            let started = self.scene.calls.get(**slot).map(|row| row.started.time);
            let hurry = crowded && *index < calls.len().div_ceil(4);
            let due = hurry || started.is_some_and(|started| started <= soon);
            **slot == call || *index < near && (due || self.is_settled(**slot))
        });
        let ripe: Vec<u32> = ripe.map(|(_, slot)| *slot).collect();
        belief::propagate(&mut self.scene, &ripe);
        let mut solver = self.solver(desk.config);
        solver.thorough = true;
        let odds: Vec<_> = ripe
            .iter()
            .map(|slot| confidence::odds(&solver, *slot))
            .collect();
        for (slot, odds) in ripe.into_iter().zip(odds) {
            self.settle(slot, &odds, desk);
        }
    }

    /// Decides one call by what was known when it started and said since.
    fn decide_greedily(&mut self, call: u32, desk: &mut Desk<'_>) {
        belief::propagate(&mut self.scene, &[call]);
        let odds = confidence::greedy(&self.solver(desk.config), call);
        self.settle(call, &odds, desk);
    }

    fn is_settled(&self, call: u32) -> bool {
        self.scene.calls.get(call).is_some_and(|row| {
            let mut requests = row
                .links
                .iter()
                .filter_map(|l| self.scene.requests.get(l.request));
            requests.all(|request| !request.open())
        })
    }

    /// At a response: decides the calls of this request that are beyond doubt.
    fn decide_sure(&mut self, request: u32, desk: &mut Desk<'_>) {
        let Some(calls) = self.scene.requests.get(request).map(|r| r.calls.clone()) else {
            return;
        };
        for call in calls {
            let undecided = self.scene.calls.get(call).is_some_and(|row| !row.decided);
            if !undecided {
                continue;
            }
            let mut solver = self.solver(desk.config);
            if !solver.is_plain(call) {
                continue;
            }
            let alone = solver.is_alone(call);
            if alone {
                solver.refresh_all(&[call]);
            }
            belief::propagate(&mut self.scene, &[call]);
            let solver = self.solver(desk.config);
            let odds = if alone {
                confidence::odds(&solver, call)
            } else {
                confidence::greedy(&solver, call)
            };
            let best = odds.first().map(|best| (best.request, best.probability));
            if best.is_some_and(|(r, p)| r == Some(request) && p >= desk.config.sure) {
                self.settle(call, &odds, desk);
            }
        }
    }

    fn decide_oldest(&mut self, desk: &mut Desk<'_>) {
        while let Some((_, call, id)) = self.due.pop_front() {
            if self.is_undecided(call, id) {
                self.decide_component(call, desk);
                return;
            }
        }
    }

    fn decide(&mut self, call: u32, desk: &mut Desk<'_>) {
        self.solver(desk.config).refresh_all(&[call]);
        belief::propagate(&mut self.scene, &[call]);
        let odds = confidence::odds(&self.solver(desk.config), call);
        self.settle(call, &odds, desk);
    }

    /// Gives the decision on a call, once and for all.
    fn settle(&mut self, slot: u32, odds: &[Odds], desk: &mut Desk<'_>) {
        let best = odds.first().and_then(|best| best.request);
        let mut solver = self.solver(desk.config);
        let candidates = confidence::candidates(&solver, slot, odds);
        solver.assign(slot, best);
        let Some(row) = self.scene.calls.get_mut(slot) else {
            return;
        };
        row.decided = true;
        row.sure = odds.first().map_or(0.0, |best| best.probability);
        self.undecided -= 1;
        desk.counters.decisions += 1;
        desk.decisions.push_back(Decision {
            call: row.id,
            candidates,
        });
        let (label, idle) = (row.label, row.rivals == 0);
        if let Some(agreed) = confidence::audit(odds) {
            self.scene.audit.add(row.rivals, agreed);
        }
        let links: SmallVec<[u32; 8]> = row.links.iter().map(|link| link.request).collect();
        if let Some(best) = odds.first() {
            route::learn(&mut self.scene, label, best);
        }
        let chance = |request: Option<u32>| {
            let entry = odds.iter().find(|entry| entry.request == request);
            entry.map_or(0.0, |entry| entry.probability)
        };
        if best.is_none() {
            self.model
                .learn_background(label, chance(None).max(f32::from(u8::from(idle))), idle);
        }
        for request in &links {
            let right = if best == Some(*request) {
                chance(Some(*request))
            } else {
                1.0 - chance(Some(*request))
            };
            self.release(*request, slot, right, desk.config.after_response);
        }
        match best {
            Some(request) => self.trim(request, desk),
            None => self.drop_call(slot, desk),
        }
        if odds
            .first()
            .is_some_and(|best| best.probability >= desk.config.sure)
        {
            self.learn_order(slot, desk.config);
        }
        links
            .into_iter()
            .for_each(|request| self.learn_if_settled(request));
    }

    /// A decided call no longer binds one of its candidates; that this was right
    /// has the probability `right`.
    fn release(&mut self, request: u32, call: u32, right: f32, after_response: Duration) {
        let Some(row) = self.scene.requests.get_mut(request) else {
            return;
        };
        row.suitors.retain(|suitor| *suitor != call);
        row.certainty *= right;
        let overdue = row
            .responded
            .is_some_and(|at| at.time + after_response <= self.now);
        if row.suitors.is_empty() && overdue {
            self.leaving.push_front((self.now, request, row.id));
        }
    }

    fn is_undecided(&self, call: u32, id: ExchangeId) -> bool {
        let row = self.scene.calls.get(call);
        row.is_some_and(|row| row.id == id && !row.decided)
    }
}

/// Learning and forgetting.
impl Owner {
    /// Learns from a sure call whether calls of its kind keep their order: from
    /// pairs in which the gaps alone could not have told who is whose.
    fn learn_order(&mut self, call: u32, config: &Config) {
        let row = self.scene.calls.get(call);
        if row.is_none_or(|row| !self.model.wants_order(row.label, row.rank)) {
            return;
        }
        let pairs = self.solver(config).undecided_by_gaps(call);
        let label = self.scene.calls.get(call).map(|row| row.label);
        for in_order in pairs {
            if let Some(label) = label {
                self.model.learn_order(label, in_order);
            }
        }
    }

    /// Learns the path of an answered request once all about it is decided.
    fn learn_if_settled(&mut self, slot: u32) {
        let Some(request) = self.scene.requests.get_mut(slot) else {
            return;
        };
        if request.learnt || request.responded.is_none() || !request.suitors.is_empty() {
            return;
        }
        request.learnt = true;
        self.learn(slot, false);
    }

    /// Learns the part of a path before or after the response.
    fn learn(&mut self, slot: u32, late: bool) {
        let Some(request) = self.scene.requests.get(slot) else {
            return;
        };
        let weight = request.certainty;
        if weight < LEAST_CERTAINTY {
            return;
        }
        let rows = request
            .calls
            .iter()
            .filter_map(|call| self.scene.calls.get(*call));
        let steps: SmallVec<[_; 8]> = rows.map(Call::step).collect();
        let model = &mut self.model;
        walk(request.frame(), &steps, |step| {
            if step.from.responded == late {
                model.learn(&step, weight);
            }
        });
    }

    /// Learns what a request did after its response, and forgets it.
    fn forget(&mut self, slot: u32, desk: &mut Desk<'_>) {
        self.learn_if_settled(slot);
        self.learn(slot, true);
        let Some(request) = self.scene.remove_request(slot) else {
            return;
        };
        desk.gone.push(request.id);
        for call in request.calls {
            self.drop_call(call, desk);
        }
    }

    /// Forgets the first calls of a request that makes very many.
    fn trim(&mut self, request: u32, desk: &mut Desk<'_>) {
        let Some(row) = self.scene.requests.get_mut(request) else {
            return;
        };
        if row.calls.len() <= MAX_CALLS {
            return;
        }
        let first = row.calls[0];
        let done = self.scene.calls.get(first).is_some_and(|call| call.decided);
        if done {
            row.calls.remove(0);
            self.drop_call(first, desk);
        }
    }

    /// Takes the request that was answered first.
    fn first_leaving(&mut self) -> Option<u32> {
        while let Some((_, slot, id)) = self.leaving.pop_front() {
            if self.scene.requests.get(slot).is_some_and(|r| r.id == id) {
                return Some(slot);
            }
        }
        None
    }

    /// Forgets a request before its time.
    fn evict(&mut self, slot: u32, desk: &mut Desk<'_>) {
        let suitors = self.scene.requests.get(slot).map(|r| r.suitors.clone());
        for call in suitors.into_iter().flatten() {
            self.decide(call, desk);
        }
        self.forget(slot, desk);
    }

    fn drop_call(&mut self, slot: u32, desk: &mut Desk<'_>) {
        let Some(call) = self.scene.remove_call(slot) else {
            return;
        };
        desk.gone.push(call.id);
        for follower in call.followers {
            if let Some(row) = self.scene.calls.get_mut(follower) {
                row.follows = row.follows.filter(|(other, _)| *other != slot);
            }
        }
        let followed = call
            .follows
            .and_then(|(other, _)| self.scene.calls.get_mut(other));
        if let Some(row) = followed {
            row.followers.retain(|other| *other != slot);
        }
    }

    fn solver(&mut self, config: &Config) -> Solver<'_> {
        let trust = self.scene.trust();
        Solver {
            scene: &mut self.scene,
            model: &self.model,
            timing: config.uses(Method::Timing),
            trust,
            thorough: false,
            tries: Cell::new(0),
            effort: &self.effort,
        }
    }
}
