//! The facts of one process: its requests, its calls, its threads, and who can
//! be found by what. Facts only; what they are worth is the evidence's matter.

use std::collections::VecDeque;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::act::{ExchangeId, Features};
use super::adjacency::Adjacency;
use super::affinity::Affinity;
use super::audit::Audit;
use super::batch::{Batch, Cue};
use super::call::Call;
use super::pool::Pool;
use super::request::Request;
use super::slab::Slab;
use crate::event::{SocketId, Task};
use crate::exchange::Moment;
use crate::span::TraceId;
use crate::time::Timestamp;

/// Requests remembered under one trace id, request id or token: the latest.
const MAX_SHARED: usize = 16;
/// Requests and calls that habits are counted over.
const HABITS: f32 = 128.0;
/// Threads and sockets remembered in one process.
const MAX_FACTS: usize = 65_536;

/// The facts of one process.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) requests: Slab<Request>,
    pub(super) calls: Slab<Call>,
    /// Threads by id.
    pub(super) threads: HashMap<u32, Thread>,
    /// Requests by the trace that their headers name.
    pub(super) traces: Index<TraceId>,
    /// Requests by the request ids that they carry.
    pub(super) request_ids: Index<u64>,
    /// Requests by distinctive tokens.
    pub(super) tokens: Index<u64>,
    /// Requests by the runtime task that reads them.
    pub(super) coroutines: Index<u64>,
    /// The connections to each callee.
    pub(super) pools: HashMap<u64, Pool>,
    /// Who opened a connection.
    pub(super) openers: HashMap<SocketId, Opener>,
    /// How often what threads write belongs to what they read last.
    pub(super) adjacency: Adjacency,
    /// Which routes make which calls.
    pub(super) affinity: Affinity,
    /// How often timing alone agreed with what was sure.
    pub(super) audit: Audit,
    /// Requests whose response was not written yet.
    pub(super) open: u32,
    /// Calls by kind, in the order of their starts.
    pub(super) kin: HashMap<u64, Kin>,
    /// How the process treats its threads.
    pub(super) habits: Habits,
    /// Components searched for so far.
    pub(super) searches: u32,
    newest: Option<u32>,
    oldest: Option<u32>,
}

/// Calls of one kind, in the order of their starts.
#[derive(Debug, Default)]
pub(super) struct Kin {
    first: u64,
    calls: VecDeque<Option<u32>>,
}

impl Kin {
    /// Calls up to `reach` places from the one with this rank.
    pub(super) fn near(&self, rank: u64, reach: u64) -> impl Iterator<Item = u32> {
        let low = rank.saturating_sub(reach).max(self.first);
        (low..=rank + reach)
            .filter(move |other| *other != rank)
            .filter_map(|other| *self.calls.get((other - self.first) as usize)?)
    }
}

/// What a thread did.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    /// What it read in a row, and wrote since.
    pub(super) batch: Batch,
    /// Whether it ever read a request.
    pub(super) reads_requests: bool,
    /// Open requests that it read.
    pub(super) open: u32,
    /// The request that it read last.
    pub(super) serves: Option<(u32, ExchangeId)>,
    /// When it last wrote a response.
    pub(super) responded: Option<Timestamp>,
    /// The call it made last, while nothing else was done since.
    pub(super) waits_for: Option<ExchangeId>,
    /// Calls it made while no request was open.
    pub(super) idle_calls: u32,
    /// Calls it made and has not been told a cause of yet.
    pub(super) calls: SmallVec<[(u32, ExchangeId); 4]>,
}

/// Who opened a connection, and what that thread had read last.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    pub(super) task: Task,
    pub(super) after: SmallVec<[Cue; 2]>,
    pub(super) at: Timestamp,
}

/// A message that a thread read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A request.
    Request(u32, ExchangeId),
    /// The answer to a call.
    Answer(u32, ExchangeId),
    /// A request, which was answered then.
    Answered(u32, ExchangeId),
}

