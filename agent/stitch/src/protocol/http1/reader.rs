//! Reads the messages of one direction, one after the other.
//!
//! In: [`Piece`]s. Out: [`Signal`]s: a head, the end of a message, or that the
//! place is lost. After a head the reader pauses until it is told what body
//! follows. A reader that has lost its place looks for the next head where a
//! call begins, and nowhere else: a body may contain what looks like a head,
//! but hardly where its sender began to write.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};

use crate::exchange::{Anomalies, Anomaly, CaptureMarks, Message, Moment, Version};
use crate::protocol::proxy::{self, Preface};
use crate::protocol::{Counters, Limits, Protocol};
use crate::stream::{Cause, Piece};

use super::body::{Body, Passed};
use super::framing::Framing;
use super::head::{self, Head, Kind, Parsed, Start};

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
}

/// What a reader has to say. It has nothing to say once it needs more bytes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "passed on at once, never kept")]
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

/// The beginning of a head that comes in several pieces.
#[derive(Debug, Default)]
struct PartialHead {
    bytes: BytesMut,
    /// How far the end of the head was searched for.
    searched: usize,
    /// Whether the first line was seen whole, and is a start line.
    started: bool,
    offset: u64,
    first: Moment,
    last: Moment,
    /// Bytes of the head, once it is read.
    size: usize,
}

/// So many first bytes of a line tell whether it may be a start line.
const TELLING: usize = 48;
/// The methods of RFC 9110, RFC 5789, RFC 4918 and some of others. None may be
/// the end of another one: `LOCK` would be found where `UNLOCK` was cut.
const USUAL_METHODS: [&[u8]; 18] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"REPORT",
    b"MKCALENDAR",
    b"PURGE",
    b"QUERY",
    b"NOTIFY",
];
/// So many first bytes give a protocol its name.
const NAMING: usize = 8;
/// The chunk that ends a body (RFC 9112 section 7.1), with no trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

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
        }
    }
}

impl Reader {
    /// Reads from `piece` until there is something to say; `None` if the piece
    /// is used up, or if it is not and the reader is paused. `may_begin` says
    /// whether the next message may begin where the one that is being read
    /// should go on, so that a head there is worth looking for.
    pub fn read(
        &mut self,
        piece: &mut Piece,
        may_begin: bool,
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
            } => self.pass(length, *cause, *at, counters),
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
                let signal = self.read_bytes(&mut input, may_begin, limits, counters);
                let used = end - input.bytes.len() as u64 - *offset;
                *opens &= used == 0;
                *offset += used;
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

    /// Says that nothing more is to be read.
    pub fn switch_off(&mut self) {
        self.state = State::Off;
        self.partial = PartialHead::default();
    }

