//! What threads did: what they read and wrote, whose answers they waited for, and
//! what that says of how the process treats its threads.

use smallvec::SmallVec;

use super::Scene;
use crate::causality::act::ExchangeId;
use crate::causality::batch::{Batch, Cue, Turn, Written};
use crate::event::{SocketId, Task};
use crate::exchange::Moment;
use crate::time::Timestamp;

/// Calls remembered of one thread: the latest.
const MAX_CALLS: usize = 16;
/// Requests and calls that habits are counted over.
const HABITS: f32 = 128.0;
/// Calls by threads that never serve, more than by those that do, from which a
/// process is taken to hand them over.
const OTHERS_CALL: f32 = 4.0;
/// All threads of a process, seen as one: no thread has this id.
const ALL: Task = Task {
    pid: 0,
    tid: u32::MAX,
    coroutine: 0,
    coroutine_parent: 0,
};
/// Threads and sockets remembered in one process.
const MAX_FACTS: usize = 65_536;

/// What a thread did.
#[derive(Clone, Debug, Default)]
pub(in crate::causality) struct Thread {
    /// What it read in a row, and wrote since.
    pub(in crate::causality) batch: Batch,
    /// Whether it ever read a request.
    pub(in crate::causality) reads_requests: bool,
    /// Open requests that it read.
    pub(in crate::causality) open: u32,
    /// The request that it read last.
    pub(in crate::causality) serves: Option<(u32, ExchangeId)>,
    /// When it last wrote a response.
    pub(in crate::causality) responded: Option<Timestamp>,
    /// The call it made last, while nothing else was done since.
    pub(in crate::causality) waits_for: Option<ExchangeId>,
    /// When it last did something else than to read an answer.
    pub(in crate::causality) latest: Timestamp,
    /// Calls it made while no request was open, and that none before it seemed to
    /// cause.
    pub(in crate::causality) free_calls: u32,
    /// Calls it made and has not been told a cause of yet.
    pub(in crate::causality) calls: SmallVec<[(u32, ExchangeId); 4]>,
}

/// Who opened a connection, and what that thread had read last.
#[derive(Clone, Debug)]
pub(in crate::causality) struct Opener {
    pub(in crate::causality) task: Task,
    pub(in crate::causality) after: Option<Cue>,
    pub(in crate::causality) at: Timestamp,
}

/// A message that a thread read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::causality) enum Read {
    /// A request.
    Request(u32, ExchangeId),
    /// The answer to a call.
    Answer(u32, ExchangeId),
    /// A request, which was answered then.
    Answered(u32, ExchangeId),
}

/// How a process treats its threads, as counts.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::causality) struct Habits {
    /// Requests read.
    pub(in crate::causality) served: f32,
    /// Requests read by a thread that had another one open.
    pub(in crate::causality) overlapped: f32,
    /// Calls whose answer was the next thing their thread dealt with.
    pub(in crate::causality) blocked: f32,
    /// Calls whose thread did something else before the answer, or whose
    /// answer another thread read.
    pub(in crate::causality) unblocked: f32,
    /// Calls by threads that serve, and by those that never did so far.
    pub(in crate::causality) own: f32,
    pub(in crate::causality) foreign: f32,
    /// Calls that nothing seemed to cause, by threads that serve.
    pub(in crate::causality) free: u32,
}

impl Habits {
    /// Halves counts that grew large: habits are those of late.
    pub(super) fn forget(&mut self) {
        if self.served > HABITS {
            self.served /= 2.0;
            self.overlapped /= 2.0;
        }
        if self.blocked + self.unblocked > HABITS {
            self.blocked /= 2.0;
            self.unblocked /= 2.0;
        }
        if self.own + self.foreign > HABITS {
            self.own /= 2.0;
            self.foreign /= 2.0;
        }
    }
}

impl Scene {
    /// What is known of the thread; `None` if its id is unknown.
    pub(in crate::causality) fn thread(&mut self, task: Task) -> Option<&mut Thread> {
        if task.tid == 0 {
            return None;
        }
        if self.threads.len() >= MAX_FACTS && !self.threads.contains_key(&task.tid) {
            self.threads.clear();
            self.limits.tables_cleared += 1;
        }
        Some(self.threads.entry(task.tid).or_default())
    }

    /// Whether the thread ever read or answered a request, or might yet: no
    /// thread did so far.
    pub(in crate::causality) fn serves(&self, task: Task) -> bool {
        let thread = self.threads.get(&task.tid);
        self.habits.served < 1.0
            || thread.is_some_and(|thread| thread.reads_requests || thread.responded.is_some())
    }

    /// The thread with which its reads and writes are seen. Where others make the
    /// calls than those who serve, and no more than one request is open, all threads
    /// are seen as one; among several it would not tell which is handed to whom.
    pub(in crate::causality) fn lane(&self, task: Task) -> Task {
        let others_call = self.habits.foreign > self.habits.own + OTHERS_CALL;
        if task.tid != 0 && self.open <= 1 && others_call {
            ALL
        } else {
            task
        }
    }

