//! What the HTTP stage hands on: a request with the response to it, as one end
//! of the connection (or an observer on the way) saw them.

use std::net::SocketAddr;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::event::Task;
use crate::time::Timestamp;

/// When something happened, and who did it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// When the call that carried it returned.
    pub time: Timestamp,
    /// Who made that call.
    pub task: Task,
}

/// Which part the socket's owner plays in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sent the request.
    Client,
    /// It received the request.
    Server,
}

/// One step in the life of an exchange, told when it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The exchange: requests of a connection are numbered from 0.
    pub ordinal: u64,
    /// What happened.
    pub step: Step,
}

/// What can happen to an exchange. `Requested` is always the first step and
/// `Finished` the last; those between may be missing, or come late where the
/// response was in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The request's head was read.
    Requested,
    /// The request's last byte went by.
    RequestEnded(Moment),
    /// The first byte of the final response went by.
    Answering(Moment),
    /// Nothing more will be known of it.
    Finished(Box<Exchange>),
}

/// One request and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The part that the socket's owner plays.
    pub role: Role,
    /// The request.
    pub request: Request,
    /// The final response, if its head was seen.
    pub response: Option<Response>,
    /// Interim (1xx) responses before it.
    pub interim: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What was odd about its framing.
    pub anomalies: Anomalies,
    /// What was not seen of it.
    pub capture: CaptureMarks,
    /// The client's address from a PROXY protocol header before the request.
    pub proxied_client: Option<SocketAddr>,
    /// The protocol that a 101 response switched the connection to, as its
    /// `Upgrade` field names it; `None` for the tunnel of a `CONNECT`.
    pub upgraded_to: Option<Bytes>,
}

/// A request message (RFC 9112 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method token, as sent.
    pub method: Bytes,
    /// The request target, as sent.
    pub target: Bytes,
    /// The protocol version.
    pub version: Version,
    /// The header section.
    pub fields: Fields,
    /// What both messages have.
    pub message: Message,
}

/// A response message (RFC 9112 section 4). Nothing that a span tells is in its
/// header section, so that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// 101, or 200 to 999; `None` for an HTTP/0.9 answer, which has none.
    pub status: Option<u16>,
    /// The protocol version.
    pub version: Version,
    /// What both messages have.
    pub message: Message,
}

/// Place, times and sizes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Offset of its first byte in its direction of the connection, as in
    /// [`crate::event::Data::offset`]: with the connection, its identity.
    pub offset: u64,
    /// When its first byte went by.
    pub first: Moment,
    /// When its last byte (so far) went by.
    pub last: Moment,
    /// Bytes of the head: start line, header section and the empty line.
    pub head_size: u64,
    /// Bytes of the body as transferred, chunk framing included.
    pub body_wire_size: u64,
    /// Bytes of content: the body without chunk framing (RFC 9110 section 6.4).
    /// A lower bound where [`CaptureMarks::REQUEST_SIZE_UNKNOWN`] or
    /// [`CaptureMarks::RESPONSE_SIZE_UNKNOWN`] is set.
    pub body_size: u64,
}

/// The HTTP version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/0.9: an answer that is a body and nothing else.
    Http09,
    /// HTTP/1, and the rest of the number was not seen.
    Http1,
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// Any other, as [`Anomaly::UnknownVersion`] says.
    Other,
}

/// A header section: the head's bytes and where each field lies in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    raw: Bytes,
    index: SmallVec<[Field; 12]>,
}

/// Where one field line lies in the head: within its first [`HEAD_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    name: u16,
    name_len: u16,
    value: u16,
    value_len: u16,
}

/// Bytes of a head of which fields are told. Exchanges are moved and kept by the
/// million: two bytes a place must do.
pub const HEAD_MAX: usize = 1 << 16;

