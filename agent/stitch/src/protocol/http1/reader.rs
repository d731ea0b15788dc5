//! Reads the messages of one direction, one after the other.
//!
//! In: [`Piece`]s. Out: [`Signal`]s: a head, the end of a message, or that the
//! place is lost. After a head the reader pauses until it is told what body
//! follows. A reader that has lost its place looks for the next head where a
//! call begins, and nowhere else: a body may contain what looks like a head,
//! but hardly where its sender began to write.

mod doubt;
mod holes;
mod partial;
mod search;
mod unread;

use std::net::SocketAddr;

use bytes::{Buf, Bytes};

use crate::exchange::{Anomalies, Anomaly, CaptureMarks, Message, Moment};
use crate::protocol::proxy::{self, Preface};
use crate::protocol::{Counters, Limits};
use crate::stream::{Cause, Piece};

use self::partial::{Input, PartialHead, Push};
use self::unread::Unread;
use super::body::{Body, Passed};
use super::framing::Framing;
use super::head::{self, Head, Kind, Parsed};
use super::heads::Heads;

/// The reader of one direction.
#[derive(Debug)]
pub struct Reader {
    state: State,
    /// What the messages of this direction must be, once that is known.
    kind: Option<Kind>,
    proxied_client: Option<SocketAddr>,
    partial: PartialHead,
    found: Option<Box<Head>>,
    message: Message,
    anomalies: Anomalies,
    marks: CaptureMarks,
    next_anomalies: Anomalies,
    next_marks: CaptureMarks,
    /// It began lost, and has passed over nothing yet.
    fresh: bool,
    unread: Unread,
}

/// What a reader has to say. It has nothing to say once it needs more bytes.
#[derive(Debug)]
pub enum Signal {
    /// A head. The reader is paused.
    Head(Head),
    /// The message ended. The reader is at the beginning of the next one.
    Ended,
    /// What began where a message should begin is none. The bytes are the
    /// first of it. The reader has lost its place.
    Foreign(Bytes),
    /// The place is lost inside a message, which goes on; or bytes were lost
    /// while it was.
    LostInside(Loss),
    /// The place is lost at the beginning of a message, or in its head before
    /// the start line was whole.
    LostBetween(Loss),
}

/// What made a reader lose its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Bytes that were not seen; 0 if they were, but made no sense.
    pub bytes: u64,
    /// Events were lost: perhaps of the other direction, too.
    pub events: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of the connection, where a PROXY header may stand.
    Beginning,
    /// At the beginning of a message, or in its head.
    Between,
    /// A head was read; what follows is not known yet.
    Paused,
    /// In a body of known framing.
    Body(Body),
    /// Looking for a head; `inside` a message whose end is not known.
    Lost { inside: bool },
    /// Nothing is read any more.
    Off,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Beginning,
            kind: None,
            proxied_client: None,
            partial: PartialHead::default(),
            found: None,
            message: Message::default(),
            anomalies: Anomalies::default(),
            marks: CaptureMarks::default(),
            next_anomalies: Anomalies::default(),
            next_marks: CaptureMarks::default(),
            fresh: false,
            unread: Unread::default(),
        }
    }
}

impl Reader {
    /// Reads from `piece` until there is something to say; `None` if the piece
    /// is used up, or if it is not and the reader is paused. `may_begin` says
    /// whether the next message may begin where the one that is being read
    /// should go on, so that a head there is worth looking for; `heads`, what was
    /// read lately.
    pub fn read(
        &mut self,
        piece: &mut Piece,
        may_begin: bool,
        heads: Option<&mut Heads>,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        if self.state == State::Paused {
            return None;
        }
        if self.found.is_some() {
            return self.read_found();
        }
        match piece {
            Piece::Bytes { bytes, .. } if bytes.is_empty() => None,
            Piece::Hole { length: 0, .. } => None,
            Piece::Hole {
                length, cause, at, ..
            } => {
                if may_begin && *cause == Cause::Lost {
                    self.drop_doubtful();
                }
                self.pass(length, *cause, *at, counters)
            }
            Piece::Bytes {
                offset,
                bytes,
                opens,
                at,
            } => {
                let mut input = Input {
                    offset: *offset,
                    bytes: std::mem::take(bytes),
                    opens: *opens,
                    first: *at,
                    at: *at,
                };
                let end = *offset + input.bytes.len() as u64;
                let signal = self.read_bytes(&mut input, may_begin, heads, limits, counters);
                // Bytes that waited may be among what is left.
                let rest = end - input.bytes.len() as u64;
                *opens = rest < *offset || (*opens && rest == *offset);
                *offset = rest;
                *bytes = input.bytes;
                signal
            }
        }
    }

