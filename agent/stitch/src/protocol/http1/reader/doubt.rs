//! A body that may not be there, or be over: another head may lie in its place.
//!
//! A client that waits for 100 (Continue) and does not get it may never send the
//! body (RFC 9110 section 10.1.1); a response until close ends when the next one
//! begins.

use bytes::Bytes;

use crate::protocol::Limits;
use crate::protocol::http1::body::Body;
use crate::protocol::http1::head::{self, Kind};

use super::partial::{Input, PartialHead, TELLING};
use super::search::is_usual_start;
use super::{Reader, Signal, State};

impl Reader {
    /// Whether the body may not be there, or be over, if a head follows.
    pub(super) fn is_doubtful(&self, body: Body) -> bool {
        body == Body::UntilClose || self.message.body_wire_size == 0
    }

    /// Reads such a body, or finds the next head in its place.
    pub(super) fn read_doubtful(
        &mut self,
        body: Body,
        input: &mut Input,
        limits: &Limits,
    ) -> Option<Signal> {
        let begins = match self.kind {
            Some(Kind::Request) => {
                self.take_waiting(input);
                if may_go_on_as_head(body, input, limits) {
                    self.partial.start(input);
                    self.partial.bytes.extend_from_slice(&input.bytes);
                    input.bytes.clear();
                    return None;
                }
                begins_with_request(input)
            }
            _ => self.begins(input),
        };
        if begins {
            self.lose_end();
            return Some(self.end_before_next());
        }
        self.read_body(input, limits)
    }

    /// Nothing more will come: what waits to be told apart is the body.
    pub fn end_doubt(&mut self, limits: &Limits) {
        if !matches!(self.state, State::Body(_)) || self.partial.bytes.is_empty() {
            return;
        }
        let mut input = Input {
            offset: self.partial.offset,
            bytes: Bytes::new(),
            opens: true,
            first: self.partial.first,
            at: self.partial.last,
        };
        self.take_waiting(&mut input);
        // It is no whole body, or it would not wait.
        self.read_body(&mut input, limits);
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

/// Whether the next bytes will tell: these begin no body for certain, and are
/// no whole line.
fn may_go_on_as_head(body: Body, input: &Input, limits: &Limits) -> bool {
    let first = &input.bytes[..input.bytes.len().min(TELLING)];
    let whole = matches!(body, Body::Length(left) if input.bytes.len() as u64 >= left);
    input.opens
        && !whole
        && input.bytes.len() < limits.head
        && memchr::memchr(b'\n', &input.bytes).is_none()
        && head::is_plausible(first)
}

/// A body hardly begins with a request line.
fn begins_with_request(input: &Input) -> bool {
    input.opens
        && head::parse_cut(&input.bytes, false)
            .is_some_and(|head| head.kind() == Kind::Request && is_usual_start(&head))
}
