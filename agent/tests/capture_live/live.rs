//! A capture of one port, and what it told.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use wirespan::probe::{Capture, Config, now};
use wirespan_stitch::event::decode::Decoded;
use wirespan_stitch::event::{Closed, Data, Direction, Event, Shortfall};

/// How long to wait for events that are expected.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait for events that are not.
pub(crate) const SILENCE: Duration = Duration::from_millis(60);

pub(crate) struct Live {
    pub(crate) capture: Capture,
    pub(crate) events: Vec<Event>,
}

impl Live {
    pub(crate) fn of_port(port: u16) -> Self {
        Self::with(
            port,
            Config {
                ring_bytes: 1 << 20,
                ..Config::default()
            },
        )
    }

    pub(crate) fn with(port: u16, mut config: Config) -> Self {
        config.filter.ports.insert(port);
        config.trace_self = true;
        let capture = Capture::load(&config)
            .unwrap_or_else(|error| panic!("this test loads BPF programs, and cannot: {error}"));
        Self {
            capture,
            events: Vec::new(),
        }
    }

    pub(crate) fn drain(&mut self) {
        let events = &mut self.events;
        let start = now();
        let sink = &mut |decoded| {
            if let Decoded::Event(event) = decoded {
                events.push(event);
            }
        };
        while self.capture.drain(&mut *sink).complete < Some(start) {}
    }

    pub(crate) fn until(&mut self, enough: impl Fn(&[Event]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.drain();
            if enough(&self.events) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not enough came: {:#?}",
                self.events
            );
            self.capture.wait(Duration::from_millis(100)).unwrap();
        }
    }

    /// Takes what was told until as many bytes were as said in each direction.
    pub(crate) fn data(&mut self, sent: u64, received: u64) -> (Vec<Data>, Vec<Data>) {
        let total = |events: &[Event], direction| -> u64 {
            events
                .iter()
                .filter_map(data)
                .filter(|data| data.direction == direction)
                .map(|data| data.length)
                .sum()
        };
        self.until(|events| {
            total(events, Direction::Send) >= sent && total(events, Direction::Receive) >= received
        });
        let all: Vec<Data> = std::mem::take(&mut self.events)
            .iter()
            .filter_map(data)
            .cloned()
            .collect();
        all.into_iter()
            .partition(|data| data.direction == Direction::Send)
    }

    pub(crate) fn silence(&mut self) -> Vec<Event> {
        std::thread::sleep(SILENCE);
        self.drain();
        let mut events = std::mem::take(&mut self.events);
        events.retain(|event| data(event).is_some());
        events
    }
}

pub(crate) fn data(event: &Event) -> Option<&Data> {
    match event {
        Event::Data(data) => Some(data),
        _ => None,
    }
}

pub(crate) fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub(crate) fn connect(listener: &TcpListener, to: &str, port: u16) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect((to, port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    (client, server)
}

/// The bytes at their offsets, put together; every byte must be there once.
pub(crate) fn assemble(pieces: &[Data], first: u64) -> Vec<u8> {
    let mut pieces: Vec<&Data> = pieces.iter().collect();
    pieces.sort_by_key(|data| data.offset);
    let mut bytes = Vec::new();
    for piece in pieces {
        assert_eq!(piece.offset, first + bytes.len() as u64, "{piece:?}");
        assert_eq!(piece.length, piece.payload.len() as u64, "{piece:?}");
        assert_eq!(piece.shortfall, Shortfall::None);
        bytes.extend_from_slice(&piece.payload);
    }
    bytes
}

pub(crate) fn closed(events: &[Event]) -> Vec<Closed> {
    let closed = events.iter().filter_map(|event| match event {
        Event::Closed(closed) => Some(closed.clone()),
        _ => None,
    });
    closed.collect()
}
