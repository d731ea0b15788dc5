//! The worst that a single peer can do to the engine: time and memory.
//!
//! In: traffic of the example's own making. Out: a table with µs a unit and
//! resident memory added, at two sizes each: where one unit costs the same in
//! both, time is linear.
//!
//! Run with `cargo run --release -p wirespan-stitch --example worst_peer`.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wirespan_stitch::engine::{Config, Engine};
use wirespan_stitch::event::{
    Connection, Data, Direction, Event, Shortfall, SocketId, Source, Task,
};
use wirespan_stitch::time::Timestamp;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

const EXPECTING: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
      Content-Length: 1000000\r\n\r\n";

/// What a peer does, so many times.
type Misdeed = fn(&mut Peer, u64);

const MISDEEDS: [(&str, Misdeed, [u64; 2]); 11] = [
    ("idle connections, nothing said", silent, [10_000, 100_000]),
    (
        "idle connections, a request each",
        waiting,
        [10_000, 100_000],
    ),
    (
        "idle connections, 1 KiB of a head each",
        half_said,
        [10_000, 100_000],
    ),
    (
        "bytes of a head, one by one",
        dribbled,
        [16 << 10, 64 << 10],
    ),
    (
        "bytes of a body that may be none, one by one",
        doubtful,
        [16 << 10, 64 << 10],
    ),
    (
        "requests in a pipeline, then answers",
        pipelined,
        [1_000, 10_000],
    ),
    (
        "requests in a pipeline, no answer",
        unanswered,
        [10_000, 100_000],
    ),
    (
        "chunks of one byte, each a call",
        tiny_chunks,
        [10_000, 100_000],
    ),
    ("answers to nothing", unasked, [10_000, 100_000]),
    (
        "connections, 63 KiB of a head each",
        many_heads,
        [1_000, 10_000],
    ),
    (
        "requests in 1000 pipelines, no answer",
        many_pipelines,
        [100_000, 1_000_000],
    ),
];

fn main() {
    println!("{:<40} {:>8}  µs each  KiB added  spans", "what", "times");
    for (what, misdeed, sizes) in MISDEEDS {
        for times in sizes {
            let before = resident();
            let mut peer = Peer::new();
            let start = Instant::now();
            misdeed(&mut peer, times);
            let spent = start.elapsed();
            let added = resident().saturating_sub(before);
            let each = spent.as_secs_f64() * 1e6 / times as f64;
            println!(
                "{what:<40} {times:>8}  {each:>7.2}  {added:>9}  {}",
                peer.finish()
            );
        }
    }
}

fn silent(peer: &mut Peer, times: u64) {
    for socket in 0..times {
        peer.says(socket, Direction::Receive, b"");
    }
}

fn waiting(peer: &mut Peer, times: u64) {
    for socket in 0..times {
        peer.says(socket, Direction::Receive, GET);
    }
}

fn half_said(peer: &mut Peer, times: u64) {
    let half = [&GET[..GET.len() - 2], b"A: ", &[b'a'; 1024]].concat();
    for socket in 0..times {
        peer.says(socket, Direction::Receive, &half);
    }
}

fn dribbled(peer: &mut Peer, times: u64) {
    peer.says(0, Direction::Receive, &GET[..GET.len() - 2]);
    for _ in 0..times / 64 {
        for byte in [b"A: ", &[b'a'; 59][..], b"\r\n"].concat() {
            peer.says(0, Direction::Receive, &[byte]);
        }
    }
}

fn doubtful(peer: &mut Peer, times: u64) {
    peer.says(0, Direction::Receive, EXPECTING);
    peer.says(0, Direction::Receive, b"GET /");
    for _ in 5..times {
        peer.says(0, Direction::Receive, b"a");
    }
}

fn pipelined(peer: &mut Peer, times: u64) {
    unanswered(peer, times);
    for _ in 0..times {
        peer.says(0, Direction::Send, OK);
    }
}

fn unanswered(peer: &mut Peer, times: u64) {
    for _ in 0..times {
        peer.says(0, Direction::Receive, GET);
    }
}

fn tiny_chunks(peer: &mut Peer, times: u64) {
    peer.says(0, Direction::Receive, CHUNKED);
    for _ in 0..times {
        peer.says(0, Direction::Receive, b"1\r\na\r\n");
    }
}

fn unasked(peer: &mut Peer, times: u64) {
    for _ in 0..times {
        peer.says(0, Direction::Send, OK);
    }
}

fn many_heads(peer: &mut Peer, times: u64) {
    let half = [&GET[..GET.len() - 2], b"A: ", &b"a".repeat(63 << 10)].concat();
    for socket in 0..times {
        peer.says(socket, Direction::Receive, &half);
    }
}

fn many_pipelines(peer: &mut Peer, times: u64) {
    for time in 0..times {
        peer.says(time % 1000, Direction::Receive, GET);
    }
}

/// Makes events of what a peer says, and hands them to an engine.
struct Peer {
    engine: Engine,
    time: u64,
    /// What was said on each socket, by direction.
    offsets: HashMap<(u64, Direction), u64>,
    spans: u64,
}

impl Peer {
    fn new() -> Self {
        Self {
            engine: Engine::new(Config::default()),
            time: 0,
            offsets: HashMap::new(),
            spans: 0,
        }
    }

    fn says(&mut self, socket: u64, direction: Direction, bytes: &[u8]) {
        self.time += Duration::from_micros(1).as_nanos() as u64;
        let offset = self.offsets.entry((socket, direction)).or_default();
        let data = Data {
            time: Timestamp(self.time),
            socket: SocketId(socket + 1),
            source: Source::Packets,
            direction,
            task: Task::default(),
            connection: connection(socket),
            offset: *offset,
            length: bytes.len() as u64,
            payload: Bytes::copy_from_slice(bytes),
            shortfall: Shortfall::None,
        };
        *offset += bytes.len() as u64;
        self.engine.handle_event(Event::Data(data));
        self.drain();
    }

    fn drain(&mut self) {
        while self.engine.poll_verdict().is_some() {}
        while self.engine.poll_span().is_some() {
            self.spans += 1;
        }
    }

    fn finish(mut self) -> u64 {
        self.engine.finish();
        self.drain();
        self.spans
    }
}

fn connection(socket: u64) -> Connection {
    let address = [10, 1, (socket >> 16) as u8, (socket >> 8) as u8];
    Connection {
        local: SocketAddr::from(([10, 0, 0, 1], 80)),
        peer: SocketAddr::from((address, 1024 + (socket & 0xff) as u16)),
        sent_base: socket as u32,
        received_base: !socket as u32,
        opener: None,
    }
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}