    /// Says what body follows the head that was read last. Returns whether the
    /// message has ended with that.
    pub fn expect_body(&mut self, framing: Framing) -> bool {
        self.state = match Body::new(framing) {
            Some(body) => State::Body(body),
            None if framing == Framing::Unknown => {
                let seen = !self.marks.contains(CaptureMarks::TRUNCATED)
                    && !self.marks.contains(CaptureMarks::GAP);
                self.unread = if seen {
                    Unread::default()
                } else {
                    Unread::unseen()
                };
                self.lose_end();
                State::Lost { inside: true }
            }
            None => State::Between,
        };
        framing == Framing::None
    }

    /// Says that the foreign bytes that were told of last are the body of a
    /// message with no head.
    pub fn accept_headless(&mut self) {
        self.next_anomalies = Anomalies::default();
        self.state = State::Body(Body::UntilClose);
    }

    /// Says that the message that is being read has ended, by what was seen
    /// elsewhere.
    pub fn end_here(&mut self) {
        if self.state != State::Off {
            self.state = State::Lost { inside: false };
            self.lose_end();
        }
    }

    /// Says that a body which ends with the connection may have gone on. The last
    /// byte that was lost may be none, but a FIN, which counts as one.
    pub fn lose_close(&mut self) {
        if !self.is_until_close() {
            return;
        }
        self.lose_end();
        if self.marks.contains(CaptureMarks::GAP) {
            self.message.body_size = self.message.body_size.saturating_sub(1);
        }
    }

    /// Says that nothing more is to be read.
    pub fn switch_off(&mut self) {
        self.state = State::Off;
        self.partial = PartialHead::default();
    }

    /// Says that the place is lost, before anything was read.
    pub fn begin_lost(&mut self) {
        self.state = State::Lost { inside: false };
        self.unread = Unread::unseen();
        self.fresh = true;
    }

    /// Nothing more will come: the head that was being read, if its start line
    /// was seen. Nothing is read any more.
    pub fn end_in_head(&mut self) -> Option<Head> {
        let between = matches!(self.state, State::Beginning | State::Between);
        if !between || !self.partial.started {
            return None;
        }
        let head = head::parse_cut(&self.partial.bytes, false)?;
        self.partial.size = self.partial.bytes.len();
        self.start_partial();
        self.anomalies.extend(head.anomalies);
        if head.kind() == Kind::Request {
            self.anomalies.insert(Anomaly::UnfinishedRequest);
        }
        self.state = State::Off;
        Some(head)
    }

    /// Says which kind of messages goes in this direction.
    pub fn only(&mut self, kind: Kind) {
        self.kind = Some(kind);
    }

    /// The message that is being read, or was read last.
    pub fn message(&self) -> Message {
        self.message
    }

    /// What was odd about it, and what was not seen of it.
    pub fn notes(&self) -> (Anomalies, CaptureMarks) {
        (self.anomalies, self.marks)
    }

    /// The address that a PROXY header in front of everything gave.
    pub fn proxied_client(&self) -> Option<SocketAddr> {
        self.proxied_client
    }

    /// Whether the message that is being read ends where nobody can tell.
    pub fn is_lost_inside(&self) -> bool {
        self.state == State::Lost { inside: true }
    }

    /// Whether it ends with the connection.
    pub fn is_until_close(&self) -> bool {
        self.state == State::Body(Body::UntilClose)
    }

    /// Whether it looks for a head, at no known place.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    /// Whether a request may lie in what was passed over since the place was lost.
    pub fn may_hide_request(&self) -> bool {
        self.unread.may_hide_request()
    }

    /// Whether it waits to be told what follows a head.
    pub fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    /// Bytes that wait for those behind them.
    pub fn held(&self) -> usize {
        self.partial.bytes.len()
    }

    /// How many of the next bytes are surely content of the body.
    pub fn certain(&self) -> u64 {
        match self.state {
            State::Body(body) if self.partial.bytes.is_empty() => body.certain(),
            _ => 0,
        }
    }

    fn read_bytes(
        &mut self,
        input: &mut Input,
        may_begin: bool,
        heads: Option<&mut Heads>,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        match self.state {
            State::Beginning => self.read_preface(input, heads, limits),
            State::Between => self.read_head(input, heads, limits),
            State::Body(body) if may_begin && self.is_doubtful(body) => {
                self.read_doubtful(input, limits, counters)
            }
            State::Body(_) => {
                self.take_waiting(input);
                self.read_body(input, limits, counters)
            }
            State::Lost { inside } => {
                let admitted = may_begin || !inside;
                self.search(input, inside, admitted, limits, counters)
            }
            State::Paused => None,
            State::Off => {
                input.bytes.clear();
                None
            }
        }
    }

