//! A queue in which messages may have gone by unseen.
//!
//! Requests and responses are only collected, and paired when it is proven
//! which belong together:
//!
//! - If no request can have been missed, as many responses as there are open
//!   requests are the responses to them.
//! - Otherwise a response may still belong to a missed request. It is the last
//!   response that answers the last request, once all have been answered: at
//!   the next request of a client that is not known to pipeline, at the close,
//!   or after a silence.
//!
//! What cannot be proven is handed out as [`Outcome::Gap`], without a response.

use std::collections::VecDeque;

use crate::exchange::{Anomalies, CaptureMarks, Message, Outcome, Response, Step};
use crate::protocol::Counters;
use crate::protocol::http1::reader::Loss;

use super::slots::Slot;
use super::{LEAST_PATIENT, PATIENT, Queue, Target};

/// A response in a loose queue.
#[derive(Debug)]
pub struct Answer {
    /// The response.
    pub response: Response,
    /// What was odd about it.
    pub anomalies: Anomalies,
    /// What was not seen of it.
    pub marks: CaptureMarks,
    /// It has ended.
    pub ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Loose {
    /// Requests may have gone by unseen.
    pub(super) missed_requests: bool,
    /// Responses may have gone by unseen.
    pub(super) missed_responses: bool,
    /// Events were lost, and perhaps those of requests among them: the next
    /// request will tell.
    pub(super) unconfirmed: bool,
    /// The next so many responses belong to missed requests.
    pub(super) owed: u32,
    /// Responses to missed requests that came before it was known of them.
    pub(super) paid: u32,
    /// Responses since the oldest open request; at most as many as those.
    pub(super) answers: VecDeque<Answer>,
}

/// A response is hardly smaller than this.
const SMALL_RESPONSE: u64 = 32;

/// 100 (Continue) and a final response are hardly smaller than this together.
const SMALL_RESPONSES: u64 = SMALL_RESPONSE + b"HTTP/1.1 100 Continue\r\n\r\n".len() as u64;

impl Queue {
    /// Responses to requests that were never seen may come first.
    pub fn begin_loose(&mut self) {
        self.was_loose = true;
        let loose = self.loose.get_or_insert_default();
        loose.missed_requests = true;
    }

    /// The next response belongs to a request that went by unseen.
    pub fn owe_one(&mut self) {
        if let Some(loose) = &mut self.loose {
            loose.owed = loose.owed.max(1);
        }
    }

    /// At least so many requests went by unseen after the last one.
    pub fn push_missed(&mut self, at_least: u32, counters: &mut Counters) {
        if self.loose.is_none() {
            return self.slots.push_back(Slot::Missed { at_least });
        }
        let open = self.slots.len() as u32;
        self.give_up(Outcome::Gap, counters);
        if let Some(loose) = &mut self.loose {
            let paid = std::mem::take(&mut loose.paid);
            loose.owed = if loose.missed_responses {
                0
            } else {
                (loose.owed + open + at_least).saturating_sub(paid)
            };
            loose.missed_requests = true;
        }
    }

    /// Takes the response that was assigned to [`Target::Floating`]; returns
    /// whether it has found its request, which is then in front. `complete` says
    /// that no request was missed since the last one; `limit` is that of
    /// [`crate::protocol::Limits::pending`].
    pub fn float(
        &mut self,
        answer: Answer,
        complete: bool,
        limit: usize,
        counters: &mut Counters,
    ) -> bool {
        let kept = self.loose.as_ref().map_or(0, |loose| loose.held());
        if kept >= limit {
            counters.pending_limit += 1;
            counters.responses_unmatched += 1;
            self.give_up(Outcome::Gap, counters);
            self.begin_loose();
            return false;
        }
        let open = self.open();
        let Some(loose) = &mut self.loose else {
            return false;
        };
        if loose.answers.len() >= open && !loose.missed_requests {
            loose.missed_requests = true;
            self.give_up(Outcome::Gap, counters);
            counters.responses_unmatched += 1;
            return false;
        }
        if loose.answers.len() >= open {
            loose.answers.pop_front();
            counters.responses_unmatched += 1;
            self.patience = LEAST_PATIENT;
        }
        loose.answers.push_back(answer);
        complete && loose.counts(open) && !loose.unconfirmed && self.align(counters)
    }

