//! Many peers together cannot make the engine keep more than its limit, and who
//! keeps little is left in peace.

use std::alloc::System;
use std::net::SocketAddr;

use bytes::Bytes;
use cap::Cap;
use wirespan_stitch::engine::{Config, Engine};
use wirespan_stitch::event::{
    Connection, Data, Direction, Event, Shortfall, SocketId, Source, Task,
};
use wirespan_stitch::exchange::Outcome;
use wirespan_stitch::time::Timestamp;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const LIMIT: usize = 1 << 20;

/// What the later stages' tables take, which have limits of their own.
const BESIDE: usize = 8 << 20;

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// An engine, and what its sockets have said.
struct Peers {
    engine: Engine,
    said: Vec<[u64; 2]>,
    time: u64,
    outcomes: Vec<Outcome>,
    most: usize,
}

impl Peers {
    fn new() -> Self {
        Self {
            engine: Engine::new(Config {
                max_held: LIMIT,
                ..Config::default()
            }),
            said: Vec::new(),
            time: 0,
            outcomes: Vec::new(),
            most: 0,
        }
    }

    fn says(&mut self, socket: u16, direction: Direction, text: &str) {
        self.time += 1_000_000;
        if self.said.len() <= socket.into() {
            self.said.resize(usize::from(socket) + 1, [0; 2]);
        }
        let said = &mut self.said[usize::from(socket)][direction as usize];
        let length = text.len() as u64;
        self.engine.handle_event(Event::Data(Data {
            time: Timestamp(self.time),
            socket: SocketId(socket.into()),
            source: Source::Packets,
            direction,
            task: Task::default(),
            connection: Connection {
                local: SocketAddr::from(([10, 0, 0, 1], 80)),
                peer: SocketAddr::from(([10, 0, 0, 2], socket)),
                sent_base: socket.into(),
                received_base: !u32::from(socket),
                opener: None,
            },
            offset: *said,
            length,
            payload: Bytes::copy_from_slice(text.as_bytes()),
            shortfall: Shortfall::None,
        }));
        *said += length;
        self.drain();
    }

    fn drain(&mut self) {
        self.most = self.most.max(ALLOCATOR.allocated());
        while let Some(span) = self.engine.poll_span() {
            self.outcomes.push(span.exchange.outcome);
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes.filter(|other| **other == outcome).count()
    }
}

#[test]
fn many_peers_together_are_bounded() {
    let before = ALLOCATOR.allocated();
    let mut peers = Peers::new();
    peers.says(1, Direction::Receive, GET);

    let half = GET[..GET.len() - 2].to_owned() + "A: " + &"a".repeat(50_000);
    for socket in 1_000..2_000 {
        peers.says(socket, Direction::Receive, &half);
    }
    let for_heads = peers.engine.account().evicted_for_memory;
    assert!(for_heads > 900, "{for_heads}");

    for _ in 0..50 {
        for socket in 2_000..2_100 {
            peers.says(socket, Direction::Receive, GET);
        }
    }
    let for_requests = peers.engine.account().evicted_for_memory - for_heads;
    assert!(for_requests > 50, "{for_requests}");

    peers.says(1, Direction::Send, OK);
    peers.engine.finish();
    peers.drain();
    assert!(
        peers.most - before < LIMIT + BESIDE,
        "{} bytes",
        peers.most - before
    );
    assert_eq!(
        peers.count(Outcome::Complete),
        1,
        "who keeps little is kept"
    );
    assert!(peers.count(Outcome::Evicted) > 3_000);
    let account = peers.engine.account();
    assert_eq!(account.seen, account.spans + account.open);
    assert_eq!(account.open, 0);
}
