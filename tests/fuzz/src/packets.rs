//! Packets into the streams of TCP connections.
//!
//! An input is a byte that chooses how, then packets. In one way they are any
//! bytes behind any link layer. In the other they are segments of two streams
//! that are known: any part of them, in any order, lost, repeated, in fragments
//! and in tunnels, cut short, and with damage here and there.
//!
//! What must hold: every packet is accounted for; bytes are told once and in the
//! order of their offsets, times never go back; and where nothing was damaged,
//! what is told at a sequence number is what stands there.

use std::collections::BTreeMap;

use bytes::Bytes;
use wirespan_stitch::event::{Data, Direction, Event, SocketId};
use wirespan_stitch::packet::{Decoder, Limits, LinkType};
use wirespan_stitch::time::Timestamp;

use crate::input::Input;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let how = input.byte();
    let limits = Limits {
        connections: 4,
        closed: 2,
        held: 4096,
        held_total: 8192,
        ..Limits::default()
    };
    let mut check = Check::new(limits);
    if how & 1 == 0 {
        while !input.is_empty() {
            let link = LinkType(LINKS[usize::from(input.byte()) % LINKS.len()]);
            let (time, original) = (u64::from(input.u32()), input.u16().into());
            check.packet(link, time, input.short(), original);
        }
    } else {
        let mut sound = true;
        let mut time = 0;
        while !input.is_empty() {
            let packet = segment(&mut input);
            time += u64::from(packet.later) * 1_000_000;
            sound &= packet.sound;
            let original = packet.original;
            check.packet(LinkType::ETHERNET, time, &packet.bytes, original);
        }
        check.whole = sound;
    }
    check.finish();
}

/// Those that are known, and one that is not.
const LINKS: [u16; 24] = [
    0, 1, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 127, 192, 226, 228, 240,
    258, 276, 147,
];
/// Bytes of each stream.
const LENGTH: u16 = 2048;
/// The first sequence numbers; one of them wraps.
const BASES: [u32; 2] = [7, u32::MAX - 500];

struct Packet {
    bytes: Vec<u8>,
    original: usize,
    later: u8,
    /// It is what it says that it is.
    sound: bool,
}

/// What stands in the stream of one side.
fn content(side: usize, offset: u64) -> u8 {
    (offset.wrapping_mul(167) >> 3) as u8 ^ side as u8
}

/// A segment, by seven bytes and those of the damage.
fn segment(input: &mut Input<'_>) -> Packet {
    let (what, wrapping) = (input.byte(), input.byte());
    let ip = wrap(usize::from(what & 1), &tcp(what, input), wrapping);
    let mut bytes = [&[2; 12][..], &[8, 0], &ip].concat();
    let original = bytes.len();
    if wrapping & 0x40 != 0 {
        bytes.truncate(usize::from(input.byte()));
    }
    let damaged = wrapping & 0x80 != 0;
    if damaged {
        let (place, value) = (usize::from(input.byte()), input.byte());
        if let Some(byte) = bytes.get_mut(place) {
            *byte = value;
        }
    }
    Packet {
        bytes,
        original,
        later: what >> 2 & 7,
        sound: !damaged,
    }
}