/// How a process treats its threads, as counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// Requests read.
    pub(super) served: f32,
    /// Requests read by a thread that had another one open.
    pub(super) overlapped: f32,
    /// Calls whose answer was the next thing their thread dealt with.
    pub(super) blocked: f32,
    /// Calls whose thread did something else before the answer, or whose
    /// answer another thread read.
    pub(super) unblocked: f32,
}

impl Habits {
    /// Halves counts that grew large: habits are those of late.
    fn forget(&mut self) {
        if self.served > HABITS {
            self.served /= 2.0;
            self.overlapped /= 2.0;
        }
        if self.blocked + self.unblocked > HABITS {
            self.blocked /= 2.0;
            self.unblocked /= 2.0;
        }
    }
}

/// Numbers of requests by a key that several may share.
#[derive(Debug)]
pub(super) struct Index<K>(HashMap<K, SmallVec<[u32; 2]>>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: std::hash::Hash + Eq> Index<K> {
    /// Requests under a key, the earliest first.
    pub(super) fn under(&self, key: &K) -> &[u32] {
        self.0.get(key).map_or(&[], |slots| slots.as_slice())
    }

    fn insert(&mut self, key: K, slot: u32) {
        let slots = self.0.entry(key).or_default();
        if slots.len() >= MAX_SHARED {
            slots.remove(0);
        }
        slots.push(slot);
    }

    fn remove(&mut self, key: &K, slot: u32) {
        if let Some(slots) = self.0.get_mut(key) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.0.remove(key);
            }
        }
    }
}

/// Requests.
impl Scene {
    /// A request was read.
    pub(super) fn add_request(&mut self, request: Request) -> u32 {
        self.open += 1;
        let (id, at) = (request.id, request.started);
        let (trace_id, coroutine) = (request.trace_id, at.task.coroutine);
        let (request_ids, tokens) = (request.shared_ids.clone(), request.tokens.clone());
        let slot = self.requests.insert(request);
        self.link_newest(slot);
        if let Some(trace_id) = trace_id {
            self.traces.insert(trace_id, slot);
        }
        request_ids
            .iter()
            .for_each(|id| self.request_ids.insert(*id, slot));
        tokens
            .iter()
            .for_each(|token| self.tokens.insert(*token, slot));
        if coroutine != 0 {
            self.coroutines.insert(coroutine, slot);
        }
        self.habits.served += 1.0;
        let overlaps = self.thread(at.task).is_some_and(|thread| {
            thread.reads_requests = true;
            thread.open += 1;
            thread.serves = Some((slot, id));
            thread.open > 1
        });
        if overlaps {
            self.habits.overlapped += 1.0;
        }
        self.habits.forget();
        self.did_something(at.task, None);
        self.read(at, Read::Request(slot, id));
        slot
    }

    /// How far timing is trusted against other evidence: wholly where threads
    /// are unknown, since nothing else is there to decide.
    pub(super) fn trust(&self) -> f32 {
        if self.threads.is_empty() {
            1.0
        } else {
            self.audit.trust(self.open)
        }
    }

    /// A request's response was written. `false` if that was known already.
    pub(super) fn respond(&mut self, slot: u32, at: Moment) -> bool {
        let Some(request) = self
            .requests
            .get_mut(slot)
            .filter(|r| r.responded.is_none())
        else {
            return false;
        };
        request.responded = Some(at);
        let reader = request.started.task;
        self.open -= 1;
        if let Some(thread) = self.thread(reader) {
            thread.open = thread.open.saturating_sub(1);
        }
        self.did_something(at.task, None);
        self.unlink(slot);
        true
    }

    /// Forgets a request.
    pub(super) fn remove_request(&mut self, slot: u32) -> Option<Request> {
        let now = self.requests.get(slot)?.started;
        self.respond(slot, now);
        let request = self.requests.remove(slot)?;
        if let Some(trace_id) = &request.trace_id {
            self.traces.remove(trace_id, slot);
        }
        request
            .shared_ids
            .iter()
            .for_each(|id| self.request_ids.remove(id, slot));
        request
            .tokens
            .iter()
            .for_each(|token| self.tokens.remove(token, slot));
        self.coroutines
            .remove(&request.started.task.coroutine, slot);
        Some(request)
    }

