//! Reads one head: a start line and its header section.
//!
//! In: bytes that begin with a start line. Out: a [`Head`]. A head that keeps
//! to RFC 9112 is read by `httparse`, in one pass and where it lies; what that
//! refuses but peers are known to send is read by a tolerant second reader,
//! and marked. Finding the end of a head that comes in pieces is left to
//! [`super::reader`], what the fields mean to [`super::framing`].

use std::mem::MaybeUninit;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::exchange::{Anomalies, Anomaly, Field, Fields, HEAD_MAX, Version};

/// A message's start line and header section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The start line.
    pub start: Start,
    /// The header section.
    pub fields: Fields,
    /// What was odd about it.
    pub anomalies: Anomalies,
    /// Whether all of it was seen. If not, fields are missing.
    pub whole: bool,
}

/// A start line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request line (RFC 9112 section 3).
    Request {
        /// The method token.
        method: Bytes,
        /// The request target, in any form.
        target: Bytes,
        /// The version.
        version: Version,
    },
    /// A status line (RFC 9112 section 4).
    Response {
        /// 100 to 999.
        status: u16,
        /// The version.
        version: Version,
    },
}

/// Which of the two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request.
    Request,
    /// A response.
    Response,
}

/// What [`parse`] found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "passed on at once, never kept")]
pub enum Parsed {
    /// A head, of so many bytes.
    Whole(Head, usize),
    /// The beginning of a head.
    Partial,
    /// Nothing that keeps to the rules.
    Refused,
}

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
/// What servers of audio streams say instead of a version.
pub(super) const ICECAST: &[u8] = b"ICY";
/// A method longer than this is not taken for one.
const MAX_METHOD: usize = 40;
/// So many fields are read without looking at them twice.
const USUAL_FIELDS: usize = 64;

impl Head {
    /// Whether it is a request or a response.
    pub fn kind(&self) -> Kind {
        match self.start {
            Start::Request { .. } => Kind::Request,
            Start::Response { .. } => Kind::Response,
        }
    }
}

/// Reads a head that keeps to the rules, from the beginning of `bytes`.
pub fn parse(bytes: &Bytes) -> Parsed {
    let mut lines = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut response, bytes, &mut lines) {
            Ok(httparse::Status::Complete(size)) => {
                let start = match (response.code, response.version) {
                    (Some(status @ 100..), Some(version)) => Start::Response {
                        status,
                        version: version_of(version),
                    },
                    _ => return Parsed::Refused,
                };
                whole(bytes, start, response.headers, size)
            }
            Ok(httparse::Status::Partial) => Parsed::Partial,
            Err(_) => Parsed::Refused,
        }
    } else {
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut lines) {
            Ok(httparse::Status::Complete(size)) => {
                let start = match (request.method, request.path, request.version) {
                    (Some(method), Some(target), Some(version)) if method.len() <= MAX_METHOD => {
                        Start::Request {
                            method: usual_method(method.as_bytes())
                                .unwrap_or_else(|| bytes.slice_ref(method.as_bytes())),
                            target: bytes.slice_ref(target.as_bytes()),
                            version: version_of(version),
                        }
                    }
                    _ => return Parsed::Refused,
                };
                whole(bytes, start, request.headers, size)
            }
            Ok(httparse::Status::Partial) => Parsed::Partial,
            Err(_) => Parsed::Refused,
        }
    }
}

/// Reads a head that may break the rules. `raw` ends with the head or, if not
/// `whole`, somewhere inside it: then only lines that have an end are read.
/// `None` if the first line is no start line.
pub fn parse_tolerantly(raw: &[u8], whole: bool) -> Option<Head> {
    let mut raw = raw.to_vec();
    let mut anomalies = Anomalies::default();
    let mut index = SmallVec::new();
    let first = next_line(&raw, 0)?;
    let mut lines = Lines {
        raw: &mut raw,
        index: &mut index,
        anomalies: &mut anomalies,
    };
    let mut at = first.next;
    while let Some(line) = next_line(lines.raw, at) {
        at = line.next;
        lines.note_ends(&line);
        if line.start < line.end {
            lines.read(&line);
        }
    }
    lines.note_ends(&first);
    let raw = Bytes::from(raw);
    let start = start_line(&raw.slice(first.start..first.end), &mut anomalies)?;
    Some(Head {
        start,
        fields: Fields::new(raw, index),
        anomalies,
        whole,
    })
}

