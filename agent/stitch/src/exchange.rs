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
    /// The protocol the connection switched to (`Upgrade`, 101; `CONNECT`).
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

/// A response message (RFC 9112 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Three digits, 200 to 999.
    pub status: u16,
    /// The protocol version.
    pub version: Version,
    /// The header section.
    pub fields: Fields,
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
    /// A lower bound where [`CaptureMarks::BODY_SIZE_UNKNOWN`] is set.
    pub body_size: u64,
}

/// The HTTP version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/0.9: a bare answer to a bare request line.
    Http09,
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A header section: the head's bytes and where each field lies in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    raw: Bytes,
    index: SmallVec<[Field; 12]>,
}

/// Where one field line lies in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset of the name.
    pub name: u32,
    /// Length of the name.
    pub name_len: u32,
    /// Offset of the value, without white space around it.
    pub value: u32,
    /// Length of the value.
    pub value_len: u32,
}

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

/// A set of [`Anomaly`] kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(pub u32);

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
    /// `body_size` is a lower bound.
    pub const BODY_SIZE_UNKNOWN: Self = Self(1 << 4);

    /// Whether every mark in `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the marks in `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Fields {
    /// A header section within `raw`; `index` must lie within it.
    pub fn new(raw: Bytes, index: SmallVec<[Field; 12]>) -> Self {
        Self { raw, index }
    }

    /// Names and values, in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|field| {
            (
                slice(&self.raw, field.name, field.name_len),
                slice(&self.raw, field.value, field.value_len),
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

fn slice(raw: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    raw.get(start..start + len as usize).unwrap_or_default()
}