    /// The thread read a message.
    pub(in crate::causality) fn read(&mut self, at: Moment, what: Read) {
        let lane = self.lane(at.task);
        let Some(thread) = self.thread(lane) else {
            return;
        };
        for what in thread.batch.read(what, at.time) {
            self.leave(what);
        }
    }

    /// The thread made a call.
    pub(in crate::causality) fn calls(&mut self, at: Moment, slot: u32, id: ExchangeId) {
        self.did_something(at, Some(id));
        if self.serves(at.task) {
            self.habits.own += 1.0;
        } else if at.task.tid != 0 {
            self.habits.foreign += 1.0;
        }
        if let Some(thread) = self.thread(at.task) {
            if thread.calls.len() >= MAX_CALLS {
                thread.calls.remove(0);
            }
            thread.calls.push((slot, id));
        }
    }

    /// The thread made a call while no request was open, that none before it seemed
    /// to cause.
    pub(in crate::causality) fn calls_freely(&mut self, task: Task) {
        if let Some(thread) = self.thread(task) {
            thread.free_calls = thread.free_calls.saturating_add(1);
            let serves = u32::from(thread.reads_requests);
            self.habits.free = self.habits.free.saturating_add(serves);
        }
    }

    /// The answer to a call was read.
    pub(in crate::causality) fn answer(&mut self, slot: u32, at: Moment) -> bool {
        let Some(call) = self.calls.get_mut(slot).filter(|c| c.answered.is_none()) else {
            return false;
        };
        call.answered = Some(at.time);
        let (id, caller) = (call.id, call.started.task);
        self.pools.freed(call.callee);
        // On a connection older than the agent the first answer is told when the
        // next request proves whose it is: too late to say what came after what.
        if self.thread(at.task).is_some_and(|t| t.latest > at.time) {
            return true;
        }
        let thread = self.thread(caller);
        let waited = thread.is_some_and(|t| t.waits_for.take() == Some(id));
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
    pub(super) fn did_something(&mut self, at: Moment, waits_for: Option<ExchangeId>) {
        if let Some(thread) = self.thread(at.task) {
            thread.waits_for = waits_for;
            thread.latest = thread.latest.max(at.time);
        }
    }

    /// A task opened a connection.
    pub(in crate::causality) fn opened(&mut self, socket: SocketId, by: Moment) {
        if self.openers.len() >= MAX_FACTS {
            self.openers.clear();
            self.limits.tables_cleared += 1;
        }
        let opener = Opener {
            task: by.task,
            after: self.cue(by.task),
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

    /// Whether what this thread writes now belongs to one of several reads, so
    /// that more is known at the end of its turn.
    pub(in crate::causality) fn in_turn(&self, task: Task) -> bool {
        let thread = self.threads.get(&self.lane(task).tid);
        thread.is_some_and(|thread| thread.batch.is_turn())
    }

    /// When the thread wrote first in the turn that it is in.
    pub(in crate::causality) fn turn_began(&self, task: Task) -> Option<Timestamp> {
        self.threads.get(&self.lane(task).tid)?.batch.began()
    }

    /// The thread is about to read again, or was silent for long: its turn is over.
    pub(in crate::causality) fn end_turn(&mut self, task: Task) -> Option<Turn> {
        let lane = self.lane(task);
        let batch = &mut self.threads.get_mut(&lane.tid)?.batch;
        self.limits.turns_cut += u64::from(batch.is_cut());
        batch.end_turn()
    }

    /// A message was written. Whether a turn begins with it.
    pub(in crate::causality) fn wrote(&mut self, at: Moment, what: Written) -> bool {
        let lane = self.lane(at.task);
        let Self { threads, calls, .. } = self;
        let Some(thread) = threads.get_mut(&lane.tid) else {
            return false;
        };
        let socket = |slot: u32, id: ExchangeId| {
            let call = calls.get(slot).filter(|call| call.id == id);
            call.map(|call| call.socket)
        };
        let hands_on = match (what, thread.batch.last()) {
            (Written::Call(call, id), Some(Read::Answer(answered, other))) => {
                let call = socket(call, id);
                call.is_some() && call == socket(answered, other)
            }
            _ => false,
        };
        thread.batch.wrote(hands_on, what, at)
    }

    /// What a message written by this thread may belong to, as far as that is
    /// known still.
    pub(in crate::causality) fn cue(&self, task: Task) -> Option<Cue> {
        let cue = self.threads.get(&self.lane(task).tid)?.batch.cue()?;
        self.present(cue.what).map(|_| cue)
    }

    /// The message, if what it belongs to is not forgotten yet.
    pub(in crate::causality) fn present(&self, read: Read) -> Option<Read> {
        let present = match read {
            Read::Request(slot, id) | Read::Answered(slot, id) => self.requests.get(slot)?.id == id,
            Read::Answer(slot, id) => self.calls.get(slot)?.id == id,
        };
        present.then_some(read)
    }
}