    /// Looks for a PROXY header in front of the first message.
    fn read_preface(
        &mut self,
        input: &mut Input,
        heads: Option<&mut Heads>,
        limits: &Limits,
    ) -> Option<Signal> {
        if !self.partial.bytes.is_empty() {
            let partial = std::mem::take(&mut self.partial);
            input.bytes = [&partial.bytes[..], &input.bytes[..]].concat().into();
            input.offset = partial.offset;
            input.first = partial.first;
        }
        match proxy::parse(&input.bytes) {
            Preface::Partial => {
                self.partial.start(input);
                self.partial.bytes.extend_from_slice(&input.bytes);
                input.bytes.clear();
                return None;
            }
            Preface::Header(size, client) => {
                self.proxied_client = client;
                input.pass_preface(size);
            }
            Preface::Malformed(size) => {
                self.next_anomalies.insert(Anomaly::SloppyStartLine);
                input.pass_preface(size);
            }
            Preface::None => {}
        }
        self.state = State::Between;
        self.read_head(input, heads, limits)
    }

    fn read_head(
        &mut self,
        input: &mut Input,
        heads: Option<&mut Heads>,
        limits: &Limits,
    ) -> Option<Signal> {
        if self.partial.bytes.is_empty() {
            if input.skip_empty_lines(self.kind) {
                self.next_anomalies.insert(Anomaly::SloppyStartLine);
            }
            if input.bytes.is_empty() {
                return None;
            }
            let parsed = match heads {
                Some(heads) => heads.parse(&input.bytes),
                None => head::parse(&input.bytes),
            };
            if let Parsed::Whole(head, size) = parsed
                && size <= limits.head
                && self.suits(&head)
            {
                self.start_message(input.offset, input.first, input.at, size);
                input.bytes.advance(size);
                return Some(self.begin(head));
            }
            self.partial.start(input);
        }
        let (offset, began) = (self.partial.offset, self.partial.first);
        match self.partial.push(input, self.kind, limits) {
            Push::More => None,
            Push::Head(head) => {
                self.start_partial();
                Some(self.begin(head))
            }
            Push::Foreign(first) => {
                self.start_message(offset, began, input.at, 0);
                self.message.body_wire_size = first.len() as u64;
                self.message.body_size = first.len() as u64;
                self.partial = PartialHead::default();
                self.state = State::Lost { inside: false };
                self.unread = Unread::default();
                self.unread.pass(&first);
                self.next_anomalies.insert(Anomaly::ExcessBytes);
                Some(Signal::Foreign(first))
            }
        }
    }

    fn read_body(
        &mut self,
        input: &mut Input,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        let State::Body(body) = &mut self.state else {
            return None;
        };
        self.message.last = input.at;
        let (message, anomalies) = (&mut self.message, &mut self.anomalies);
        match body.read(&mut input.bytes, limits.trailer, message, anomalies) {
            Passed::All => None,
            Passed::Ended => Some(self.end_before_next()),
            Passed::Broken => Some(self.lose_inside(Loss::default(), counters)),
        }
    }

    fn count_passed(&mut self, bytes: u64, inside: bool, at: Moment, counters: &mut Counters) {
        if inside {
            self.message.body_wire_size += bytes;
            self.message.body_size += bytes;
            self.message.last = at;
        } else {
            counters.bytes_searched += bytes;
        }
    }

    fn begin(&mut self, head: Head) -> Signal {
        self.state = State::Paused;
        self.anomalies.extend(head.anomalies);
        Signal::Head(head)
    }

    fn start_message(&mut self, offset: u64, first: Moment, last: Moment, size: usize) {
        self.message = Message {
            offset,
            first,
            last,
            head_size: size as u64,
            ..Message::default()
        };
        self.anomalies = std::mem::take(&mut self.next_anomalies);
        self.marks = std::mem::take(&mut self.next_marks);
    }

    /// Starts the message whose head came in pieces.
    fn start_partial(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        self.start_message(partial.offset, partial.first, partial.last, partial.size);
    }

    fn end_before_next(&mut self) -> Signal {
        self.state = State::Between;
        Signal::Ended
    }

    fn lose_inside(&mut self, loss: Loss, counters: &mut Counters) -> Signal {
        counters.places_lost += 1;
        self.state = State::Lost { inside: true };
        self.unread = match loss.bytes {
            0 => Unread::default(),
            _ => Unread::unseen(),
        };
        self.lose_end();
        Signal::LostInside(loss)
    }

    fn lose_end(&mut self) {
        self.marks.insert(CaptureMarks::END_INFERRED);
        self.marks.insert(match self.kind {
            Some(Kind::Request) => CaptureMarks::REQUEST_SIZE_UNKNOWN,
            _ => CaptureMarks::RESPONSE_SIZE_UNKNOWN,
        });
    }

    fn suits(&self, head: &Head) -> bool {
        self.kind.is_none_or(|kind| kind == head.kind())
    }
}