/// The segment alone: a SYN, a FIN, a RST, or a part of the stream.
fn tcp(what: u8, input: &mut Input<'_>) -> Vec<u8> {
    let side = usize::from(what & 1);
    let start = input.u16() % LENGTH;
    let length = u16::from(input.byte()).min(LENGTH - start);
    let known = input.u16() % LENGTH;
    let (flag, start, length) = match what >> 5 {
        1 => (2, 0, 0),
        2 => (1, LENGTH, 0),
        7 => (4, start, 0),
        _ => (0, start, length),
    };
    // Of the handshake, only the first segment acknowledges nothing.
    let (behind_syn, ack) = match (flag, side) {
        (2, 0) => (0, 0),
        (2, _) => (0, 0x10),
        _ => (1, 0x10),
    };
    let known = if flag == 2 { 0 } else { known };
    let sequence = BASES[side].wrapping_add(behind_syn + u32::from(start));
    let acknowledgment = BASES[1 - side].wrapping_add(1 + u32::from(known));
    let ports = [40_000 + u16::from(what >> 1 & 1), 80];
    let mut tcp = Vec::new();
    tcp.extend(ports[side].to_be_bytes());
    tcp.extend(ports[1 - side].to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(acknowledgment.to_be_bytes());
    tcp.extend([0x50, flag | ack, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend((start..start + length).map(|offset| content(side, offset.into())));
    tcp
}

/// The segment in IP, perhaps the first or second half of it, perhaps in GRE.
fn wrap(side: usize, tcp: &[u8], wrapping: u8) -> Vec<u8> {
    let half = tcp.len() / 16 * 8;
    let (part, fragment) = match wrapping & 3 {
        1 => (&tcp[..half], 0x2000),
        2 => (&tcp[half..], (half / 8) as u16),
        _ => (tcp, 0),
    };
    let inner = ip(side, 6, fragment, wrapping >> 2 & 3, part);
    if wrapping & 0x10 == 0 {
        inner
    } else {
        let gre = [&[0, 0, 8, 0][..], &inner].concat();
        ip(side, 47, 0, 0, &gre)
    }
}

fn ip(side: usize, protocol: u8, fragment: u16, identification: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((20 + payload.len() as u16).to_be_bytes());
    ip.extend([0, identification]);
    ip.extend(fragment.to_be_bytes());
    ip.extend([64, protocol, 0, 0]);
    ip.extend([10, 0, 0, side as u8 + 1]);
    ip.extend([10, 0, 0, 2 - side as u8]);
    ip.extend(payload);
    ip
}

struct Check {
    decoder: Decoder,
    packets: u64,
    data: Vec<Data>,
    /// Fragments of two segments may have the same number.
    fragments: bool,
    whole: bool,
}

impl Check {
    fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            packets: 0,
            data: Vec::new(),
            fragments: false,
            whole: false,
        }
    }

    fn packet(&mut self, link: LinkType, time: u64, bytes: &[u8], original: usize) {
        let bytes = Bytes::copy_from_slice(bytes);
        let time = Timestamp(time);
        self.decoder.handle_packet(link, time, &bytes, original);
        self.packets += 1;
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(event) = self.decoder.poll_event() {
            if let Event::Data(data) = event {
                self.data.push(data);
            }
        }
    }

    fn finish(mut self) {
        self.decoder.finish();
        self.collect();
        let c = self.decoder.counters();
        assert_eq!(c.packets, self.packets);
        let undecoded = c.unknown_link + c.not_ip + c.not_tcp + c.fragments + c.headers_cut;
        assert_eq!(c.packets, c.tcp + undecoded + c.malformed);
        self.fragments = c.fragments > 0;
        let mut ends: BTreeMap<(SocketId, Direction), (u64, Timestamp)> = BTreeMap::new();
        for data in &self.data {
            let (end, time) = ends.entry((data.socket, data.direction)).or_default();
            assert!(data.length > 0 || data.offset > *end, "{data:?}");
            assert!(data.payload.len() as u64 <= data.length, "{data:?}");
            assert!(data.offset >= *end, "a byte told twice: {data:?}");
            assert!(data.time >= *time, "time goes back: {data:?}");
            *end = data.offset + data.length;
            *time = data.time;
            if self.whole && !self.fragments {
                check_content(data);
            }
        }
    }
}

fn check_content(data: &Data) {
    let connection = &data.connection;
    let server_sends = connection.local.port() == 80;
    let (side, base) = match (data.direction, server_sends) {
        (Direction::Send, true) => (1, connection.sent_base),
        (Direction::Receive, false) => (1, connection.received_base),
        (Direction::Send, false) => (0, connection.sent_base),
        (Direction::Receive, true) => (0, connection.received_base),
    };
    // Where the beginning was not seen, a stream may be told to begin later.
    let sequence = base.wrapping_add(data.offset as u32);
    let start = sequence.wrapping_sub(BASES[side]).wrapping_sub(1);
    for (offset, byte) in (u64::from(start)..).zip(&data.payload) {
        assert_eq!(*byte, content(side, offset), "at {offset} of {data:?}");
    }
}