    /// The floating response that came last.
    pub fn last_answer(&mut self) -> Option<&mut Answer> {
        self.loose.as_mut()?.answers.back_mut()
    }

    /// The response that should begin now was not seen to: the request in front
    /// will not get it.
    pub fn miss_response(&mut self, loss: Loss, counters: &mut Counters) {
        if let Some(loose) = &mut self.loose {
            loose.missed_responses = true;
            match loose.owed {
                0 => self.give_up(Outcome::Gap, counters),
                _ => loose.owed = 0,
            }
            return;
        }
        let waited = self.open() as u64;
        match self.slots.front() {
            Some(Slot::Request(pending)) if !pending.taken => {
                let interim = pending.expects() && !loss.events && loss.bytes < SMALL_RESPONSES;
                if !interim {
                    self.finish(Outcome::Gap, counters);
                }
            }
            Some(Slot::Missed { .. }) => {
                self.slots.pop_front();
                self.loosen_by(0, counters);
                return self.loosen(loss.events, counters);
            }
            Some(_) => {}
            None => return self.begin_loose(),
        }
        if waited > 1 && loss.bytes < (waited - 1) * SMALL_RESPONSE {
            self.patience = self.patience.min(0);
        }
        self.loosen(loss.events, counters);
    }

    /// Responses may go by unseen from here on.
    /// `unconfirmed`: events were lost, perhaps those of requests, too.
    pub fn loosen(&mut self, unconfirmed: bool, counters: &mut Counters) {
        if let Some(loose) = &mut self.loose {
            loose.unconfirmed |= unconfirmed;
            loose.missed_responses = true;
            loose.owed = 0;
            return;
        }
        self.was_loose = true;
        self.loose = Some(Box::new(Loose {
            unconfirmed,
            missed_responses: true,
            ..Loose::default()
        }));
        if !self
            .slots
            .iter()
            .all(|slot| matches!(slot, Slot::Request(_)))
        {
            self.give_up(Outcome::Gap, counters);
            self.begin_loose();
        }
    }

    /// Whether there are as many responses as open requests, if not proven to be
    /// theirs.
    pub fn may_be_answered(&self) -> bool {
        let open = self.open();
        let answers = self.loose.as_ref().map_or(0, |loose| loose.answers.len());
        open > 0 && answers >= open
    }

    /// Whether only the next request can tell if requests were missed.
    pub fn is_unconfirmed(&self) -> bool {
        self.loose.as_ref().is_some_and(|loose| loose.unconfirmed)
    }

    /// All has been silent for long: unless the client pipelines, whatever was
    /// to be answered has been, and in any case that is over.
    /// `complete` says that no request was missed since the last one.
    pub fn settle_in_silence(&mut self, complete: bool, counters: &mut Counters) {
        if !self.is_unconfirmed() {
            self.settle(complete && self.counts() || self.patience >= 0, counters);
        }
        self.patience = self.patience.max(0);
    }

    /// Nothing more comes; `complete` says that no request was missed.
    pub fn settle_at_end(&mut self, complete: bool, counters: &mut Counters) {
        let all_answered = self.counts() || self.patience >= PATIENT;
        // The last response need not have ended to be known as the last.
        if complete && all_answered && self.fits() {
            self.align(counters);
        } else {
            self.settle(false, counters);
        }
    }

    /// Nothing more is expected from what came before: pairs what can be paired
    /// if `all_answered` is beyond doubt, gives up what had responses but
    /// cannot. Requests without any wait on.
    pub(super) fn settle(&mut self, all_answered: bool, counters: &mut Counters) {
        let Some(loose) = &self.loose else { return };
        if loose.answers.is_empty() {
            return;
        }
        if loose.ended() && all_answered && self.fits() {
            self.align(counters);
        } else {
            self.give_up(Outcome::Gap, counters);
            self.begin_loose();
        }
    }

