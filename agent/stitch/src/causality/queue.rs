//! Evidence: who waited for the connection that a call was handed.
//!
//! **The model of a pool.** A client opens so many connections to a callee. While
//! all are busy, who needs one waits in a queue; when an answer has been read, its
//! connection is handed to the head, in the same turn. The call written then
//! belongs to whoever waited longest, which is not whose answer was read. Where a
//! connection is free nobody waits, and a call is written in the turn in which it
//! is needed. So it is in Node's agent, with one thread.
//!
//! **A hypothesis.** Who waits is not seen, but what was read before is. What
//! requests of a route do next, given what they did and were told, is learnt
//! ([`words`]). A hypothesis says of each call whose it is; so it knows what each
//! request has done and been told ([`progress`]). Whoever was told something and
//! may do more is an [`entry`] in a line, in the order of what was read. A call on a
//! connection that was handed on tells that some entry wanted it and those before
//! did not: each [way](ways) to explain it goes on as a hypothesis of its own, and
//! calls, responses, and connections left free weigh them all ([`filter`]). A
//! response right after an answer tells whose that was: for that each call is
//! looked at when its answer is in ([`line`]). Whose the last calls were is kept as a
//! lattice ([`history`]), so that later messages correct what earlier ones said,
//! and what was done is learnt a few calls later, as likely as it is by then.
//!
//! **Who is lost.** Of a request that was read before all this began, or whose
//! entries a hypothesis used up for others, nothing is expected: it may do anything
//! until its response, or a call right before that, tells of it ([`unknown`]). So
//! what went astray is found again, one request after the other.
//!
//! **Rounds.** A loop that reads several messages before it acts on any does so in
//! their order, round by round, and hands no connections on. Who does what next is
//! learnt and weighed there in the same way; the order is another one, so it has
//! hypotheses of its own ([`rounds`]).
//!
//! **What is pruned.** The likeliest hypotheses go on, those too unlikely beside
//! the best do not, and those that agree on all that can still matter become one.
//! Entries end when nothing more is expected of them.
//!
//! **What it says** is its probability for each request, and for none of them, as
//! far as responses have borne out what was foretold as often as that was said to
//! be likely ([`verdict`]). Who hands connections on in another order is not
//! understood, and nothing is said of it.
//!
//! **What is bounded.** Of who hands hardly any connections on, or has several
//! threads, nothing is computed ([`gate`]); a few messages are kept, to begin
//! with. Work has a budget by calls ([`steps`]), a smaller one where nothing is
//! understood; what it does not cover, and calls looked at before their answers,
//! are counted as `queues_cut`. Tables that are full begin anew and are counted as
//! `tables_cleared`.

mod crowd;
mod deeds;
mod entries;
mod entry;
mod filter;
mod gate;
mod history;
mod hypothesis;
mod labels;
mod line;
mod open;
mod progress;
mod rounds;
mod steps;
#[cfg(test)]
mod tests;
mod times;
mod unknown;
mod verdict;
mod ways;
mod word;
mod words;

use std::collections::VecDeque;

use smallvec::SmallVec;

use self::gate::Gate;
use self::line::Line;
use self::rounds::Rounds;
use self::verdict::Verdict;
use self::word::Label;
use super::act::ExchangeId;
use super::scene::Scene;
use crate::event::SocketId;
use crate::span::Method;
use crate::time::Timestamp;

/// The most that the queue may say (in nats).
const MOST: f32 = 7.0;

/// Probability from which a request is a candidate because the queue names it.
const WORTH_NAMING: f32 = 0.05;

/// Messages kept of a process before it is known to hand connections on.
const MAX_BEFORE: usize = 256;

/// One message of a process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message {
    /// A request was read.
    Request { id: u64, route: u64 },
    /// A call was written.
    Call {
        id: u64,
        asked: u64,
        callee: u64,
        socket: SocketId,
        /// Whether it is the first on its connection.
        first: bool,
        /// Whether its connection was handed on to it: the answer read last came
        /// there, while all others to the callee were busy.
        handed_on: bool,
    },
    /// The answer to a call was read.
    Answer { id: u64 },
    /// A response was written.
    Response { id: u64 },
}

/// A call that was written, and what followed.
#[derive(Clone, Copy, Debug)]
struct Written {
    id: u64,
    label: Label,
    /// Bit of who is asked.
    callee: u64,
    /// Whether the connection came from an answer read just before, with all others
    /// busy; or is a new one.
    handed_on: bool,
    new: bool,
    at: Timestamp,
    /// The request whose response follows the call's answer.
    anchor: Option<u64>,
}

