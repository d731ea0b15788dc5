//! What the causality stage is told and what it answers.

use smallvec::SmallVec;

use crate::event::{SocketId, Task, Woke};
use crate::exchange::{Moment, Role};
use crate::span::{Method, TraceId};
use crate::time::Timestamp;

/// One exchange at one end; numbered by the engine in the order of its starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// One thing that a process did, as far as causality cares.
#[derive(Clone, Debug)]
pub enum Act {
    /// A request's head was read (server) or written (client).
    Started {
        /// The exchange.
        exchange: ExchangeId,
        /// The process's part in it.
        role: Role,
        /// The socket.
        socket: SocketId,
        /// First byte of the request.
        at: Moment,
        /// What its bytes say.
        features: Features,
    },
    /// The first piece of the final response was written (server) or read (client).
    Answering {
        /// The exchange.
        exchange: ExchangeId,
        /// When, and who.
        at: Moment,
    },
    /// The exchange ended, by the last byte of its response or otherwise.
    Ended {
        /// The exchange.
        exchange: ExchangeId,
        /// When, and who wrote (server) or read (client) the last piece.
        at: Moment,
    },
    /// A task opened a connection.
    Connected {
        /// The socket.
        socket: SocketId,
        /// When, and who.
        at: Moment,
    },
    /// One thread made another one runnable.
    Woke(Woke),
    /// The runtime's own memory says for whom a call is made.
    CallerIs {
        /// The call.
        exchange: ExchangeId,
        /// The task that waits for its answer.
        caller: Task,
    },
    /// A process ended: what was learnt may be kept, what is open is decided.
    Exited {
        /// Its id.
        pid: u32,
        /// When.
        time: Timestamp,
    },
}

/// What a request's bytes say, as far as causality cares. Hashes of routes and
/// callees are the same in every run: what is learnt is kept under them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Process id of the owner (0 in a packet capture).
    pub pid: u32,
    /// Separates owners that share a pid: 0 for sockets, a hash of the
    /// service's address in packet captures.
    pub owner: u64,
    /// Hash of what is asked: method and the target with its variable parts
    /// (ids, numbers) taken out.
    pub route: u64,
    /// Hash of who is asked, for a call: the peer's address (or `Host`).
    pub callee: u64,
    /// The trace that the request's headers name.
    pub trace_id: Option<TraceId>,
    /// Hashes of request ids that it carries (`X-Request-Id`, …).
    pub request_ids: SmallVec<[u64; 2]>,
    /// Hashes of distinctive tokens in its target and headers.
    pub tokens: SmallVec<[u64; 4]>,
    /// Whether it is the first request on its connection.
    pub first_on_socket: bool,
}

/// What was decided for one outgoing request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The outgoing request.
    pub call: ExchangeId,
    /// Likely causes, best first. Confidence is the calibrated probability that
    /// the candidate is the cause; what is missing to 1 is "none of them".
    pub candidates: SmallVec<[Candidate; 4]>,
}

/// An incoming request that may have caused an outgoing one.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The incoming request.
    pub cause: ExchangeId,
    /// The kind of evidence that weighed most.
    pub method: Method,
    /// Probability that it is the cause, 0 to 1.
    pub confidence: f32,
    /// Each kind of evidence with its log-likelihood ratio against there being no
    /// cause, in nats, for `explain`.
    pub evidence: SmallVec<[(Method, f32); 4]>,
}