    /// Says that the place is lost, before anything was read.
    pub fn begin_lost(&mut self) {
        self.state = State::Lost { inside: false };
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

    /// Whether it waits to be told what follows a head.
    pub fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    /// How many of the next bytes are surely content of the body.
    pub fn certain(&self) -> u64 {
        match self.state {
            State::Body(body) => body.certain(),
            _ => 0,
        }
    }

    fn read_bytes(
        &mut self,
        input: &mut Input,
        may_begin: bool,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        match self.state {
            State::Beginning => self.read_preface(input, limits),
            State::Between => self.read_head(input, limits),
            State::Body(body) if may_begin && self.is_doubtful(body) && self.begins(input) => {
                self.lose_end();
                Some(self.end_before_next())
            }
            State::Body(_) => self.read_body(input, limits),
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
    fn read_preface(&mut self, input: &mut Input, limits: &Limits) -> Option<Signal> {
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
                input.bytes.advance(size);
                input.offset += size as u64;
                input.first = input.at;
            }
            Preface::None => {}
        }
        self.state = State::Between;
        self.read_head(input, limits)
    }

    fn read_head(&mut self, input: &mut Input, limits: &Limits) -> Option<Signal> {
        if self.partial.bytes.is_empty() {
            input.skip_empty_lines();
            if input.bytes.is_empty() {
                return None;
            }
            if let Parsed::Whole(head, size) = head::parse(&input.bytes)
                && self.suits(&head)
            {
                self.start_message(input.offset, input.first, input.at, size);
                input.bytes.advance(size);
                return Some(self.begin(head));
            }
            self.partial.start(input);
        }
        match self.partial.push(input, self.kind, limits) {
            Push::More => None,
            Push::Head(head) => {
                self.start_partial();
                Some(self.begin(head))
            }
            Push::Foreign(first) => {
                self.start_message(self.partial.offset, self.partial.first, input.at, 0);
                self.message.body_wire_size = first.len() as u64;
                self.message.body_size = first.len() as u64;
                self.partial = PartialHead::default();
                self.state = State::Lost { inside: false };
                self.next_anomalies.insert(Anomaly::ExcessBytes);
                Some(Signal::Foreign(first))
            }
        }
    }

    fn read_body(&mut self, input: &mut Input, limits: &Limits) -> Option<Signal> {
        let State::Body(body) = &mut self.state else {
            return None;
        };
        self.message.last = input.at;
        match body.read(&mut input.bytes, limits.trailer, &mut self.message) {
            Passed::All => None,
            Passed::Ended => Some(self.end_before_next()),
            Passed::Broken => {
                self.anomalies.insert(Anomaly::InvalidChunk);
                Some(self.lose_inside(Loss::default()))
            }
        }
    }

    /// Looks for a head where a call begins; what is not one is passed over.
    fn search(
        &mut self,
        input: &mut Input,
        inside: bool,
        admitted: bool,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        if admitted && self.begins(input) && !self.partial.goes_on_with(input) {
            let passed = self.partial.take().len() as u64;
            self.count_passed(passed, inside, input.at, counters);
            return self.found_at(input, inside, limits, counters);
        }
        if self.partial.bytes.is_empty() && !(admitted && self.may_begin_head(input)) {
            return self.pass_over(input, inside, counters);
        }
        if self.partial.bytes.is_empty() {
            self.partial.start(input);
        }
        match self.partial.push(input, self.kind, limits) {
            Push::More => None,
            Push::Head(head) if is_convincing(&head) => {
                counters.resynchronisations += 1;
                self.next_marks.insert(CaptureMarks::RESYNCHRONISED);
                self.found = Some(Box::new(head));
                if inside {
                    return Some(self.end_before_next());
                }
                self.read_found()
            }
            Push::Head(Head { fields, .. }) => {
                self.give_up(fields.size() as u64, inside, input.at, counters);
                None
            }
            Push::Foreign(first) => {
                self.give_up(first.len() as u64, inside, input.at, counters);
                None
            }
        }
    }

    fn found_at(
        &mut self,
        input: &mut Input,
        inside: bool,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        counters.resynchronisations += 1;
        self.next_marks.insert(CaptureMarks::RESYNCHRONISED);
        if inside {
            return Some(self.end_before_next());
        }
        self.state = State::Between;
        self.read_head(input, limits)
    }

    fn pass_over(
        &mut self,
        input: &mut Input,
        inside: bool,
        counters: &mut Counters,
    ) -> Option<Signal> {
        let last = is_last_chunk(&input.bytes);
        self.count_passed(input.bytes.len() as u64, inside, input.at, counters);
        input.bytes.clear();
        (inside && last).then(|| {
            self.state = State::Lost { inside: false };
            Signal::Ended
        })
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

    /// Passes a hole.
    fn pass(
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
            State::Beginning | State::Between => Some(self.break_head(length, loss, counters)),
            State::Body(body) => {
                let passed = body.pass(length, &mut self.message);
                self.mark(cause, at);
                match passed {
                    Passed::All => None,
                    Passed::Ended => Some(self.end_before_next()),
                    Passed::Broken => {
                        counters.places_lost += 1;
                        Some(self.lose_inside(loss))
                    }
                }
            }
            State::Lost { inside } => {
                let inside = *inside;
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
    fn break_head(&mut self, length: &mut u64, loss: Loss, counters: &mut Counters) -> Signal {
        counters.places_lost += 1;
        if self.partial.started
            && let Some(head) = head::parse_tolerantly(&self.partial.bytes, false)
            && self.suits(&head)
        {
            self.partial.size = self.partial.bytes.len();
            self.start_partial();
            return self.begin(head);
        }
        self.partial = PartialHead::default();
        self.state = State::Lost { inside: false };
        *length = 0;
        Signal::LostBetween(loss)
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

    fn read_found(&mut self) -> Option<Signal> {
        let head = self.found.take()?;
        self.start_partial();
        Some(self.begin(*head))
    }

    /// What was taken for a head is none.
    fn give_up(&mut self, bytes: u64, inside: bool, at: Moment, counters: &mut Counters) {
        self.partial = PartialHead::default();
        self.count_passed(bytes, inside, at, counters);
    }

    fn end_before_next(&mut self) -> Signal {
        self.state = State::Between;
        Signal::Ended
    }

    fn lose_inside(&mut self, loss: Loss) -> Signal {
        self.state = State::Lost { inside: true };
        self.lose_end();
        Signal::LostInside(loss)
    }

    fn lose_end(&mut self) {
        self.marks.insert(CaptureMarks::END_INFERRED);
        self.marks.insert(CaptureMarks::BODY_SIZE_UNKNOWN);
    }

    fn mark(&mut self, cause: Cause, at: Moment) {
        match cause {
            Cause::Before | Cause::Lost => self.marks.insert(CaptureMarks::GAP),
            Cause::NotCopied | Cause::Unwanted => {
                self.marks.insert(CaptureMarks::TRUNCATED);
                self.message.last = at;
            }
        }
    }

    /// Whether the body may not be there, or be over, if a head follows.
    fn is_doubtful(&self, body: Body) -> bool {
        body == Body::UntilClose || self.message.body_wire_size == 0
    }

    /// Whether a whole and convincing head lies where a call begins.
    fn begins(&self, input: &Input) -> bool {
        input.opens
            && matches!(head::parse(&input.bytes), Parsed::Whole(head, _)
                if self.suits(&head) && is_convincing(&head))
    }

    /// Whether the beginning of one lies there.
    fn may_begin_head(&self, input: &Input) -> bool {
        let first = &input.bytes[..input.bytes.len().min(TELLING)];
        input.opens && suits_kind(first, self.kind) && head::is_plausible(first)
    }

    fn suits(&self, head: &Head) -> bool {
        self.kind.is_none_or(|kind| kind == head.kind())
    }
}

/// The bytes of a piece, and what is known of them.
struct Input {
    offset: u64,
    bytes: Bytes,
    opens: bool,
    /// When the first of them went by, and the last.
    first: Moment,
    at: Moment,
}

impl Input {
    /// RFC 9112 section 2.2: empty lines before a start line are ignored.
    fn skip_empty_lines(&mut self) {
        let lines = self.bytes.iter();
        let empty = lines
            .take_while(|&&byte| byte == b'\r' || byte == b'\n')
            .count();
        self.bytes.advance(empty);
        self.offset += empty as u64;
    }
}

/// What a [`PartialHead`] is with more bytes.
#[expect(clippy::large_enum_variant, reason = "passed on at once, never kept")]
enum Push {
    More,
    Head(Head),
    /// No head of the kind that is looked for.
    Foreign(Bytes),
}

impl PartialHead {
    fn start(&mut self, input: &Input) {
        self.offset = input.offset;
        self.first = input.first;
    }

    /// Takes bytes up to the end of the head or the limit on its size. What is
    /// taken is looked at once, however small the pieces are.
    fn push(&mut self, input: &mut Input, kind: Option<Kind>, limits: &Limits) -> Push {
        let before = self.bytes.len();
        let room = limits.head.saturating_sub(before).min(input.bytes.len());
        self.bytes.extend_from_slice(&input.bytes[..room]);
        self.last = input.at;
        let end = end_of_head(&self.bytes, &mut self.searched);
        if let Some(end) = end {
            self.bytes.truncate(end);
        }
        input.bytes.advance(self.bytes.len() - before);
        if !self.started && !self.check_start(before, kind) {
            if kind.is_none() && self.is_nameless() {
                return Push::More;
            }
            return Push::Foreign(self.take());
        }
        match end {
            None if self.bytes.len() < limits.head => Push::More,
            _ => self.parse(end.is_some(), kind),
        }
    }

    /// Whether there are too few bytes to say what this is, if not a head.
    fn is_nameless(&self) -> bool {
        self.bytes.len() < NAMING && Protocol::of(&self.bytes) == Protocol::Unknown
    }

    /// Whether a head that began here ends in `input`.
    fn goes_on_with(&self, input: &Input) -> bool {
        let joined = Bytes::from([&self.bytes[..], &input.bytes[..]].concat());
        !self.bytes.is_empty()
            && matches!(head::parse(&joined), Parsed::Whole(head, _) if is_convincing(&head))
    }

    /// Whether the new bytes may belong to a start line.
    fn check_start(&mut self, before: usize, kind: Option<Kind>) -> bool {
        self.started = memchr::memchr(b'\n', &self.bytes[before..]).is_some();
        let known = match self.started {
            true => self.bytes.len(),
            false if before < TELLING => self.bytes.len().min(TELLING),
            false => return true,
        };
        let first = &self.bytes[..known];
        suits_kind(first, kind) && head::is_plausible(first)
    }

    fn parse(&mut self, whole: bool, kind: Option<Kind>) -> Push {
        let raw = self.bytes.split().freeze();
        self.size = raw.len();
        let head = match head::parse(&raw) {
            Parsed::Whole(head, _) => Some(head),
            _ => head::parse_tolerantly(&raw, whole),
        };
        match head {
            Some(mut head) if kind.is_none_or(|kind| kind == head.kind()) => {
                if !whole {
                    head.anomalies.insert(Anomaly::HeadTooLarge);
                }
                Push::Head(head)
            }
            _ => Push::Foreign(raw),
        }
    }

    fn take(&mut self) -> Bytes {
        std::mem::take(self).bytes.freeze()
    }
}

/// The length of the head at the beginning of `bytes`, if its end is there.
/// `searched` remembers how far was looked.
fn end_of_head(bytes: &[u8], searched: &mut usize) -> Option<usize> {
    while let Some(found) = memchr::memchr(b'\n', &bytes[*searched..]) {
        let line_feed = *searched + found;
        match &bytes[line_feed + 1..] {
            [b'\n', ..] => return Some(line_feed + 2),
            [b'\r', b'\n', ..] => return Some(line_feed + 3),
            [] | [b'\r'] => {
                *searched = line_feed;
                return None;
            }
            _ => *searched = line_feed + 1,
        }
    }
    *searched = bytes.len();
    None
}

fn suits_kind(first: &[u8], kind: Option<Kind>) -> bool {
    let status = b"HTTP/";
    let known = first.len().min(status.len());
    match kind {
        None => true,
        Some(Kind::Response) => first[..known] == status[..known],
        Some(Kind::Request) => !first.starts_with(status),
    }
}

/// Whether a head is one even where none was to be expected. Any token is a
/// method, so what is left of one when its beginning was lost is, too: only
/// names that are in use are believed.
fn is_convincing(head: &Head) -> bool {
    match &head.start {
        Start::Request {
            method, version, ..
        } => {
            let named = *version == Version::Http10 || head.fields.first("host").is_some();
            named && USUAL_METHODS.iter().any(|usual| **usual == method[..])
        }
        Start::Response { .. } => true,
    }
}

fn is_last_chunk(bytes: &[u8]) -> bool {
    bytes
        .strip_suffix(LAST_CHUNK)
        .is_some_and(|before| before.is_empty() || before.ends_with(b"\r\n"))
}
