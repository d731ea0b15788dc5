//! Goes on behind bytes that were not seen.

use crate::exchange::{CaptureMarks, Moment};
use crate::protocol::Counters;
use crate::protocol::http1::body::Passed;
use crate::protocol::http1::head;
use crate::stream::Cause;

use super::partial::PartialHead;
use super::unread::Unread;
use super::{Loss, Reader, Signal, State};

impl Reader {
    /// Passes a hole.
    pub(super) fn pass(
        &mut self,
        length: &mut u64,
        cause: Cause,
        at: Moment,
        counters: &mut Counters,
    ) -> Option<Signal> {
        let loss = Loss {
            bytes: *length,
            events: matches!(cause, Cause::Lost | Cause::Before),
        };
        match &mut self.state {
            State::Beginning | State::Between => {
                Some(self.break_head(length, loss, cause, at, counters))
            }
            State::Body(_) if !self.partial.bytes.is_empty() => {
                self.drop_body();
                self.pass(length, cause, at, counters)
            }
            State::Body(body) => {
                let passed = body.pass(length, &mut self.message);
                self.mark(cause, at);
                match passed {
                    Passed::All => None,
                    Passed::Ended => Some(self.end_before_next()),
                    Passed::Broken => Some(self.lose_inside(loss, counters)),
                }
            }
            State::Lost { inside } => {
                let inside = *inside;
                self.unread = Unread::unseen();
                self.fresh &= cause == Cause::Before;
                if cause == Cause::NotCopied
                    && let Some(head) = self.cut_head()
                {
                    self.partial.size = self.partial.bytes.len();
                    self.next_marks.insert(CaptureMarks::TRUNCATED);
                    return self.find(head, inside, counters);
                }
                let passed = self.partial.take().len() as u64 + *length;
                self.count_passed(passed, inside, self.message.last, counters);
                if inside {
                    self.mark(cause, at);
                }
                *length = 0;
                (cause != Cause::Before).then_some(Signal::LostInside(loss))
            }
            State::Off => {
                *length = 0;
                None
            }
            State::Paused => None,
        }
    }

    /// A hole where a head should be, or go on.
    pub(super) fn break_head(
        &mut self,
        length: &mut u64,
        loss: Loss,
        cause: Cause,
        at: Moment,
        counters: &mut Counters,
    ) -> Signal {
        counters.places_lost += 1;
        if let Some(head) = head::parse_cut(&self.partial.bytes, cause == Cause::NotCopied)
            && self.suits(&head)
        {
            self.partial.size = self.partial.bytes.len();
            self.start_partial();
            self.mark(cause, at);
            return self.begin(head);
        }
        self.partial = PartialHead::default();
        self.state = State::Lost { inside: false };
        self.unread = Unread::unseen();
        *length = 0;
        Signal::LostBetween(loss)
    }

    pub(super) fn mark(&mut self, cause: Cause, at: Moment) {
        match cause {
            Cause::Before | Cause::Lost => self.marks.insert(CaptureMarks::GAP),
            Cause::NotCopied | Cause::Unwanted => {
                self.marks.insert(CaptureMarks::TRUNCATED);
                self.message.last = at;
            }
        }
    }
}
