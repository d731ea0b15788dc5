//! What the engine is fed: one [`Event`] for each thing a capture source saw.
//!
//! Sources are the kernel's socket tracepoints, a recording of them, and packet
//! captures. An event tells facts only; nothing in it has been interpreted.

pub mod decode;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::{Timestamp, WallTime};

/// One thing that a capture source saw, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes went through a socket.
    Data(Data),
    /// A connection was established.
    Opened(Opened),
    /// A socket was closed; nothing of it follows.
    Closed(Closed),
    /// A process was first met, or became another program (`execve`).
    Process(Arc<Process>),
    /// A process ended.
    Exited {
        /// When.
        time: Timestamp,
        /// Its id, which the kernel may now use again.
        pid: u32,
    },
    /// One thread made another one runnable.
    Woke(Woke),
    /// How the two clocks stand to each other from here on.
    Clock {
        /// On the events' clock.
        time: Timestamp,
        /// The same moment in wall-clock time.
        wall: WallTime,
    },
    /// The source lost events.
    Lost(Lost),
}

/// One socket (one end of a connection) within one source: the kernel's socket
/// cookie, or a number that a packet capture's reader gave to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Which way bytes went, as the socket's owner sees it. In a packet capture the
/// owner is the end that accepted the connection, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The owner wrote them.
    Send,
    /// The owner read them.
    Receive,
}

/// Where bytes were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// In a socket call of the owner.
    #[default]
    Socket,
    /// On the way, in packets: there is no owner to speak of.
    Packets,
}

/// Who acted: a thread and, where a runtime multiplexes its own, the task on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// Process id (the kernel's tgid), in the initial pid namespace. 0: unknown.
    pub pid: u32,
    /// Thread id (the kernel's pid). 0: unknown.
    pub tid: u32,
    /// The runtime's own task, such as a goroutine's `goid`. 0: none or unknown.
    pub coroutine: u64,
    /// The task that created `coroutine`. 0: none or unknown.
    pub coroutine_parent: u64,
}

/// What both ends of a connection know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The owner's address and port.
    pub local: SocketAddr,
    /// The other end's, as the owner sees it.
    pub peer: SocketAddr,
    /// `snd_una - bytes_acked`: the owner's initial sequence number, plus 1 on
    /// the end that accepted (see [`Opener`]).
    pub sent_base: u32,
    /// `rcv_nxt - bytes_received`: the peer's initial sequence number + 1.
    pub received_base: u32,
    /// Which end opened it, where that was seen.
    pub opener: Option<Opener>,
}

/// Which end of a connection sent the SYN.
///
/// On that end `sent_base` lacks the 1 that the SYN takes, and offsets of what
/// it sends begin at 1. Everything else is the same on both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opener {
    /// The socket's owner: it called `connect`.
    Local,
    /// The other end: the owner called `accept`.
    Peer,
}

/// Bytes that went through a socket in one call (or one packet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// When the call returned.
    pub time: Timestamp,
    /// The socket.
    pub socket: SocketId,
    /// Where they were seen.
    pub source: Source,
    /// Which way they went.
    pub direction: Direction,
    /// Who made the call.
    pub task: Task,
    /// The connection.
    pub connection: Connection,
    /// Offset of the first byte in this direction of the connection: its
    /// sequence number less the direction's base, extended to 64 bits.
    pub offset: u64,
    /// How many bytes went through; 0 says only that those before `offset` did.
    pub length: u64,
    /// The first of them that were copied; at most `length`.
    pub payload: Bytes,
    /// Why `payload` is shorter than `length`.
    pub shortfall: Shortfall,
}

/// Why not all bytes of a call were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shortfall {
    /// All of them were.
    #[default]
    None,
    /// The limit of bytes copied for one call or one turn.
    Limit,
    /// The engine's own [`crate::verdict::Verdict`] asked for none.
    Unwanted,
    /// No user buffer to read: `sendfile`, `splice`, `io_uring`, …
    Unreachable,
    /// The user buffer was not in memory.
    Fault,
    /// The packet capture's snap length.
    Snapped,
}

/// A connection that was established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When.
    pub time: Timestamp,
    /// The socket.
    pub socket: SocketId,
    /// The task that called `connect`, where it was in that call; else all zero.
    pub task: Task,
    /// The connection; `opener` is known here. Sequence bases may still be 0.
    pub connection: Connection,
}

/// A socket that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub time: Timestamp,
    /// The socket.
    pub socket: SocketId,
    /// By RST, or another error, rather than FIN.
    pub reset: bool,
    /// Offset after the last byte the owner sent; `None` if unknown.
    pub sent: Option<u64>,
    /// Offset after the last byte that arrived; `None` if unknown.
    pub received: Option<u64>,
}

/// Thread `by` made `woken` runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woke {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub by: Task,
    /// Whom.
    pub woken: Task,
}

/// Facts about a process, for the OTLP Resource of its spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// When it was met.
    pub time: Timestamp,
    /// Process id, in the initial pid namespace.
    pub pid: u32,
    /// Parent's process id; 0 if unknown.
    pub parent_pid: u32,
    /// When it started, in ns after boot: with `pid`, its identity on the host.
    pub start_time: u64,
    /// `service.name`, chosen as `design.md` says.
    pub service_name: String,
    /// Path of the executable; empty if unknown.
    pub executable: String,
    /// Command line; empty if unknown.
    pub command_line: Vec<String>,
    /// Container id; empty if none.
    pub container_id: String,
    /// Further resource attributes, by their semantic-convention names.
    pub attributes: Vec<(String, String)>,
}

/// Events that a source lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// When the source told so.
    pub time: Timestamp,
    /// How many since it last told so.
    pub count: u64,
    /// Why.
    pub reason: LostReason,
}

/// Why a source lost events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LostReason {
    /// The ring buffer was full.
    RingFull,
    /// A kernel map was full.
    MapFull,
    /// A field could not be read.
    Unreadable,
}

impl Connection {
    /// The same connection as its other end sees it.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            local: self.peer,
            peer: self.local,
            sent_base: self.received_base,
            received_base: self.sent_base,
            opener: self.opener.map(|opener| match opener {
                Opener::Local => Opener::Peer,
                Opener::Peer => Opener::Local,
            }),
        }
    }
}

impl Event {
    /// When it happened.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Data(data) => data.time,
            Self::Opened(opened) => opened.time,
            Self::Closed(closed) => closed.time,
            Self::Process(process) => process.time,
            Self::Woke(woke) => woke.time,
            Self::Lost(lost) => lost.time,
            Self::Exited { time, .. } | Self::Clock { time, .. } => *time,
        }
    }
}