    /// Open requests, the latest active first.
    pub(super) fn recent(&self) -> impl Iterator<Item = (u32, &Request)> {
        let mut next = self.newest;
        std::iter::from_fn(move || {
            let slot = next?;
            let request = self.requests.get(slot)?;
            next = request.older;
            Some((slot, request))
        })
    }

    /// The open request that was not active for longest.
    pub(super) fn stalest(&self) -> Option<u32> {
        self.oldest
    }

    /// A request was active: if open, it comes first in [`Scene::recent`].
    pub(super) fn touch(&mut self, slot: u32) {
        if self
            .requests
            .get(slot)
            .is_some_and(|r| r.responded.is_none())
        {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let older = self.newest.replace(slot);
        if let Some(request) = self.requests.get_mut(slot) {
            (request.newer, request.older) = (None, older);
        }
        match older.and_then(|older| self.requests.get_mut(older)) {
            Some(older) => older.newer = Some(slot),
            None => self.oldest = Some(slot),
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(request) = self.requests.get(slot) else {
            return;
        };
        let (newer, older) = (request.newer, request.older);
        match newer.and_then(|newer| self.requests.get_mut(newer)) {
            Some(request) => request.older = older,
            None => self.newest = older,
        }
        match older.and_then(|older| self.requests.get_mut(older)) {
            Some(request) => request.newer = newer,
            None => self.oldest = newer,
        }
    }
}

/// Calls.
impl Scene {
    /// A call was written. Its rank among its kind is given here.
    pub(super) fn add_call(&mut self, mut call: Call) -> u32 {
        if self.pools.len() >= MAX_FACTS && !self.pools.contains_key(&call.callee) {
            self.pools.clear();
        }
        self.pools.entry(call.callee).or_default().called();
        let kin = self.kin.entry(call.label).or_default();
        call.rank = kin.first + kin.calls.len() as u64;
        let slot = self.calls.insert(call);
        kin.calls.push_back(Some(slot));
        slot
    }

    /// A call to this callee is over, or as good as.
    fn free(&mut self, callee: u64) {
        if let Some(pool) = self.pools.get_mut(&callee) {
            pool.freed();
        }
    }

    /// Forgets a call.
    pub(super) fn remove_call(&mut self, slot: u32) -> Option<Call> {
        let call = self.calls.remove(slot)?;
        if call.answered.is_none() {
            self.free(call.callee);
        }
        if let Some(kin) = self.kin.get_mut(&call.label) {
            if let Some(place) = kin.calls.get_mut((call.rank - kin.first) as usize) {
                *place = None;
            }
            while kin.calls.pop_front_if(|place| place.is_none()).is_some() {
                kin.first += 1;
            }
            if kin.calls.is_empty() {
                self.kin.remove(&call.label);
            }
        }
        Some(call)
    }
}

/// Threads.
impl Scene {
    /// What is known of the thread; `None` if its id is unknown.
    pub(super) fn thread(&mut self, task: Task) -> Option<&mut Thread> {
        if task.tid == 0 {
            return None;
        }
        if self.threads.len() >= MAX_FACTS && !self.threads.contains_key(&task.tid) {
            self.threads.clear();
        }
        Some(self.threads.entry(task.tid).or_default())
    }

    /// Whether the thread ever read or answered a request, or might yet: no
    /// thread did so far.
    pub(super) fn serves(&self, task: Task) -> bool {
        let thread = self.threads.get(&task.tid);
        self.habits.served < 1.0
            || thread.is_some_and(|thread| thread.reads_requests || thread.responded.is_some())
    }

    /// The thread read a message.
    pub(super) fn read(&mut self, at: Moment, what: Read) {
        let Some(thread) = self.thread(at.task) else {
            return;
        };
        for what in thread.batch.read(what, at.time) {
            self.leave(what);
        }
    }

    /// The thread made a call.
    pub(super) fn calls(&mut self, at: Moment, slot: u32, id: ExchangeId) {
        self.did_something(at.task, Some(id));
        let idle = self.open == 0;
        if let Some(thread) = self.thread(at.task) {
            thread.idle_calls += u32::from(idle);
            if thread.calls.len() >= MAX_SHARED {
                thread.calls.remove(0);
            }
            thread.calls.push((slot, id));
        }
    }

    /// The answer to a call was read.
    pub(super) fn answer(&mut self, slot: u32, at: Moment) -> bool {
        let Some(call) = self.calls.get_mut(slot).filter(|c| c.answered.is_none()) else {
            return false;
        };
        call.answered = Some(at.time);
        let (id, caller, callee) = (call.id, call.started.task, call.callee);
        self.free(callee);
        let waited = self
            .thread(caller)
            .is_some_and(|t| t.waits_for.take() == Some(id));
        if caller.tid != 0 && at.task.tid != 0 {
            if waited && caller.tid == at.task.tid {
                self.habits.blocked += 1.0;
            } else {
                self.habits.unblocked += 1.0;
            }
        }
        self.read(at, Read::Answer(slot, id));
        true
    }

    /// The thread did something else than to read the answer it waits for.
    fn did_something(&mut self, task: Task, waits_for: Option<ExchangeId>) {
        if let Some(thread) = self.thread(task) {
            thread.waits_for = waits_for;
        }
    }

    /// A task opened a connection.
    pub(super) fn opened(&mut self, socket: SocketId, by: Moment) {
        if self.openers.len() >= MAX_FACTS {
            self.openers.clear();
        }
        let opener = Opener {
            task: by.task,
            after: self.cues(by.task),
            at: by.time,
        };
        self.openers.insert(socket, opener);
    }

    /// The thread goes on from what it read: whether that was an answer which a
    /// response followed is known now.
    fn leave(&mut self, what: Read) {
        if let Some(Read::Answer(slot, _)) = self.present(what)
            && let Some(call) = self.calls.get(slot)
            && let Some((_, manner)) = call.after
        {
            self.adjacency.learn_end(manner, call.before.is_some());
        }
    }

    /// A message was written: a call on this socket, or the response to a request.
    pub(super) fn wrote(
        &mut self,
        at: Moment,
        call: Option<SocketId>,
        response: Option<(u32, ExchangeId)>,
    ) {
        let last = |thread: &Thread| thread.batch.last();
        let last = self.threads.get(&at.task.tid).and_then(last);
        let answered = match last.and_then(|read| self.present(read)) {
            Some(Read::Answer(slot, _)) => self.calls.get(slot).map(|call| call.socket),
            _ => None,
        };
        let hands_on = call.is_some() && call == answered;
        if let Some(thread) = self.thread(at.task) {
            let response = response.map(|(slot, id)| (slot, id, at.time));
            thread.batch.wrote(hands_on, response);
        }
    }

    /// What a message written by this thread may belong to, as far as that is
    /// known still.
    pub(super) fn cues(&self, task: Task) -> SmallVec<[Cue; 2]> {
        let thread = self.threads.get(&task.tid);
        let cues = thread.map(|thread| thread.batch.cues());
        let mut cues = cues.unwrap_or_default();
        cues.retain(|cue| self.present(cue.what).is_some());
        cues
    }

    /// The message, if what it belongs to is not forgotten yet.
    pub(super) fn present(&self, read: Read) -> Option<Read> {
        let present = match read {
            Read::Request(slot, id) | Read::Answered(slot, id) => self.requests.get(slot)?.id == id,
            Read::Answer(slot, id) => self.calls.get(slot)?.id == id,
        };
        present.then_some(read)
    }
}

/// The indexes a request enters.
pub(super) fn request(id: ExchangeId, at: Moment, features: Features) -> Request {
    let frame = super::path::Frame {
        route: features.route,
        started: at.time,
        responded: None,
    };
    Request {
        id,
        route: features.route,
        started: at,
        responded: None,
        ended: false,
        trace_id: features.trace_id,
        shared_ids: features.request_ids,
        tokens: features.tokens,
        calls: SmallVec::new(),
        suitors: SmallVec::new(),
        likelihood: 0.0,
        position: super::path::walk(frame, &[], |_| ()),
        certainty: 1.0,
        learnt: false,
        newer: None,
        older: None,
    }
}