/// How an exchange ended. Only [`Outcome::Complete`] and
/// [`Outcome::Upgraded`] are ends that HTTP knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Both messages ended where their framing says.
    Complete,
    /// The connection was handed to another protocol.
    Upgraded,
    /// The connection was closed before a final response.
    ClosedBeforeResponse,
    /// The connection was closed within the response.
    ClosedInResponse,
    /// The connection was reset (RST) before a final response.
    ResetBeforeResponse,
    /// The connection was reset (RST) within the response.
    ResetInResponse,
    /// Bytes were lost, and what follows cannot be told to be the response.
    Gap,
    /// The response never came within the engine's limit of time.
    TimedOut,
    /// A limit on pending exchanges or on memory was hit.
    Evicted,
    /// The input ended first.
    EndOfInput,
}

/// What can be odd about the framing of a message: a bug, a limit, or an
/// attempt to have two readers see two different things (request smuggling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Anomaly {
    /// Both `Content-Length` and `Transfer-Encoding`, even if that says nothing
    /// (RFC 9112 section 6.1).
    LengthAndEncoding,
    /// `Content-Length` more than once, always the same (section 6.3).
    RepeatedLength,
    /// `Content-Length` more than once, not the same (section 6.3).
    ConflictingLength,
    /// A `Content-Length` that is no number (section 6.3).
    InvalidLength,
    /// `Transfer-Encoding` in which `chunked` is not the last, or not once.
    MisplacedChunked,
    /// A request with `Transfer-Encoding` without `chunked` (section 6.3).
    EncodingNotChunked,
    /// `Transfer-Encoding` in an HTTP/1.0 message (section 6.1).
    EncodingInHttp10,
    /// `Transfer-Encoding` folded over lines, with space before the colon, or with
    /// parameters of `chunked` (section 7.1).
    ObscuredEncoding,
    /// A chunk's size is no number, more than an extension follows it, or its
    /// data does not end where it should.
    InvalidChunk,
    /// A field folded over lines (section 5.2).
    FoldedField,
    /// White space between a field's name and the colon (section 5.1).
    SpaceBeforeColon,
    /// A line in the header section that is no field, and is left out; or one
    /// with a control character; or a trailer line that is no field.
    InvalidField,
    /// A start line with white space or control characters where none belong, with
    /// `HTTP` in small letters, with white space in front of it (section 3), or with a PROXY line in
    /// front of it that does not keep to that protocol.
    SloppyStartLine,
    /// Lines of a head, or of the framing of chunks, ended by LF alone (section
    /// 2.2).
    BareLineFeed,
    /// A head over the limit: the rest of it was not read.
    HeadTooLarge,
    /// An HTTP/1.1 request with no `Host`, or several (section 3.2).
    HostMissing,
    /// The final response came whole before the request was.
    EarlyResponse,
    /// The request's body was never sent whole, yet it was answered.
    UnfinishedRequest,
    /// An answer without a status line.
    NoStatusLine,
    /// 101 to a request that did not ask for `Upgrade`.
    UnaskedSwitch,
    /// Bytes between two messages that belong to neither, or behind a request
    /// that announced none.
    ExcessBytes,
    /// CR without LF in a head, or in the framing of chunks (section 2.2).
    BareCarriageReturn,
    /// A version that is not HTTP/1's, in a message that is (section 2.3).
    UnknownVersion,
}

/// A set of [`Anomaly`] kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(pub u32);

impl Anomaly {
    /// Every kind, in the order of their bits.
    pub const ALL: [Self; 23] = [
        Self::LengthAndEncoding,
        Self::RepeatedLength,
        Self::ConflictingLength,
        Self::InvalidLength,
        Self::MisplacedChunked,
        Self::EncodingNotChunked,
        Self::EncodingInHttp10,
        Self::ObscuredEncoding,
        Self::InvalidChunk,
        Self::FoldedField,
        Self::SpaceBeforeColon,
        Self::InvalidField,
        Self::SloppyStartLine,
        Self::BareLineFeed,
        Self::HeadTooLarge,
        Self::HostMissing,
        Self::EarlyResponse,
        Self::UnfinishedRequest,
        Self::NoStatusLine,
        Self::UnaskedSwitch,
        Self::ExcessBytes,
        Self::BareCarriageReturn,
        Self::UnknownVersion,
    ];

