//! One process: takes its acts, keeps its scene, decides its calls in time.

mod candidates;
mod decisions;
mod memory;
mod outsider;
mod turns;

use std::cell::Cell;
use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::causality::act::{Decision, ExchangeId, Features};
use crate::causality::adjacency::Kind;
use crate::causality::batch::Written;
use crate::causality::call::{Call, Weights};
use crate::causality::config::Config;
use crate::causality::coroutine;
use crate::causality::counters::Counters;
use crate::causality::effort::Effort;
use crate::causality::event_loop;
use crate::causality::evidence::{AT_CALL, AT_RESPONSE};
use crate::causality::model::Model;
use crate::causality::path::mix;
use crate::causality::queue::Message;
use crate::causality::request::Request;
use crate::causality::said::{Beginning, Said};
use crate::causality::scene::Scene;
use crate::causality::solve::{Paths, Solver};
use crate::event::{SocketId, Task};
use crate::exchange::{Moment, Role};
use crate::span::Method;
use crate::time::Timestamp;

/// One process.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) scene: Scene,
    pub(super) model: Model,
    effort: Effort,
    paths: Paths,
    /// Undecided calls, in the order of their deadlines.
    due: VecDeque<(Timestamp, u32, ExchangeId)>,
    /// Answered requests, in the order in which they may be forgotten.
    leaving: VecDeque<(Timestamp, u32, ExchangeId)>,
    /// Whether the process ever made a call.
    calls: bool,
    /// Threads in a turn of several reads, by when they wrote first.
    turns: VecDeque<(Timestamp, Task)>,
    undecided: usize,
    now: Timestamp,
}

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
            paths: Paths::default(),
            due: VecDeque::new(),
            leaving: VecDeque::new(),
            calls: false,
            turns: VecDeque::new(),
            undecided: 0,
            now,
        }
    }

    /// Time went on: decides and forgets what is due.
    pub(super) fn advance(&mut self, now: Timestamp, desk: &mut Desk<'_>) {
        if now > self.now {
            let (responded, open) = (self.scene.responded, self.scene.open > 0);
            self.model.learn_time(self.now, now, responded, open);
            self.now = now;
        }
        self.end_turns(now, desk);
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
        let turns = self.turns.front().map(|(time, _)| *time + turns::LONGEST);
        due.into_iter().chain(leaving).chain(turns).min()
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
        self.end_turn(at.task, desk);
        let message = Message::Request {
            id: id.0,
            route: features.route,
        };
        self.queue(message, at, desk.config);
        let slot = self.scene.add_request(Request::new(id, at, features));
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
        if !self.scene.ever_served() {
            return self.outsider_calls(id, at, socket, features, desk);
        }
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
        let moment = self.scene.moment(at.time);
        if self.scene.habits.served < 1.0 {
            // Which of them this thread will be is not known yet.
            self.model.learn_background(label(!serves), 1.0, true);
        }
        let label = label(serves);
        self.model.saw(label, moment);
        let links = self.weigh(label, at.time, &said, desk);
        let mut none = Weights::default();
        for (_, method, weight) in said.causes.iter().filter(|(cause, ..)| cause.is_none()) {
            none.add(*method, *weight);
        }
        // Threads that serve make a route's calls and a timer's alike.
        let moment = (!serves).then_some(moment);
        let call = Call {
            id,
            socket,
            callee: features.callee,
            connection: self.scene.connection(features),
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
            moment,
            rivals: self.scene.open,
            caller: None,
            decided: false,
        };
        let in_turn = self.scene.in_turn(at.task);
        if let Some((_, manner)) = call.after.filter(|_| !in_turn) {
            self.scene.adjacency.wrote(manner);
        }
        let message = Message::Call {
            id: id.0,
            asked,
            callee: features.callee,
            socket,
            first: features.first_on_socket,
            handed_on: call
                .after
                .is_some_and(|(_, manner)| manner.kind == Kind::HandedOn),
        };
        self.queue(message, at, desk.config);
        let weighed = !call.links.is_empty();
        let slot = self.scene.add_call(call);
        if weighed {
            self.solver(desk.config).weigh_cause(slot);
        }
        self.scene.calls(at, slot, id);
        self.wrote(at, Written::Call(slot, id));
        self.undecided += 1;
        self.enter(slot, id, at.time + desk.config.lag, desk);
        let caused = |call: &Call| call.id == id && call.parent.is_some();
        if self.scene.open == 0 && !self.scene.calls.get(slot).is_some_and(caused) {
            self.scene.calls_freely(at.task);
        }
        slot
    }

    /// A response's first piece was written.
    pub(super) fn responded(&mut self, slot: u32, at: Moment, desk: &mut Desk<'_>) {
        if self.calls && desk.config.uses(Method::Timing) {
            self.foretell(slot, at.time);
        }
        if !self.scene.respond(slot, at) {
            return;
        }
        if let Some(request) = self.scene.requests.get(slot) {
            let message = Message::Response { id: request.id.0 };
            self.queue(message, at, desk.config);
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
        // In a turn of several reads, more is known at its end.
        if !self.scene.in_turn(at.task)
            && desk.config.uses(Method::EventLoop)
            && let Some(cue) = self.scene.cue(at.task)
            && let Some((call, anchor)) = event_loop::anchor(&self.scene, slot, cue, at)
        {
            self.anchor(slot, call, anchor);
        }
        if let Some(id) = self.scene.requests.get(slot).map(|request| request.id) {
            self.wrote(at, Written::Response(slot, id));
        }
        if let Some(thread) = self.scene.thread(at.task) {
            thread.responded = Some(at.time);
            thread.calls.clear();
        }
        self.solver(desk.config).locate(slot);
        if let Some(request) = self.scene.requests.get(slot) {
            let until = at.time + desk.config.after_response;
            self.leaving.push_back((until, slot, request.id));
            self.scene.late.insert(request.id, slot);
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
    pub(super) fn answered(&mut self, slot: u32, at: Moment, desk: &mut Desk<'_>) {
        if self
            .scene
            .calls
            .get(slot)
            .is_none_or(|call| call.answered.is_some())
        {
            return;
        }
        self.end_turn(at.task, desk);
        if !self.scene.answer(slot, at) {
            return;
        }
        if let Some(call) = self.scene.calls.get(slot) {
            let message = Message::Answer { id: call.id.0 };
            self.queue(message, at, desk.config);
        }
        if let Some(parent) = self.scene.calls.get(slot).and_then(|call| call.parent) {
            self.scene.touch(parent);
            self.solver(desk.config).locate(parent);
        }
    }

    /// An outgoing exchange is over.
    pub(super) fn call_ended(&mut self, slot: u32, at: Moment, desk: &mut Desk<'_>) {
        self.answered(slot, at, desk);
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
        while let Some((_, task)) = self.turns.pop_front() {
            self.end_turn(task, desk);
        }
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

    fn queue(&mut self, message: Message, at: Moment, config: &Config) {
        if config.uses(Method::Queue) {
            let (cut, cleared) = self.scene.queues.add(message, at.task.tid, at.time);
            self.scene.limits.queues_cut += cut;
            self.scene.limits.tables_cleared += cleared;
        }
    }

    fn solver(&mut self, config: &Config) -> Solver<'_> {
        let trust = self.scene.trust();
        Solver {
            paths: None,
            ..self.searcher(trust, config)
        }
    }

    /// A solver that tries much, where timing is trusted so far. It remembers the
    /// paths that it walks, which hold until something is learnt or decided.
    fn searcher(&mut self, trust: f32, config: &Config) -> Solver<'_> {
        Solver {
            scene: &mut self.scene,
            model: &self.model,
            timing: config.uses(Method::Timing),
            trust,
            thorough: false,
            tries: Cell::new(0),
            effort: &self.effort,
            paths: Some(&self.paths),
        }
    }
}