/// Reads the beginning of a head of which the rest was not seen: the lines that
/// have an end, or as much of the start line as leaves no doubt. `None` if that
/// is too little. `target`: a request may be cut off in its target, too.
pub fn parse_cut(raw: &[u8], target: bool) -> Option<Head> {
    if memchr::memchr(b'\n', raw).is_some() {
        return parse_tolerantly(raw, false);
    }
    let raw = Bytes::copy_from_slice(raw);
    Some(Head {
        start: cut_start_line(&raw).or_else(|| target.then(|| cut_target(&raw)).flatten())?,
        fields: Fields::new(raw, SmallVec::new()),
        anomalies: Anomalies::default(),
        whole: false,
    })
}

/// Reads a request of HTTP/0.9: one line, `GET` and a path.
pub fn parse_simple(line: &[u8]) -> Option<Head> {
    let end = line.trim_ascii_end().len();
    let target = line[..end].strip_prefix(b"GET ")?;
    let plain = target.starts_with(b"/") && target.iter().all(u8::is_ascii_graphic);
    if !plain || !line.ends_with(b"\n") {
        return None;
    }
    let raw = Bytes::copy_from_slice(line);
    Some(Head {
        start: Start::Request {
            method: raw.slice(..3),
            target: raw.slice(4..end),
            version: Version::Http09,
        },
        fields: Fields::new(raw, SmallVec::new()),
        anomalies: Anomalies::default(),
        whole: true,
    })
}

/// A usual method keeps no bytes in memory.
fn usual_method(method: &[u8]) -> Option<Bytes> {
    let usual = USUAL_METHODS.iter().find(|usual| **usual == method);
    usual.map(|usual| Bytes::from_static(usual))
}

/// Whether a method is one of those in use.
pub fn is_usual(method: &[u8]) -> bool {
    USUAL_METHODS.contains(&method)
}

/// Whether a byte may be part of a token (RFC 9110 section 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a message may begin like this. Looks at the first few bytes only,
/// or at the whole first line if it is there.
pub fn is_plausible(first: &[u8]) -> bool {
    if let Some(line) = next_line(first, 0) {
        let line = Bytes::copy_from_slice(&first[line.start..line.end]);
        return start_line(&line, &mut Anomalies::default()).is_some();
    }
    if first.starts_with(b"HTTP/") {
        return first.len() <= MAX_METHOD || first.iter().any(|&byte| is_blank(byte));
    }
    match first.iter().position(|&byte| byte == b' ' || byte == b'\t') {
        Some(0) => false,
        Some(end) => end <= MAX_METHOD && is_token(&first[..end]),
        None => first.len() <= MAX_METHOD && is_token(first),
    }
}

/// Whether a whole line may only be a status line.
fn begins_response(line: &[u8]) -> bool {
    let icecast = line.strip_prefix(ICECAST);
    line.starts_with(b"HTTP/")
        || icecast.is_some_and(|rest| matches!(rest, [b' ', b'1'..=b'9', ..]))
}

fn version_of(minor: u8) -> Version {
    match minor {
        0 => Version::Http10,
        _ => Version::Http11,
    }
}

fn whole(bytes: &Bytes, start: Start, lines: &[httparse::Header<'_>], size: usize) -> Parsed {
    if size > HEAD_MAX {
        return Parsed::Refused;
    }
    let begin = bytes.as_ptr() as usize;
    let mut anomalies = Anomalies::default();
    let mut index = SmallVec::with_capacity(lines.len());
    let mut bare = !bytes[..size].ends_with(b"\r\n\r\n");
    for line in lines {
        let name = line.name.as_ptr() as usize - begin;
        bare |= bytes.get(name.wrapping_sub(2)) != Some(&b'\r');
        let value = (line.value.as_ptr() as usize).saturating_sub(begin);
        if let Some(field) = Field::new(name, line.name.len(), value, line.value.len()) {
            index.push(field);
        }
    }
    if bare {
        anomalies.insert(Anomaly::BareLineFeed);
    }
    let head = Head {
        start,
        fields: Fields::new(bytes.slice(..size), index),
        anomalies,
        whole: true,
    };
    Parsed::Whole(head, size)
}

/// Where a line lies, without its end.
struct Line {
    start: usize,
    end: usize,
    next: usize,
    bare: bool,
}

fn next_line(raw: &[u8], start: usize) -> Option<Line> {
    let line_feed = start + memchr::memchr(b'\n', raw.get(start..)?)?;
    let bare = line_feed == start || raw[line_feed - 1] != b'\r';
    Some(Line {
        start,
        end: if bare { line_feed } else { line_feed - 1 },
        next: line_feed + 1,
        bare,
    })
}

/// The tolerant reader of a header section.
struct Lines<'a> {
    raw: &'a mut Vec<u8>,
    index: &'a mut SmallVec<[Field; 12]>,
    anomalies: &'a mut Anomalies,
}

