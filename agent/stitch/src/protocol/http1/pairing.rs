//! Finds the response to each request of a connection.
//!
//! Responses come in the order of their requests (RFC 9112 section 9.3.2), so
//! pairing is counting: exact while every message of both directions was seen
//! to begin. Where some may have gone by unseen, the queue is [`loose`].

mod loose;
mod slots;

use std::collections::VecDeque;

use crate::exchange::{Anomaly, CaptureMarks, Exchange, Outcome, Progress, Step};
use crate::protocol::Counters;

use self::loose::Loose;
use self::slots::{Slot, Slots};
use super::exchanges::End;

pub use self::loose::Answer;

/// The requests of a connection that wait for their responses.
#[derive(Debug, Default)]
pub struct Queue {
    slots: Slots,
    loose: Option<Box<Loose>>,
    /// Pairing was once not by counting.
    was_loose: bool,
    /// Whether the client waits for each response before its next request: up
    /// with each request that did, far down with each that did not.
    patience: i8,
    out: VecDeque<Progress>,
}

/// A request that waits for its response.
#[derive(Debug)]
pub struct Pending {
    /// Its number on the connection.
    pub ordinal: u64,
    /// What is known so far.
    pub exchange: Box<Exchange>,
    /// The request has ended.
    pub sent: bool,
    /// Its final response has begun.
    pub taken: bool,
    /// Its final response has ended.
    pub answered: bool,
}

/// Where a final response goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the request in front, for certain.
    Front,
    /// To a request that has not been proven yet.
    Floating,
    /// To a request that was evicted, and that was `HEAD` or not.
    Evicted {
        /// Whether it was `HEAD`.
        bodiless: bool,
    },
    /// To none that was seen.
    Unmatched,
}

/// A client with so much patience is believed to wait for each response. One
/// that is met in the middle of a connection is, too, until it shows otherwise.
const PATIENT: i8 = 4;

const MOST_PATIENT: i8 = 8;

/// What a request costs that did not wait.
const IMPATIENCE: i8 = 4;

const LEAST_PATIENT: i8 = -12;

/// More open requests than this are given up while the queue is loose.
const MAX_LOOSE: usize = 64;

impl Queue {
    /// The next thing to tell.
    pub fn poll(&mut self) -> Option<Progress> {
        self.out.pop_front()
    }

    /// Tells of a step.
    pub fn tell(&mut self, ordinal: u64, step: Step) {
        self.out.push_back(Progress { ordinal, step });
    }

    /// The exchange with this number, unless it was handed out.
    pub fn exchange(&self, ordinal: u64) -> Option<&Exchange> {
        let waiting = self.slots.request(ordinal);
        waiting.map(|pending| &*pending.exchange).or_else(|| {
            self.out.iter().find_map(|progress| match &progress.step {
                Step::Finished(exchange) if progress.ordinal == ordinal => Some(&**exchange),
                _ => None,
            })
        })
    }

    /// Bytes of memory that what waits keeps, about.
    pub fn held(&self) -> usize {
        let answers = self.loose.as_ref().map_or(0, |loose| loose.held());
        self.slots.bytes() + answers
    }

    /// Whether no request waits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether something will be decided by silence.
    pub fn is_in_doubt(&self) -> bool {
        self.loose
            .as_ref()
            .is_some_and(|loose| !loose.answers.is_empty())
    }

    /// Whether responses cannot be paired by counting.
    pub fn is_loose(&self) -> bool {
        self.loose.is_some()
    }

    /// Whether all responses so far were paired by counting, or would have been.
    pub fn is_exact(&self) -> bool {
        !self.was_loose
    }

    /// Whether the client is not known to wait for each response.
    pub fn pipelines(&self) -> bool {
        self.patience < 0
    }

    /// Number of requests whose final response has not begun.
    pub fn open(&self) -> usize {
        let taken = self.front().is_some_and(|pending| pending.taken);
        self.slots.len() - usize::from(taken)
    }

    /// Whether the open requests are `HEAD`: `None` if some are.
    pub fn bodiless(&self) -> Option<bool> {
        self.slots.bodiless()
    }

    /// The request in front, if one was seen.
    pub fn front(&self) -> Option<&Pending> {
        match self.slots.front() {
            Some(Slot::Request(pending)) => Some(pending),
            _ => None,
        }
    }

    /// The request in front, if one was seen.
    pub fn front_mut(&mut self) -> Option<&mut Pending> {
        match self.slots.front_mut() {
            Some(Slot::Request(pending)) => Some(pending),
            _ => None,
        }
    }

    /// The request that was sent last, if it waits.
    pub fn last(&self) -> Option<&Pending> {
        match self.slots.back() {
            Some(Slot::Request(pending)) => Some(pending),
            _ => None,
        }
    }

    /// The request that was sent last, if it waits.
    pub fn last_mut(&mut self) -> Option<&mut Pending> {
        match self.slots.back_mut() {
            Some(Slot::Request(pending)) => Some(pending),
            _ => None,
        }
    }

    /// The connection was met in the middle: nothing is known of the client.
    pub fn trust(&mut self) {
        self.patience = PATIENT;
    }

    /// A request begins: what came before is settled if it can be. `complete`
    /// says that no request was missed since the last one. Returns whether the
    /// response that is being read has found its request, which is in front.
    pub fn before_request(&mut self, complete: bool, counters: &mut Counters) -> bool {
        let Some(loose) = &self.loose else {
            if self.open() == 0 {
                self.note_patience();
            }
            return false;
        };
        if complete && loose.counts(self.open()) {
            return self.align(counters);
        }
        if loose.ended() && self.patience >= 0 {
            self.settle(complete && self.patience >= PATIENT, counters);
            self.note_patience();
        } else if self.slots.len() >= MAX_LOOSE {
            self.give_up(Outcome::Gap, counters);
        }
        false
    }

