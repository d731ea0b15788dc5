//! Looks for the next head once the place is lost.

use bytes::Bytes;

use crate::exchange::{CaptureMarks, Moment, Version};
use crate::protocol::http1::framing::Noted;
use crate::protocol::http1::head::{self, Head, Kind, Parsed, Start};
use crate::protocol::{Counters, Limits};

use super::partial::{Input, PartialHead, Push, TELLING, suits_kind};
use super::unread::Unread;
use super::{Loss, Reader, Signal, State};

/// The chunk that ends a body (RFC 9112 section 7.1), with no trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl Reader {
    /// Looks for a head where a call begins; what is not one is passed over.
    pub(super) fn search(
        &mut self,
        input: &mut Input,
        inside: bool,
        admitted: bool,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Signal> {
        if admitted && self.begins(input) && !self.goes_on_with(input) {
            self.pass_partial(inside, input.at, counters);
            return self.found_at(input, inside, limits, counters);
        }
        if admitted && self.begins_anew(input) {
            self.pass_partial(inside, input.at, counters);
        }
        if self.partial.bytes.is_empty() && !(admitted && self.may_begin_head(input)) {
            let missed = inside && !admitted && self.may_be_missed(input);
            let signal = self.pass_over(input, inside, counters);
            return signal.or(missed.then_some(Signal::LostInside(Loss::default())));
        }
        if self.partial.bytes.is_empty() {
            self.partial.start(input);
        }
        match self.partial.push(input, self.kind, limits) {
            Push::More => None,
            Push::Head(head) if self.is_convincing(&head, input.bytes.len()) => {
                self.find(head, inside, counters)
            }
            Push::Head(Head { fields, .. }) => {
                self.unread = Unread::unseen();
                self.give_up(fields.size() as u64, inside, input.at, counters);
                None
            }
            Push::Foreign(first) => {
                self.unread.pass(&first);
                self.give_up(first.len() as u64, inside, input.at, counters);
                None
            }
        }
    }

    pub(super) fn found_at(
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
        self.read_head(input, None, limits)
    }

    /// A head was found, behind what is passed over.
    pub(super) fn find(
        &mut self,
        head: Head,
        inside: bool,
        counters: &mut Counters,
    ) -> Option<Signal> {
        counters.resynchronisations += 1;
        self.next_marks.insert(CaptureMarks::RESYNCHRONISED);
        self.found = Some(Box::new(head));
        if inside {
            return Some(self.end_before_next());
        }
        self.read_found()
    }

    pub(super) fn pass_over(
        &mut self,
        input: &mut Input,
        inside: bool,
        counters: &mut Counters,
    ) -> Option<Signal> {
        self.fresh = false;
        let last = is_last_chunk(&input.bytes);
        self.unread.pass(&input.bytes);
        self.count_passed(input.bytes.len() as u64, inside, input.at, counters);
        input.bytes.clear();
        (inside && last).then(|| {
            self.state = State::Lost { inside: false };
            Signal::Ended
        })
    }

    /// What began like a head is none.
    fn pass_partial(&mut self, inside: bool, at: Moment, counters: &mut Counters) {
        let passed = self.partial.take();
        self.unread.pass(&passed);
        self.count_passed(passed.len() as u64, inside, at, counters);
    }

    pub(super) fn read_found(&mut self) -> Option<Signal> {
        let head = self.found.take()?;
        self.start_partial();
        Some(self.begin(*head))
    }

    /// What was taken for a head is none.
    pub(super) fn give_up(
        &mut self,
        bytes: u64,
        inside: bool,
        at: Moment,
        counters: &mut Counters,
    ) {
        self.partial = PartialHead::default();
        self.fresh = false;
        self.count_passed(bytes, inside, at, counters);
    }

    /// Whether a whole and convincing head lies where a call begins.
    pub(super) fn begins(&self, input: &Input) -> bool {
        input.opens
            && matches!(head::parse(&input.bytes), Parsed::Whole(head, size)
                if self.suits(&head) && self.is_convincing(&head, input.bytes.len() - size))
    }

    /// Whether a start line lies where a call begins, and none that began before
    /// it goes on there: the last bytes of a body may look like a method.
    fn begins_anew(&self, input: &Input) -> bool {
        let is_start = |bytes: &[u8]| {
            let head = head::parse_cut(bytes, true);
            head.is_some_and(|head| self.suits(&head) && is_usual_start(&head))
        };
        !self.partial.bytes.is_empty()
            && !self.partial.started
            && self.may_begin_head(input)
            && is_start(&input.bytes)
            && !is_start(&[&self.partial.bytes[..], &input.bytes[..]].concat())
    }

    /// Whether a head that began before `input` ends in it.
    fn goes_on_with(&self, input: &Input) -> bool {
        let joined = Bytes::from([&self.partial.bytes[..], &input.bytes[..]].concat());
        !self.partial.bytes.is_empty()
            && matches!(head::parse(&joined), Parsed::Whole(head, size)
                if self.is_convincing(&head, joined.len() - size))
    }

    /// Whether a head is one even where none was to be expected. Any token is a
    /// method, so what is left of one when its beginning was lost is, too: only
    /// names that are in use are believed. A body may quote a request, but
    /// hardly at the first byte that is seen of a connection, where one without
    /// `Host` is believed if nothing but its body can be `behind` it. A quoted
    /// response has no fields.
    fn is_convincing(&self, head: &Head, behind: usize) -> bool {
        let named = match &head.start {
            Start::Request { version, .. } => {
                let alone = behind == 0 || Noted::of(&head.fields).announces_body();
                let named = *version == Version::Http10 || head.fields.first("host").is_some();
                named || (self.fresh && alone)
            }
            Start::Response { status, .. } => {
                self.fresh || !head.fields.is_empty() || matches!(status, 100..200 | 204 | 304)
            }
        };
        named && is_usual_start(head)
    }

    /// The head that began here and was cut off, as a packet was: as much of it
    /// as there is.
    pub(super) fn cut_head(&self) -> Option<Head> {
        let head = head::parse_cut(&self.partial.bytes, true)?;
        (is_usual_start(&head) && self.suits(&head)).then_some(head)
    }

    /// Whether the beginning of one lies there.
    pub(super) fn may_begin_head(&self, input: &Input) -> bool {
        let first = &input.bytes[..input.bytes.len().min(TELLING)];
        input.opens && suits_kind(first, self.kind) && head::is_plausible(first)
    }

    /// Whether a request lies there that is passed over.
    fn may_be_missed(&self, input: &Input) -> bool {
        self.kind == Some(Kind::Request)
            && self.may_begin_head(input)
            && head::parse_cut(&input.bytes, true).is_some_and(|head| is_usual_start(&head))
    }
}

pub(super) fn is_usual_start(head: &Head) -> bool {
    match &head.start {
        Start::Request {
            method, version, ..
        } => *version != Version::Other && head::is_usual(method),
        Start::Response { version, .. } => *version != Version::Other,
    }
}

fn is_last_chunk(bytes: &[u8]) -> bool {
    bytes
        .strip_suffix(LAST_CHUNK)
        .is_some_and(|before| before.is_empty() || before.ends_with(b"\r\n"))
}
