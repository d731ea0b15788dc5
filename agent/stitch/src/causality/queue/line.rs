//! What happens in a process that hands connections on, looked at a little later:
//! when the answers to calls were read, the response that follows at once tells
//! whose call that was.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use super::filter::Filter;
use super::labels::Labels;
use super::verdict::Verdict;
use super::word::Label;
use super::{Message, Written};
use crate::causality::pool::Pools;
use crate::event::SocketId;
use crate::time::Timestamp;

/// Messages that wait until what follows is known; and for how long.
const MAX_WAITING: usize = 256;
const LONGEST: Duration = Duration::from_secs(1);
/// A response follows an answer within this time.
const AT_ONCE: Duration = Duration::from_millis(5);
/// Calls whose causes are remembered.
const MAX_TOLD: usize = 4096;
/// Exchanges whose times are remembered.
const MAX_KNOWN: usize = 4096;
/// Callees told apart; the others are never waited for.
const MAX_CALLEES: usize = 62;

/// The calls that wait in one process.
#[derive(Debug)]
pub(super) struct Line {
    waiting: VecDeque<(Message, Timestamp)>,
    /// The answer read last.
    last: Option<(u64, Timestamp)>,
    known: Recent<Known>,
    labels: Labels,
    callees: HashMap<u64, u8>,
    pools: Pools,
    /// The connection whose answer the filter read last.
    freed: Option<SocketId>,
    filter: Filter,
    told: Recent<Verdict>,
    /// Messages looked at before it was known what follows.
    hurried: u64,
}

/// What is known of an exchange.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    route: u64,
    label: Label,
    callee: u64,
    socket: Option<SocketId>,
    /// When its response was written or its answer read.
    ended: Option<Timestamp>,
    /// The request whose response followed the answer.
    anchor: Option<u64>,
}

/// The last so many by number.
#[derive(Debug)]
pub(super) struct Recent<T> {
    most: usize,
    pub(super) all: HashMap<u64, T>,
    order: VecDeque<u64>,
}

impl Line {
    /// Nothing is known yet; `steps` are those that a call may cost on average.
    pub(super) fn new(steps: u32) -> Self {
        Self {
            waiting: VecDeque::new(),
            last: None,
            known: Recent::new(MAX_KNOWN),
            labels: Labels::default(),
            callees: HashMap::new(),
            pools: Pools::default(),
            freed: None,
            filter: Filter::new(steps),
            told: Recent::new(MAX_TOLD),
            hurried: 0,
        }
    }

    /// Something was read or written.
    pub(super) fn add(&mut self, message: Message, at: Timestamp) {
        self.note(message, at);
        self.waiting.push_back((message, at));
        while let Some((message, written)) = self.waiting.front().copied() {
            let full = self.waiting.len() > MAX_WAITING || written + LONGEST < at;
            let open = matches!(message, Message::Call { id, .. } if !self.is_over(id));
            if open && !full {
                break;
            }
            self.hurried += u64::from(open);
            self.waiting.pop_front();
            self.look(message, written);
        }
    }

    /// Who made a call; `None` if nothing is known of that.
    pub(super) fn verdict(&mut self, call: u64) -> Option<Verdict> {
        let told = self.told.all.get(&call).cloned();
        told.or_else(|| self.filter.verdict(call))
    }

    /// What was counted since it was last taken: looks cut short, tables cleared.
    pub(super) fn take_limits(&mut self) -> (u64, u64) {
        let cut = std::mem::take(&mut self.hurried) + std::mem::take(&mut self.filter.crowd.cut);
        (cut, std::mem::take(&mut self.filter.entries.cleared))
    }

