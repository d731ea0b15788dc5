//! How a connection ends, and what that says of its exchanges.

use crate::event::Direction;
use crate::protocol::http1::pairing::Target;

use super::{Context, Http1, opposite};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By FIN.
    Closed,
    /// By RST.
    Reset,
    /// Nothing came for too long.
    Idle,
    /// The input ended first.
    EndOfInput,
    /// It was evicted.
    Evicted,
}

impl Http1 {
    /// The connection is closed, and more may have gone by in this direction than
    /// was seen.
    pub fn end_is_unknown(&mut self, direction: Direction) {
        self.way_mut(direction).reader.lose_close();
    }

    pub(super) fn end_by_close(&mut self, end: End, context: &mut Context<'_>) {
        self.end_open_bodies(end, context);
        let known = end != End::EndOfInput || !self.queue.is_unconfirmed();
        let complete = known && self.missed.is_none();
        self.queue.settle_at_end(complete, context.counters);
        let responses_lost = self
            .requests
            .is_some_and(|requests| self.way(opposite(requests)).reader.is_lost());
        let unexplained = self.hidden || (self.queue.is_loose() && responses_lost && self.answered);
        self.queue.close(end, unexplained, context.counters);
    }

    /// A response whose head does not end has begun all the same.
    pub(super) fn end_in_response_head(&mut self, context: &mut Context<'_>) {
        let responses = self.responses();
        if self.requests.is_none() || self.carries.is_some() {
            return;
        }
        if let Some(head) = self.way_mut(responses).reader.end_in_head() {
            self.handle_response(head, context);
            self.early = None;
            self.way_mut(responses).reader.switch_off();
        }
    }

    /// Bodies that end with the connection.
    fn end_open_bodies(&mut self, end: End, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        if self.way(requests).reader.is_lost_inside() && end != End::EndOfInput {
            self.end_request(context);
        }
        let reader = &self.way(opposite(requests)).reader;
        let ends = match end {
            End::Closed => reader.is_until_close() || reader.is_lost_inside(),
            _ => false,
        };
        if ends {
            self.end_response(context);
        }
    }

    /// Keeps what was read of messages that will not end.
    pub(super) fn record_unfinished(&mut self) {
        let Some(requests) = self.requests else {
            return;
        };
        let (request, response) = (requests as usize, opposite(requests) as usize);
        if let Some(pending) = self.queue.last_mut()
            && Some(pending.ordinal) == self.sending
        {
            let reader = &self.ways[request].reader;
            pending.exchange.request.message = reader.message();
            pending.exchange.capture.insert(reader.notes().1);
        }
        let reader = &self.ways[response].reader;
        match self.target {
            Some(Target::Front) => {
                if let Some(front) = self.queue.front_mut()
                    && let Some(answer) = &mut front.exchange.response
                {
                    answer.message = reader.message();
                    front.exchange.capture.insert(reader.notes().1);
                }
            }
            Some(Target::Floating) => {
                if let Some(answer) = self.queue.last_answer() {
                    answer.response.message = reader.message();
                    answer.marks.insert(reader.notes().1);
                }
            }
            _ => {}
        }
    }
}
