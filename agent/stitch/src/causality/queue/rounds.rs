//! Who made which call, where a loop reads several messages and then acts on them
//! in rounds (Python's `asyncio`).
//!
//! **The model of a loop.** Each message read resumes a task in the loop's next
//! round, in the order of the reads; what needs a task to be started or several to
//! end comes one or two rounds later, again in that order. Rounds do not show, but
//! what is read between the writes was read after at least one. So whoever acts
//! tells that those before it in the order let that round pass.
//!
//! **A hypothesis** says of each call whose it is, as for a queue. Its entries are
//! those who were told something: with the rounds that each has let pass
//! ([`entry`]), how many it takes is learnt by state ([`pace`]). A call, or a
//! response, is explained by an entry and a round ([`ways`]), at the cost of all who
//! would have acted before. Messages are looked at when the answers to earlier calls
//! were read and what follows them was written: where as many answers were read as
//! responses were written after them, they belong together in their order, mostly.

mod entries;
mod entry;
mod filter;
mod pace;
#[cfg(test)]
mod tests;
mod ways;

use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;

use self::filter::{Call, Filter};
use super::Message;
use super::labels::Labels;
use super::line::Recent;
use super::verdict::Verdict;
use super::word::Label;
use crate::time::Timestamp;

/// Calls whose causes are remembered.
const MAX_TOLD: usize = 4096;
/// Exchanges remembered.
const MAX_KNOWN: usize = 4096;

/// Messages that wait until what follows is known; and for how long.
const MAX_WAITING: usize = 256;
const LONGEST: Duration = Duration::from_secs(1);

/// The rounds of one loop.
#[derive(Debug)]
pub(super) struct Rounds {
    waiting: VecDeque<(Message, Timestamp)>,
    batch: Batch,
    labels: Labels,
    known: Recent<Known>,
    told: Recent<Verdict>,
    filter: Filter,
    /// Messages looked at before it was known what follows.
    hurried: u64,
}

/// What was read in a row, and what was answered after that.
#[derive(Debug, Default)]
struct Batch {
    requests: SmallVec<[u64; 4]>,
    answers: SmallVec<[u64; 4]>,
    responses: SmallVec<[u64; 4]>,
    wrote: bool,
}

/// What is known of an exchange.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    route: u64,
    label: Label,
    /// When its response was written or its answer read.
    ended: Option<Timestamp>,
    /// The request whose response followed the answer.
    anchor: Option<u64>,
}

impl Rounds {
    /// Nothing is known yet; `steps` are those that a call may cost on average.
    pub(super) fn new(steps: u32) -> Self {
        Self {
            waiting: VecDeque::new(),
            batch: Batch::default(),
            labels: Labels::default(),
            known: Recent::new(MAX_KNOWN),
            told: Recent::new(MAX_TOLD),
            filter: Filter::new(steps),
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
        let cut = std::mem::take(&mut self.filter.crowd.cut) + std::mem::take(&mut self.hurried);
        (cut, std::mem::take(&mut self.filter.entries.cleared))
    }

    /// What is known at once.
    fn note(&mut self, message: Message, at: Timestamp) {
        match message {
            Message::Request { id, route } => {
                self.read();
                self.batch.requests.push(id);
                self.entry(id).route = route;
            }
            Message::Call { id, asked, .. } => {
                self.batch.wrote = true;
                let label = self.labels.of(asked);
                self.entry(id).label = label;
            }
            Message::Answer { id } => {
                self.read();
                self.batch.answers.push(id);
                self.entry(id).ended = Some(at);
            }
            Message::Response { id } => {
                self.batch.wrote = true;
                if !self.batch.requests.contains(&id) {
                    self.batch.responses.push(id);
                }
                self.entry(id).ended = Some(at);
            }
        }
    }

    /// A message is read: what was read and written before is over, if anything
    /// was written.
    fn read(&mut self) {
        if !self.batch.wrote {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        if batch.answers.len() == batch.responses.len() {
            for (call, request) in batch.answers.iter().zip(&batch.responses) {
                self.entry(*call).anchor = Some(*request);
            }
        }
    }

    /// Whether a call was answered and what followed that is known.
    fn is_over(&self, call: u64) -> bool {
        let known = self.known.all.get(&call);
        !self.batch.answers.contains(&call) && known.is_none_or(|known| known.ended.is_some())
    }

    fn look(&mut self, message: Message, at: Timestamp) {
        match message {
            Message::Request { id, route } => self.filter.request(id, route, at),
            Message::Call { id, first, .. } => {
                let known = self.get(id);
                let call = Call {
                    id,
                    label: known.label,
                    first,
                    at,
                    anchor: known.anchor,
                };
                let others = &self.known;
                let contradicts = |who: u64| {
                    let ended = others.all.get(&who).and_then(|who| who.ended);
                    let between = |(who, end): (Timestamp, Timestamp)| at < who && who < end;
                    ended.zip(known.ended).is_some_and(between)
                };
                if let Some((call, verdict)) = self.filter.call(&call, contradicts) {
                    self.told.entry_or(call, || verdict);
                }
            }
            Message::Answer { id } => {
                let label = self.get(id).label;
                let known = &self.known;
                let route = |who: u64| known.all.get(&who).map_or(0, |known| known.route);
                self.filter.answer(id, label, at, route);
            }
            Message::Response { id } => self.filter.response(id, self.get(id).route, at),
        }
    }

    fn get(&self, id: u64) -> Known {
        self.known.all.get(&id).copied().unwrap_or_default()
    }

    fn entry(&mut self, id: u64) -> &mut Known {
        self.known.entry_or(id, Known::default)
    }
}