    /// The word for it in `wirespan.http.anomaly` and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LengthAndEncoding => "length_and_encoding",
            Self::RepeatedLength => "repeated_length",
            Self::ConflictingLength => "conflicting_length",
            Self::InvalidLength => "invalid_length",
            Self::MisplacedChunked => "misplaced_chunked",
            Self::EncodingNotChunked => "encoding_not_chunked",
            Self::EncodingInHttp10 => "encoding_in_http10",
            Self::ObscuredEncoding => "obscured_encoding",
            Self::InvalidChunk => "invalid_chunk",
            Self::FoldedField => "folded_field",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::InvalidField => "invalid_field",
            Self::SloppyStartLine => "sloppy_start_line",
            Self::BareLineFeed => "bare_line_feed",
            Self::HeadTooLarge => "head_too_large",
            Self::HostMissing => "host_missing",
            Self::EarlyResponse => "early_response",
            Self::UnfinishedRequest => "unfinished_request",
            Self::NoStatusLine => "no_status_line",
            Self::UnaskedSwitch => "unasked_switch",
            Self::ExcessBytes => "excess_bytes",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::UnknownVersion => "unknown_version",
        }
    }
}

impl Anomalies {
    /// Adds a kind.
    pub fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly as u8;
    }

    /// Adds every kind in `other`.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether the kind is in it.
    pub fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & (1 << anomaly as u8) != 0
    }

    /// Whether nothing was odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in it, in the order of [`Anomaly::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL
            .into_iter()
            .filter(move |anomaly| self.contains(*anomaly))
    }
}

/// Set of marks: what was not seen of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CaptureMarks(pub u32);

impl CaptureMarks {
    /// Bytes of a body were not copied, and were skipped by length.
    pub const TRUNCATED: Self = Self(1);
    /// Bytes were lost within the exchange.
    pub const GAP: Self = Self(1 << 1);
    /// Its request is the first message found after a loss.
    pub const RESYNCHRONISED: Self = Self(1 << 2);
    /// The end of a body was inferred from what came after it.
    pub const END_INFERRED: Self = Self(1 << 3);
    /// The request's `body_size` is a lower bound.
    pub const REQUEST_SIZE_UNKNOWN: Self = Self(1 << 4);
    /// The response's `body_size` is a lower bound.
    pub const RESPONSE_SIZE_UNKNOWN: Self = Self(1 << 5);

    /// Whether every mark in `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the marks in `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Field {
    /// A field whose name and value (without white space around it) begin at these
    /// offsets and have these lengths; `None` if they lie beyond [`HEAD_MAX`].
    pub fn new(name: usize, name_len: usize, value: usize, value_len: usize) -> Option<Self> {
        let narrow = |number: usize| u16::try_from(number).ok();
        Some(Self {
            name: narrow(name)?,
            name_len: narrow(name_len)?,
            value: narrow(value)?,
            value_len: narrow(value_len)?,
        })
    }

    /// Offset and length of the name.
    pub fn name(self) -> (usize, usize) {
        (usize::from(self.name), usize::from(self.name_len))
    }

    /// Offset and length of the value.
    pub fn value(self) -> (usize, usize) {
        (usize::from(self.value), usize::from(self.value_len))
    }
}

impl Fields {
    /// A header section within `raw`; `index` must lie within it.
    pub fn new(raw: Bytes, index: SmallVec<[Field; 12]>) -> Self {
        Self { raw, index }
    }

    /// Where they lie in the head.
    pub(crate) fn index(&self) -> &[Field] {
        &self.index
    }

    /// Bytes of the head that they lie in.
    pub fn size(&self) -> usize {
        self.raw.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Names and values, in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|field| {
            (
                slice(&self.raw, field.name()),
                slice(&self.raw, field.value()),
            )
        })
    }

    /// The first value of the field `name`, in any letter case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

fn slice(raw: &[u8], (start, len): (usize, usize)) -> &[u8] {
    raw.get(start..start + len).unwrap_or_default()
}