    /// Adds a request; `limit` is that of [`crate::protocol::Limits::pending`].
    pub fn push(&mut self, pending: Pending, limit: usize, counters: &mut Counters) {
        let ordinal = pending.ordinal;
        self.tell(ordinal, Step::Requested);
        if self.slots.bytes() < limit {
            return self.slots.push_back(Slot::Request(pending));
        }
        counters.pending_limit += 1;
        let is_head = pending.is_head();
        let full = self.slots.bytes() >= 2 * limit;
        match self.slots.back_mut() {
            Some(Slot::Evicted { count, bodiless }) if *bodiless == is_head => *count += 1,
            _ if !full => self.slots.push_back(Slot::Evicted {
                count: 1,
                bodiless: is_head,
            }),
            _ => {
                self.give_up(Outcome::Evicted, counters);
                self.begin_loose();
            }
        }
        self.hand_out(pending, Outcome::Evicted, counters);
    }

    /// A final response begins; `None` if its request has not been seen yet.
    pub fn assign(&mut self, counters: &mut Counters) -> Option<Target> {
        if self.loose.is_none() {
            match self.slots.front_mut() {
                None => return None,
                Some(Slot::Request(pending)) if pending.taken => {
                    return (self.slots.len() == 1).then_some(Target::Unmatched);
                }
                Some(Slot::Request(pending)) => {
                    pending.taken = true;
                    if self.slots.len() > 1 {
                        self.note_impatience();
                    }
                    return Some(Target::Front);
                }
                Some(Slot::Evicted { count, bodiless }) => {
                    let bodiless = *bodiless;
                    *count -= 1;
                    if *count == 0 {
                        self.slots.pop_front();
                    }
                    return Some(Target::Evicted { bodiless });
                }
                Some(Slot::Missed { at_least }) => {
                    let at_least = *at_least;
                    self.slots.pop_front();
                    self.loosen_by(at_least, counters);
                }
            }
        }
        Some(self.assign_loosely())
    }

    /// Hands out the request in front if it is sent and answered.
    pub fn finish_front(&mut self, counters: &mut Counters) {
        if self
            .front()
            .is_some_and(|pending| pending.sent && pending.answered)
        {
            self.finish(Outcome::Complete, counters);
        }
    }

    /// Hands out the request in front, however far it is.
    pub fn finish(&mut self, outcome: Outcome, counters: &mut Counters) {
        if let Some(Slot::Request(pending)) = self.slots.pop_front() {
            self.hand_out(pending, outcome, counters);
        }
    }

    /// Hands out every request that waits: the connection has ended. What was
    /// read of it in between is `unexplained` if a response may be among it.
    pub fn close(&mut self, end: End, unexplained: bool, counters: &mut Counters) {
        while let Some(slot) = self.slots.pop_front() {
            let Slot::Request(pending) = slot else {
                continue;
            };
            let outcome = match (pending.answered, pending.taken, end) {
                (true, ..) => Outcome::Complete,
                (_, _, End::EndOfInput) => Outcome::EndOfInput,
                (_, _, End::Idle) => Outcome::TimedOut,
                (_, _, End::Evicted) => Outcome::Evicted,
                (_, true, End::Closed) => Outcome::ClosedInResponse,
                (_, true, End::Reset) => Outcome::ResetInResponse,
                (_, false, _) if unexplained => Outcome::Gap,
                (_, false, End::Closed) => Outcome::ClosedBeforeResponse,
                (_, false, End::Reset) => Outcome::ResetBeforeResponse,
            };
            self.hand_out(pending, outcome, counters);
        }
    }

    /// Hands out every request that waits.
    pub fn give_up(&mut self, outcome: Outcome, counters: &mut Counters) {
        while let Some(slot) = self.slots.pop_front() {
            if let Slot::Request(pending) = slot {
                let outcome = if pending.answered {
                    Outcome::Complete
                } else {
                    outcome
                };
                self.hand_out(pending, outcome, counters);
            }
        }
        if let Some(loose) = &mut self.loose {
            counters.responses_unmatched += loose.answers.len() as u64;
            loose.paid += loose.answers.len() as u32;
            loose.clear();
        }
    }

    fn note_patience(&mut self) {
        self.patience = (self.patience + 1).min(MOST_PATIENT);
    }

    fn note_impatience(&mut self) {
        self.patience = (self.patience.min(0) - IMPATIENCE).max(LEAST_PATIENT);
    }

    fn hand_out(&mut self, pending: Pending, outcome: Outcome, counters: &mut Counters) {
        let Pending {
            ordinal,
            mut exchange,
            sent,
            ..
        } = pending;
        exchange.outcome = outcome;
        match outcome {
            Outcome::Gap => exchange.capture.insert(CaptureMarks::GAP),
            Outcome::Complete if !sent => exchange.anomalies.insert(Anomaly::UnfinishedRequest),
            _ => {}
        }
        counters.exchange(&exchange);
        self.tell(ordinal, Step::Finished(exchange));
    }
}

impl Pending {
    /// A request whose head was read.
    pub fn new(ordinal: u64, exchange: Box<Exchange>) -> Self {
        Self {
            ordinal,
            exchange,
            sent: false,
            taken: false,
            answered: false,
        }
    }

    fn is_head(&self) -> bool {
        &self.exchange.request.method[..] == b"HEAD"
    }

    /// Whether it may be answered by 100 (Continue) first.
    fn expects(&self) -> bool {
        self.exchange.request.fields.first("expect").is_some()
    }
}
