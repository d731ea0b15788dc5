//! A body that may not be there, or be over: another head may lie in its place.
//!
//! A client that waits for 100 (Continue) and does not get it may never send the
//! body (RFC 9110 section 10.1.1); a response until close ends when the next one
//! begins.

use bytes::Bytes;

use crate::protocol::http1::body::Body;
use crate::protocol::http1::head::{self, Kind};
use crate::protocol::{Counters, Limits};

use super::partial::{Input, PartialHead, TELLING};
use super::search::is_usual_start;
use super::unread::Unread;
use super::{Reader, Signal, State};

impl Reader {
    /// Whether the body may not be there, or be over, if a head follows.
    pub(super) fn is_doubtful(&self, body: Body) -> bool {
        body == Body::UntilClose || self.message.body_wire_size == 0
    }

    /// Whether such a body is being read.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self.state, State::Body(body) if self.is_doubtful(body))
    }

    /// Reads such a body, or finds the next head in its place.
    pub(super) fn read_doubtful(
        &mut self,
        input: &mut Input,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        let begins = match self.kind {
            Some(Kind::Request) => {
                if self.waits(input, limits) {
                    return None;
                }
                self.take_waiting(input);
                begins_with_request(input)
            }
            _ => self.begins(input),
        };
        if begins {
            self.lose_end();
            return Some(self.end_before_next());
        }
        self.read_body(input, limits, counters)
    }

    /// Lets the bytes wait if they begin no body for certain and are no whole
    /// line: the next ones will tell. However small the pieces are, each byte is
    /// looked at once.
    fn waits(&mut self, input: &mut Input, limits: &Limits) -> bool {
        let before = self.partial.bytes.len();
        let size = before + input.bytes.len();
        let opens = before > 0 || input.opens;
        let line = memchr::memchr(b'\n', &input.bytes).is_some();
        if !opens || line || size >= limits.head {
            return false;
        }
        if before == 0 {
            self.partial.start(input);
        }
        self.partial.last = input.at;
        let waiting = &mut self.partial.bytes;
        waiting.extend_from_slice(&input.bytes);
        if before < TELLING && !head::is_plausible(&waiting[..size.min(TELLING)]) {
            waiting.truncate(before);
            return false;
        }
        input.bytes.clear();
        true
    }

    /// Whether what waits to be told apart would be all of the body.
    pub fn holds_whole_body(&self) -> bool {
        let waiting = self.partial.bytes.len() as u64;
        matches!(self.state, State::Body(Body::Length(left)) if (1..=waiting).contains(&left))
    }

    /// No head will come in its place: what waits to be told apart is the body.
    pub fn end_doubt(&mut self, limits: &Limits, counters: &mut Counters) -> Option<Signal> {
        if !matches!(self.state, State::Body(_)) || self.partial.bytes.is_empty() {
            return None;
        }
        let mut input = Input {
            offset: self.partial.offset,
            bytes: Bytes::new(),
            opens: true,
            first: self.partial.first,
            at: self.partial.last,
        };
        self.take_waiting(&mut input);
        self.read_body(&mut input, limits, counters)
    }

    /// Bytes were lost where such a body begins: it may not be there.
    pub(super) fn drop_doubtful(&mut self) {
        if let State::Body(body) = self.state
            && self.kind == Some(Kind::Request)
            && self.is_doubtful(body)
        {
            self.drop_body();
        }
    }

    /// Whether there is a body cannot be told any more.
    pub(super) fn drop_body(&mut self) {
        self.partial = PartialHead::default();
        self.state = State::Lost { inside: true };
        self.unread = Unread::unseen();
        self.lose_end();
    }

    /// Puts what waited to be told apart in front of what comes.
    pub(super) fn take_waiting(&mut self, input: &mut Input) {
        if self.partial.bytes.is_empty() {
            return;
        }
        let partial = std::mem::take(&mut self.partial);
        input.bytes = Bytes::from([&partial.bytes[..], &input.bytes[..]].concat());
        input.offset = partial.offset;
        input.first = partial.first;
        input.opens = true;
    }
}

/// A body hardly begins with a request line.
fn begins_with_request(input: &Input) -> bool {
    input.opens
        && head::parse_cut(&input.bytes, false)
            .is_some_and(|head| head.kind() == Kind::Request && is_usual_start(&head))
}
