//! What the engine hands out: one [`Span`] for each exchange at each end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::event::Process;
use crate::exchange::{Exchange, Role};
use crate::time::WallTime;

/// A trace id (W3C Trace Context section 3.2.2.3); never all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// A span id (W3C Trace Context section 3.2.2.4); never all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// One end's view of an exchange, placed in a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace_id: TraceId,
    /// This span: a hash of the message's identity and the side.
    pub span_id: SpanId,
    /// The parent; `None` for a root.
    pub parent: Option<SpanId>,
    /// `tracestate` to carry on; empty if none.
    pub trace_state: Bytes,
    /// The best guess, where it was not sure enough to be the parent.
    pub link: Option<Link>,
    /// How the parent is known; `None` for a root.
    pub causality: Option<Causality>,
    /// `Role::Server` gives a SERVER span, `Role::Client` a CLIENT span.
    pub kind: Role,
    /// SERVER: the request's first byte was read. CLIENT: it was written.
    pub start: WallTime,
    /// SERVER: the response's last byte was written. CLIENT: it was read.
    pub end: WallTime,
    /// The request's last byte was sent or received, the response's first byte
    /// was sent or received.
    pub request_end: WallTime,
    /// See `request_end`; `None` without a response.
    pub response_start: Option<WallTime>,
    /// The process; `None` for a packet capture.
    pub process: Option<Arc<Process>>,
    /// The owner's address.
    pub local: SocketAddr,
    /// The other end's address.
    pub peer: SocketAddr,
    /// CLIENT: when the server, seen on this host, read the request's first byte
    /// and wrote the response's last: what is left and right of it was spent in
    /// the network and in queues.
    pub served: Option<(WallTime, WallTime)>,
    /// SERVER: when a proxy queued the request (`X-Request-Start`).
    pub queued: Option<WallTime>,
    /// The messages.
    pub exchange: Box<Exchange>,
    /// The candidates for its cause, best first, where the engine keeps them
    /// ([`crate::engine::Config::keep_candidates`]).
    pub candidates: Vec<Weighed>,
}

/// A span that was weighed as the cause of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// Its id.
    pub span_id: SpanId,
    /// How likely it is the cause, and by what.
    pub causality: Causality,
    /// Each kind of evidence with its log-likelihood ratio against there being no
    /// cause, in nats.
    pub evidence: SmallVec<[(Method, f32); 4]>,
}

/// A reference to a span that may have caused this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// How sure, and how it is known.
    pub causality: Causality,
}

/// How a parent is known, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Causality {
    /// The kind of evidence that decided.
    pub method: Method,
    /// Probability that the parent is right, 0 to 1.
    pub confidence: f32,
}

/// The kind of evidence that decided on a parent
/// (`wirespan.causality.method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The outgoing request carries a trace context or request id that the
    /// incoming one carried, or names the parent itself.
    Explicit,
    /// Both spans are the two ends of one message.
    SameConnection,
    /// One thread read the request, made the call and wrote the response.
    Thread,
    /// The last message that this event loop read.
    EventLoop,
    /// The same task of a runtime (a goroutine), or one it created.
    Coroutine,
    /// One thread woke the other.
    Wakeup,
    /// Distinctive tokens that both requests carry.
    Token,
    /// Position in a client's connection pool.
    Queue,
    /// What requests for this route usually call.
    Route,
    /// The only request that was open.
    OnlyOpen,
    /// Learnt times between events.
    Timing,
}

impl Method {
    /// The value of `wirespan.causality.method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::SameConnection => "same_connection",
            Self::Thread => "thread",
            Self::EventLoop => "event_loop",
            Self::Coroutine => "coroutine",
            Self::Wakeup => "wakeup",
            Self::Token => "token",
            Self::Queue => "queue",
            Self::Route => "route",
            Self::OnlyOpen => "only_open",
            Self::Timing => "timing",
        }
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TraceId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    /// 16 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