impl Lines<'_> {
    /// RFC 9112 section 2.2: what ends lines, and may for others.
    fn note_ends(&mut self, line: &Line) {
        if line.bare {
            self.anomalies.insert(Anomaly::BareLineFeed);
        }
        if memchr::memchr(b'\r', &self.raw[line.start..line.end]).is_some() {
            self.anomalies.insert(Anomaly::BareCarriageReturn);
        }
    }

    fn read(&mut self, line: &Line) {
        if is_blank(self.raw[line.start]) {
            return self.fold(line);
        }
        let text = &self.raw[line.start..line.end];
        let Some(colon) = memchr::memchr(b':', text) else {
            return self.anomalies.insert(Anomaly::InvalidField);
        };
        let name = text[..colon].trim_ascii_end();
        if !is_token(name) {
            return self.anomalies.insert(Anomaly::InvalidField);
        }
        let name_len = name.len();
        let encoding = name.eq_ignore_ascii_case(b"transfer-encoding");
        if text[colon..].iter().any(|byte| is_control(*byte)) {
            self.anomalies.insert(Anomaly::InvalidField);
        }
        if name_len < colon {
            self.anomalies.insert(Anomaly::SpaceBeforeColon);
            self.note_obscured(encoding);
        }
        let (value, value_len) = trimmed(self.raw, line.start + colon + 1, line.end);
        self.put(Field::new(line.start, name_len, value, value_len));
    }

    fn put(&mut self, field: Option<Field>) {
        if field.is_none() {
            self.anomalies.insert(Anomaly::HeadTooLarge);
        }
        self.index.extend(field);
    }

    /// Appends a line to the field before it; the fold becomes spaces
    /// (RFC 9112 section 5.2).
    fn fold(&mut self, line: &Line) {
        let Some(field) = self.index.pop() else {
            return self.anomalies.insert(Anomaly::InvalidField);
        };
        self.anomalies.insert(Anomaly::FoldedField);
        let (name, name_len) = field.name();
        let encoding = self.raw[name..name + name_len].eq_ignore_ascii_case(b"transfer-encoding");
        let (value, value_len) = field.value();
        self.raw[value + value_len..line.start].fill(b' ');
        let (value, value_len) = trimmed(self.raw, value, line.end);
        self.put(Field::new(name, name_len, value, value_len));
        self.note_obscured(encoding);
    }

    fn note_obscured(&mut self, encoding: bool) {
        if encoding {
            self.anomalies.insert(Anomaly::ObscuredEncoding);
        }
    }
}

fn trimmed(raw: &[u8], start: usize, end: usize) -> (usize, usize) {
    let text = &raw[start..end];
    let value = text.trim_ascii();
    let skipped = text.len() - text.trim_ascii_start().len();
    (start + skipped, value.len())
}

fn start_line(line: &Bytes, anomalies: &mut Anomalies) -> Option<Start> {
    if begins_response(line) {
        return status_line(line, anomalies);
    }
    let method_end = line.iter().position(|&byte| is_blank(byte))?;
    let rest = line[method_end..].trim_ascii_end();
    let version_start = method_end + rest.iter().rposition(|&byte| is_blank(byte))? + 1;
    let last = &line[version_start..method_end + rest.len()];
    let version = version(last, anomalies)?;
    let target = line[method_end..version_start].trim_ascii();
    let method = &line[..method_end];
    let fits = method.len() <= MAX_METHOD && is_token(method);
    let control = target
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t');
    // HTTP/2 begins with a request line of its own.
    let preface = method == b"PRI" && version == Version::Other;
    if !fits || target.is_empty() || (control && !is_usual(method)) || preface {
        return None;
    }
    let tidy = !control && method.len() + target.len() + last.len() + 2 == line.len();
    let spaces = line[method_end] == b' ' && line[version_start - 1] == b' ';
    if !tidy || !spaces || target.iter().any(|&byte| is_blank(byte)) {
        anomalies.insert(Anomaly::SloppyStartLine);
    }
    Some(Start::Request {
        method: line.slice(..method_end),
        target: line.slice_ref(target),
        version,
    })
}