    /// Entries and hypotheses.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.filter.entries.len(), self.filter.len())
    }

    /// What is known at once.
    fn note(&mut self, message: Message, at: Timestamp) {
        match message {
            Message::Request { id, route } => {
                self.last = None;
                self.known.entry(id).route = route;
            }
            Message::Call {
                id,
                asked,
                callee,
                socket,
                ..
            } => {
                let label = self.labels.of(asked);
                let known = self.known.entry(id);
                (known.label, known.callee) = (label, callee);
                known.socket = Some(socket);
            }
            Message::Answer { id } => {
                self.last = Some((id, at));
                self.known.entry(id).ended = Some(at);
            }
            Message::Response { id } => {
                let last = self.last.take_if(|(_, read)| at.since(*read) < AT_ONCE);
                if let Some((call, _)) = last {
                    self.known.entry(call).anchor = Some(id);
                }
                self.known.entry(id).ended = Some(at);
            }
        }
    }

    /// Whether a call was answered and what followed that is known.
    fn is_over(&self, call: u64) -> bool {
        let last = self.last.is_some_and(|(last, _)| last == call);
        let known = self.known.all.get(&call);
        !last && known.is_none_or(|known| known.ended.is_some())
    }

    fn look(&mut self, message: Message, at: Timestamp) {
        match message {
            Message::Request { id, route } => {
                self.filter.end_turn(self.free(), at);
                self.freed = None;
                self.filter.request(id, route, at);
            }
            Message::Answer { id } => {
                self.filter.end_turn(self.free(), at);
                let call = self.known.get(id);
                self.pools.freed(call.callee);
                self.freed = call.socket;
                let known = &self.known;
                let route = |who: u64| known.get(who).route;
                self.filter.answer(id, call.label, at, route);
            }
            Message::Response { id } => {
                self.filter.response(id, self.known.get(id).route, at);
            }
            Message::Call { id, first, .. } => self.call(id, first, at),
        }
    }

    fn call(&mut self, id: u64, first: bool, at: Timestamp) {
        let known = self.known.get(id);
        let full = self.pools.is_full_with_one_more(known.callee);
        let call = Written {
            id,
            label: known.label,
            callee: self.bit(known.callee),
            handed_on: full && known.socket.is_some() && self.freed == known.socket,
            new: first,
            at,
            anchor: known.anchor,
        };
        self.pools.called(known.callee);
        let others = &self.known;
        let contradicts = |who: u64| is_contradicted(others.get(who).ended, (at, known.ended));
        if let Some((call, verdict)) = self.filter.call(&call, contradicts) {
            self.told.entry_or(call, || verdict);
        }
    }

    /// The bit of a callee; 0 if there are too many.
    fn bit(&mut self, callee: u64) -> u64 {
        let next = self.callees.len() + 1;
        if next > MAX_CALLEES && !self.callees.contains_key(&callee) {
            return 0;
        }
        1 << *self.callees.entry(callee).or_insert(next as u8)
    }

    /// The callees that have free connections, as bits.
    fn free(&self) -> u64 {
        let callees = self.callees.iter();
        let free = callees.filter(|(callee, _)| !self.pools.is_full(**callee));
        free.map(|(_, bit)| 1 << bit).sum()
    }
}

/// Whether a response contradicts that its request waits for a call's answer:
/// whoever calls after the response waits for nothing.
fn is_contradicted(responded: Option<Timestamp>, call: (Timestamp, Option<Timestamp>)) -> bool {
    let (written, answered) = call;
    responded.is_some_and(|at| written < at && answered.is_some_and(|answered| at < answered))
}

impl<T> Recent<T> {
    /// None yet, of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            all: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// This one, made if it is not known.
    pub(super) fn entry_or(&mut self, id: u64, make: impl FnOnce() -> T) -> &mut T {
        if !self.all.contains_key(&id) {
            if self.order.len() >= self.most
                && let Some(oldest) = self.order.pop_front()
            {
                self.all.remove(&oldest);
            }
            self.order.push_back(id);
        }
        self.all.entry(id).or_insert_with(make)
    }
}

impl Recent<Known> {
    fn entry(&mut self, id: u64) -> &mut Known {
        self.entry_or(id, Known::default)
    }

    fn get(&self, id: u64) -> Known {
        self.all.get(&id).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_before_the_answer_contradicts_unless_the_call_came_later() {
        let at = |time| Some(Timestamp(time));
        let call = (Timestamp(10), at(20));
        assert!(is_contradicted(at(15), call));
        assert!(!is_contradicted(at(25), call), "it waited");
        assert!(!is_contradicted(at(5), call), "made after the response");
        assert!(!is_contradicted(None, call));
        assert!(!is_contradicted(at(15), (Timestamp(10), None)));
    }
}