    /// Whether each open request has a response that may be its.
    fn fits(&self) -> bool {
        let answers = self.loose.as_ref().map_or(0, |loose| loose.answers.len());
        answers > 0 && answers == self.open() && (self.counts() || self.follow_requests())
    }

    /// Whether no response began before the request that it would be paired
    /// with: one that did is that of a request that went by unseen.
    fn follow_requests(&self) -> bool {
        let requests = self.slots.iter().filter_map(|slot| match slot {
            Slot::Request(pending) if !pending.taken => Some(&pending.exchange.request),
            _ => None,
        });
        let answers = self.loose.iter().flat_map(|loose| &loose.answers);
        requests.zip(answers).all(|(request, answer)| {
            request.message.first.time <= answer.response.message.first.time
        })
    }

    pub(super) fn counts(&self) -> bool {
        let open = self.open();
        self.loose.as_ref().is_some_and(|loose| loose.counts(open))
    }

    pub(super) fn assign_loosely(&mut self) -> Target {
        let open = self.open();
        let Some(loose) = &mut self.loose else {
            return Target::Unmatched;
        };
        if loose.owed > 0 {
            loose.owed -= 1;
            if open > 0 {
                self.patience = LEAST_PATIENT;
            }
            Target::Unmatched
        } else if open == 0 {
            loose.paid += 1;
            Target::Unmatched
        } else {
            Target::Floating
        }
    }

    /// Pairs the floating responses with as many open requests. Returns whether
    /// the last one has not ended yet.
    pub(super) fn align(&mut self, counters: &mut Counters) -> bool {
        let Some(loose) = self.loose.take() else {
            return false;
        };
        let ended = loose.ended();
        for answer in loose.answers {
            self.finish_front(counters);
            let Some(pending) = self.front_mut() else {
                return false;
            };
            pending.taken = true;
            pending.answered = answer.ended;
            let exchange = &mut pending.exchange;
            exchange.anomalies.extend(answer.anomalies);
            exchange.capture.insert(answer.marks);
            exchange.capture.insert(CaptureMarks::RESYNCHRONISED);
            let first = answer.response.message.first;
            exchange.response = Some(answer.response);
            let ordinal = pending.ordinal;
            self.tell(ordinal, Step::Answering(first));
        }
        self.finish_front(counters);
        !ended
    }

    /// Requests were missed in front of the open ones.
    pub(super) fn loosen_by(&mut self, at_least: u32, counters: &mut Counters) {
        let mut later = std::mem::take(&mut self.slots);
        self.was_loose = true;
        self.loose = Some(Box::new(Loose {
            missed_requests: true,
            owed: at_least,
            ..Loose::default()
        }));
        while let Some(slot) = later.pop_front() {
            match slot {
                Slot::Missed { at_least } => self.push_missed(at_least, counters),
                Slot::Evicted { count, .. } => self.push_missed(count, counters),
                Slot::Request(_) => self.slots.push_back(slot),
            }
        }
    }
}

impl Loose {
    /// The answers have been given up.
    pub(super) fn clear(&mut self) {
        self.answers.clear();
    }

    /// Bytes of memory that the answers keep, about.
    pub(super) fn held(&self) -> usize {
        self.answers.len() * size_of::<Answer>()
    }

    /// Whether there are responses, and all have ended.
    pub(super) fn ended(&self) -> bool {
        !self.answers.is_empty() && self.answers.iter().all(|answer| answer.ended)
    }

    /// Whether the responses must be those to the `open` requests.
    pub(super) fn counts(&self, open: usize) -> bool {
        !self.missed_requests && open > 0 && self.answers.len() == open
    }
}

impl Answer {
    /// The response has ended.
    pub fn end(&mut self, message: Message, anomalies: Anomalies, marks: CaptureMarks) {
        self.response.message = message;
        self.anomalies.extend(anomalies);
        self.marks.insert(marks);
        self.ended = true;
    }
}
