//! Events from a fuzzer's bytes: any that the types allow, but on few sockets and
//! processes, so that they meet.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use wirespan_stitch::event::{
    Closed, Connection, Data, Direction, Event, Lost, LostReason, Opened, Opener, Process,
    Shortfall, SocketId, Source, Task, Woke,
};
use wirespan_stitch::time::{Timestamp, WallTime};

use crate::input::Input;

/// What later events of one input follow on.
#[derive(Debug, Default)]
pub(crate) struct Events {
    time: u64,
    /// By socket and direction: where the next byte is expected.
    offsets: [[u64; 2]; SOCKETS],
}

/// Sockets that events are spread over, and processes.
const SOCKETS: usize = 4;
const PROCESSES: u32 = 3;

impl Events {
    /// The next event of an input.
    pub(crate) fn next(&mut self, input: &mut Input<'_>) -> Event {
        self.pass(input);
        let time = Timestamp(self.time);
        // Data more often than all else.
        match input.byte() {
            0 => Event::Opened(self.opened(input)),
            1 => Event::Closed(self.closed(input)),
            2 => Event::Process(Arc::new(self.process(input))),
            3 => Event::Exited {
                time,
                pid: pid(input),
            },
            4 => Event::Woke(Woke {
                time,
                by: task(input),
                woken: task(input),
            }),
            5 => Event::Clock {
                time,
                wall: WallTime(input.u64()),
            },
            6 => Event::Lost(Lost {
                time,
                count: input.u16().into(),
                reason: match input.byte() % 3 {
                    0 => LostReason::RingFull,
                    1 => LostReason::MapFull,
                    _ => LostReason::Unreadable,
                },
            }),
            kind => Event::Data(self.data(kind, input)),
        }
    }

    /// Most often a little; seldom very much, or back.
    fn pass(&mut self, input: &mut Input<'_>) {
        let step = u64::from(input.byte());
        self.time = match step {
            0..=127 => self.time.saturating_add(step * 1_000),
            128..=191 => self.time.saturating_add((step - 127) * 10_000_000),
            192..=250 => self.time.saturating_add((step - 191) * 10_000_000_000),
            251..=254 => self.time.saturating_sub((step - 250) * 100_000),
            _ => input.u64(),
        };
    }

    fn data(&mut self, kind: u8, input: &mut Input<'_>) -> Data {
        let (number, socket) = socket(input);
        let direction = match kind & 1 {
            0 => Direction::Send,
            _ => Direction::Receive,
        };
        let expected = &mut self.offsets[number][direction as usize];
        let offset = match kind >> 1 & 7 {
            6 => expected.saturating_add(input.byte().into()),
            7 => input.u64(),
            _ => *expected,
        };
        let task = task(input);
        let payload = Bytes::copy_from_slice(input.short());
        let (beyond, shortfall) = beyond(kind, input);
        let length = (payload.len() as u64).saturating_add(beyond);
        *expected = offset.saturating_add(length);
        Data {
            time: Timestamp(self.time),
            socket,
            source: match kind >> 6 {
                3 => Source::Packets,
                _ => Source::Socket,
            },
            direction,
            task,
            connection: connection(number, kind),
            offset,
            length,
            payload,
            shortfall,
        }
    }

    fn opened(&self, input: &mut Input<'_>) -> Opened {
        let (number, socket) = socket(input);
        Opened {
            time: Timestamp(self.time),
            socket,
            task: task(input),
            connection: connection(number, input.byte()),
        }
    }

    fn closed(&mut self, input: &mut Input<'_>) -> Closed {
        let (number, socket) = socket(input);
        let flags = input.byte();
        let [sent, received] = std::mem::take(&mut self.offsets[number]);
        let beyond = u64::from(flags >> 4);
        Closed {
            time: Timestamp(self.time),
            socket,
            reset: flags & 1 != 0,
            sent: (flags & 2 != 0).then_some(sent.saturating_add(beyond)),
            received: (flags & 4 != 0).then_some(received),
        }
    }

    fn process(&self, input: &mut Input<'_>) -> Process {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pid = pid(input);
        Process {
            time: Timestamp(self.time),
            pid,
            parent_pid: input.u32(),
            start_time: input.u64(),
            service_name: text(input.short()),
            executable: text(input.short()),
            command_line: vec![text(input.short())],
            container_id: text(input.short()),
            attributes: vec![(text(input.short()), text(input.short()))],
        }
    }
}

fn beyond(kind: u8, input: &mut Input<'_>) -> (u64, Shortfall) {
    match kind >> 4 & 3 {
        0 => (input.u16().into(), Shortfall::Limit),
        1 if input.bit() => (input.u64(), Shortfall::Unwanted),
        1 => (input.u32().into(), Shortfall::Unreachable),
        _ => (0, Shortfall::None),
    }
}

fn socket(input: &mut Input<'_>) -> (usize, SocketId) {
    let number = usize::from(input.byte()) % SOCKETS;
    (number, SocketId(number as u64 + 1))
}

/// Sockets 0 and 1 are the two ends of one connection.
pub(crate) fn connection(number: usize, flags: u8) -> Connection {
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let v4 = |address: [u8; 4], port| SocketAddr::from((Ipv4Addr::from(address), port));
    let v6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let (local, peer, sent_base, received_base) = match number {
        0 => (v4(client, 40_000), v4(server, 80), 999, 2000),
        1 => (v4(server, 80), v4(client, 40_000), 2000, 1000),
        2 => (v4(server, 40_001), v4(client, 81), 7, 0),
        _ => (v6(443), v6(50_000), u32::MAX, 5),
    };
    let opener = match flags >> 4 & 3 {
        0 => Some(Opener::Local),
        1 => Some(Opener::Peer),
        _ => None,
    };
    Connection {
        local,
        peer,
        sent_base,
        received_base,
        opener,
    }
}

fn pid(input: &mut Input<'_>) -> u32 {
    u32::from(input.byte()) % PROCESSES
}

fn task(input: &mut Input<'_>) -> Task {
    let byte = input.byte();
    let pid = u32::from(byte) % PROCESSES;
    Task {
        pid,
        tid: pid * 10 + u32::from(byte >> 2 & 3),
        coroutine: u64::from(byte >> 4 & 3),
        coroutine_parent: u64::from(byte >> 6),
    }
}
