//! The beginning of a head that comes in several pieces.

use bytes::{Buf, Bytes, BytesMut};

use crate::exchange::{Anomaly, Moment};
use crate::protocol::http1::head::{self, Head, Kind, Parsed};
use crate::protocol::{Limits, Protocol};

/// The beginning of a head that comes in several pieces.
#[derive(Debug, Default)]
pub(super) struct PartialHead {
    pub(super) bytes: BytesMut,
    /// How far the end of the head was searched for.
    pub(super) searched: usize,
    /// Whether the first line was seen whole, and is a start line.
    pub(super) started: bool,
    pub(super) offset: u64,
    pub(super) first: Moment,
    pub(super) last: Moment,
    /// Bytes of the head, once it is read.
    pub(super) size: usize,
}

/// The bytes of a piece, and what is known of them.
pub(super) struct Input {
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    pub(super) opens: bool,
    /// When the first of them went by, and the last.
    pub(super) first: Moment,
    pub(super) at: Moment,
}

/// What a [`PartialHead`] is with more bytes.
pub(super) enum Push {
    More,
    Head(Head),
    /// No head of the kind that is looked for.
    Foreign(Bytes),
}

/// So many first bytes of a line tell whether it may be a start line.
pub(super) const TELLING: usize = 48;

/// So many first bytes give a protocol its name.
const NAMING: usize = 8;

impl Input {
    /// What stands in front of all messages ends after so many bytes.
    pub(super) fn pass_preface(&mut self, size: usize) {
        self.bytes.advance(size);
        self.offset += size as u64;
        self.first = self.at;
    }

    /// RFC 9112 section 2.2: empty lines before a start line are ignored. So is
    /// white space before a request line, as some servers do; returns whether
    /// there was any.
    pub(super) fn skip_empty_lines(&mut self, kind: Option<Kind>) -> bool {
        let (mut empty, mut blank) = (0, false);
        for byte in &self.bytes {
            match byte {
                b'\r' | b'\n' => {}
                b' ' | b'\t' if kind != Some(Kind::Response) => blank = true,
                _ => break,
            }
            empty += 1;
        }
        self.bytes.advance(empty);
        self.offset += empty as u64;
        blank
    }
}

impl PartialHead {
    pub(super) fn start(&mut self, input: &Input) {
        self.offset = input.offset;
        self.first = input.first;
        self.last = input.at;
    }

    /// Takes bytes up to the end of the head or the limit on its size. What is
    /// taken is looked at once, however small the pieces are.
    pub(super) fn push(&mut self, input: &mut Input, kind: Option<Kind>, limits: &Limits) -> Push {
        let before = self.bytes.len();
        let room = limits.head.saturating_sub(before).min(input.bytes.len());
        self.bytes.extend_from_slice(&input.bytes[..room]);
        self.last = input.at;
        let end = match self.simple_end(before, kind) {
            None => end_of_head(&self.bytes, &mut self.searched),
            end => end,
        };
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
    pub(super) fn is_nameless(&self) -> bool {
        self.bytes.len() < NAMING && Protocol::of(&self.bytes) == Protocol::Unknown
    }

    /// Whether the new bytes may belong to a start line.
    pub(super) fn check_start(&mut self, before: usize, kind: Option<Kind>) -> bool {
        self.started = memchr::memchr(b'\n', &self.bytes[before..]).is_some();
        let known = match self.started {
            true => self.bytes.len(),
            false if before < TELLING => self.bytes.len().min(TELLING),
            false => return true,
        };
        let first = &self.bytes[..known];
        suits_kind(first, kind)
            && (head::is_plausible(first) || self.simple_end(before, kind).is_some())
    }

    /// Where the one line of an HTTP/0.9 request ends: the first message of a
    /// connection may be one.
    fn simple_end(&self, before: usize, kind: Option<Kind>) -> Option<usize> {
        if kind.is_some() || !self.bytes.starts_with(b"GET /") {
            return None;
        }
        let end = before + memchr::memchr(b'\n', &self.bytes[before..])? + 1;
        head::parse_simple(&self.bytes[..end]).map(|_| end)
    }

    pub(super) fn parse(&mut self, whole: bool, kind: Option<Kind>) -> Push {
        let raw = self.bytes.split().freeze();
        self.size = raw.len();
        let head = match head::parse(&raw) {
            Parsed::Whole(head, _) => Some(head),
            _ => head::parse_tolerantly(&raw, whole)
                .or_else(|| kind.is_none().then(|| head::parse_simple(&raw)).flatten())
                // The line of a request over the limit: its target is long.
                .or_else(|| (!whole).then(|| head::parse_cut(&raw, true)).flatten()),
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

    pub(super) fn take(&mut self) -> Bytes {
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

pub(super) fn suits_kind(first: &[u8], kind: Option<Kind>) -> bool {
    let begins = |with: &[u8]| first.iter().zip(with).all(|(byte, other)| byte == other);
    match kind {
        None => true,
        Some(Kind::Response) => begins(b"HTTP/") || begins(head::ICECAST),
        Some(Kind::Request) => !first.starts_with(b"HTTP/"),
    }
}