/// A start line whose end is missing. All of the target was seen if the version
/// begins behind it; all of the status, if anything follows.
fn cut_start_line(line: &Bytes) -> Option<Start> {
    if line.starts_with(b"HTTP/") {
        let known = line.get(..13)?;
        return status_line(known, &mut Anomalies::default());
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let blank = line.iter().rposition(|&byte| byte == b' ')?;
    let (before, begun) = (&line[..blank], &line[blank + 1..]);
    let is_version = !begun.is_empty() && b"HTTP/1.".starts_with(begun);
    let known = version(begun, &mut Anomalies::default()).filter(|it| *it != Version::Other);
    if !is_version && known.is_none() {
        return None;
    }
    let whole = Bytes::from([before, b" HTTP/1.1"].concat());
    // A message that begins like HTTP/2's preface.
    let method = before.split(|&byte| is_blank(byte)).next()?;
    if !is_usual(method) && begun.len() < b"HTTP/1".len() {
        return None;
    }
    let mut start = start_line(&whole, &mut Anomalies::default())?;
    if let Start::Request {
        version: of_start, ..
    } = &mut start
    {
        *of_start = known.unwrap_or(Version::Http1);
    }
    Some(start)
}

/// A request line that ends in its target: of a path or a URL, nothing else.
fn cut_target(line: &Bytes) -> Option<Start> {
    let blank = line.iter().position(|&byte| byte == b' ')?;
    let rest = &line[blank + 1..];
    let target = rest.strip_suffix(b" ").unwrap_or(rest);
    let is_one = target.starts_with(b"/") || target.starts_with(b"http://");
    let plain = target.iter().all(u8::is_ascii_graphic);
    (is_one && plain && is_usual(&line[..blank])).then(|| Start::Request {
        method: line.slice(..blank),
        target: line.slice_ref(target),
        version: Version::Http1,
    })
}

/// The status is beyond doubt also behind a version that is none.
fn status_line(line: &[u8], anomalies: &mut Anomalies) -> Option<Start> {
    let end = line.iter().position(|&byte| is_blank(byte))?;
    let (name, rest) = line.split_at(end);
    let version = version(name, anomalies).unwrap_or_else(|| {
        anomalies.insert(Anomaly::UnknownVersion);
        Version::Other
    });
    let status = rest.trim_ascii_start();
    if status.len() + 1 != rest.len() {
        anomalies.insert(Anomaly::SloppyStartLine);
    }
    let (digits, reason) = status.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || reason.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if reason.first().is_some_and(|byte| !is_blank(*byte)) {
        anomalies.insert(Anomaly::SloppyStartLine);
    }
    let status = digits
        .iter()
        .fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    (status >= 100).then_some(Start::Response { status, version })
}

/// RFC 9112 section 2.3; numbers of any other length tell no version, but are
/// meant to.
fn version(text: &[u8], anomalies: &mut Anomalies) -> Option<Version> {
    let (name, number) = text.split_at_checked(b"HTTP/".len())?;
    if !name.eq_ignore_ascii_case(b"HTTP/") {
        return None;
    }
    if name != b"HTTP/" {
        anomalies.insert(Anomaly::SloppyStartLine);
    }
    match number {
        b"0.9" => Some(Version::Http09),
        [b'1', b'.', digit @ b'0'..=b'9'] => Some(version_of(digit - b'0')),
        [b'0'..=b'9', rest @ ..] if rest.iter().all(|&byte| is_of_number(byte)) => {
            anomalies.insert(Anomaly::UnknownVersion);
            Some(Version::Other)
        }
        _ => None,
    }
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// RFC 9110 section 5.5, but for the tab, and for CR, which is told of as such.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r')
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}