/// The queues of one process.
#[derive(Debug, Default)]
pub(super) struct Queues {
    gate: Gate,
    /// The last messages before that was known: who was there first is told by
    /// what came first.
    before: VecDeque<(Message, Timestamp)>,
    /// Those who wait, where connections are handed on.
    line: Option<Box<Line>>,
    /// Whether calls are written after several messages were read, and how many
    /// were since something was written.
    crowd: Gate,
    reads: u32,
    wrote: bool,
    /// Requests that are not answered.
    open: u32,
    rounds: Option<Box<Rounds>>,
}

impl Written {
    /// Whether who made it waited, perhaps.
    fn waited(&self) -> bool {
        self.handed_on || self.new
    }
}

impl Queues {
    /// Something was read or written by this thread. What was counted of limits:
    /// looks that were cut short, and tables cleared.
    pub(super) fn add(&mut self, message: Message, thread: u32, at: Timestamp) -> (u64, u64) {
        self.gate.acts(thread);
        self.crowd.acts(thread);
        self.count(message);
        let (line, rounds) = (self.gate.is_open(), self.crowd.is_open());
        if !line {
            self.line = None;
            self.keep(message, at);
        }
        if line || !rounds {
            self.rounds = None;
        }
        if line {
            let line = self.line.get_or_insert_with(|| {
                let mut line = Box::new(Line::new(steps::EACH));
                for (message, at) in self.before.drain(..) {
                    line.add(message, at);
                }
                line
            });
            line.add(message, at);
            line.take_limits()
        } else if rounds {
            let new = || Box::new(Rounds::new(steps::EACH));
            let rounds = self.rounds.get_or_insert_with(new);
            rounds.add(message, at);
            rounds.take_limits()
        } else {
            (0, 0)
        }
    }

    /// Who made a call, if anything can be said of it.
    fn verdict(&mut self, call: ExchangeId) -> Option<Verdict> {
        let verdict = match (&mut self.line, &mut self.rounds) {
            (Some(line), _) => line.verdict(call.0),
            (None, Some(rounds)) => rounds.verdict(call.0),
            (None, None) => None,
        };
        verdict.filter(|verdict| !verdict.is_silent())
    }

    fn read(&mut self) {
        let before = if self.wrote { 0 } else { self.reads };
        self.reads = before.saturating_add(1);
        self.wrote = false;
    }

    /// Counts what opens the gates.
    fn count(&mut self, message: Message) {
        match message {
            Message::Request { .. } => {
                self.open = self.open.saturating_add(1);
                self.read();
            }
            Message::Answer { .. } => self.read(),
            Message::Call { handed_on, .. } => {
                self.gate.calls(handed_on);
                self.crowd.calls(self.reads > 1 && self.open > 1);
                self.wrote = true;
            }
            Message::Response { .. } => {
                self.gate.responds();
                self.open = self.open.saturating_sub(1);
                self.wrote = true;
            }
        }
    }

    /// Keeps a message for when the gate opens, if it may.
    fn keep(&mut self, message: Message, at: Timestamp) {
        if !self.gate.may_open() {
            self.before = VecDeque::new();
            return;
        }
        if self.before.len() >= MAX_BEFORE {
            self.before.pop_front();
        }
        self.before.push_back((message, at));
    }
}

/// What the queue says of an undecided call, if anything.
pub(super) fn verdict(scene: &mut Scene, slot: u32) -> Option<Verdict> {
    let call = scene.calls.get(slot).filter(|call| !call.decided)?;
    scene.queues.verdict(call.id)
}

/// Requests that the queue names for a call, and that nobody thought of when it was
/// written: they were answered while it waited.
pub(super) fn unthought_of(scene: &Scene, slot: u32, verdict: &Verdict) -> SmallVec<[u32; 2]> {
    let Some(call) = scene.calls.get(slot) else {
        return SmallVec::new();
    };
    let late = verdict
        .named(WORTH_NAMING)
        .filter_map(|who| scene.late.get(&ExchangeId(who)).copied());
    late.filter(|request| call.links.iter().all(|link| link.request != *request))
        .collect()
}

/// Brings what the queue says of a call's candidates up to date.
pub(super) fn weigh(scene: &mut Scene, slot: u32, verdict: &Verdict) {
    let Some(call) = scene.calls.get_mut(slot) else {
        return;
    };
    let others = call.links.len();
    call.none
        .set(Method::Queue, verdict.weight(None, others, MOST));
    for link in &mut call.links {
        if let Some(request) = scene.requests.get(link.request) {
            let weight = verdict.weight(Some(request.id.0), others, MOST);
            link.weights.set(Method::Queue, weight);
        }
    }
}
