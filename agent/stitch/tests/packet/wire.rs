//! Builds packets, runs them through the decoder, and checks what every
//! outcome has to fulfil.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use etherparse::{
    IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel, Ipv6Header,
    TcpHeader,
};
use wirespan_stitch::event::{Closed, Data, Direction, Event, Opened, Shortfall, SocketId};
use wirespan_stitch::packet::{Counters, Decoder, Limits, LinkType};
use wirespan_stitch::time::Timestamp;

pub(crate) const CLIENT: &str = "10.0.0.1:40000";
pub(crate) const SERVER: &str = "10.0.0.2:80";

/// A TCP segment to be put into a packet.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub sequence: u32,
    pub ack: Option<u32>,
    pub flags: &'static str,
    pub payload: Vec<u8>,
}

/// A packet as captured.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub link: LinkType,
    pub time: u64,
    pub bytes: Vec<u8>,
    pub original: usize,
}

/// What the decoder made of some packets.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub opened: Vec<Opened>,
    pub data: Vec<Data>,
    pub closed: Vec<Closed>,
    pub counters: Counters,
}

impl Segment {
    /// The segment in an Ethernet frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let ether_type: [u8; 2] = if self.from.is_ipv4() {
            [8, 0]
        } else {
            [0x86, 0xdd]
        };
        [&[2; 12], &ether_type[..], &self.ip()].concat()
    }

    /// The segment in an IP packet.
    pub(crate) fn ip(&self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.sequence, 65_000);
        tcp.acknowledgment_number = self.ack.unwrap_or(0);
        tcp.ack = self.ack.is_some();
        tcp.syn = self.flags.contains('S');
        tcp.fin = self.flags.contains('F');
        tcp.rst = self.flags.contains('R');
        let length = tcp.header_len() + self.payload.len();
        let ip = match (self.from, self.to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                let (from, to) = (from.ip().octets(), to.ip().octets());
                let header = Ipv4Header::new(length as u16, 64, IpNumber::TCP, from, to).unwrap();
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                let header = Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: length as u16,
                    next_header: IpNumber::TCP,
                    hop_limit: 64,
                    source: from.ip().octets(),
                    destination: to.ip().octets(),
                };
                IpHeaders::Ipv6(header, Ipv6Extensions::default())
            }
            mixed => panic!("{mixed:?}"),
        };
        let mut bytes = Vec::new();
        ip.write(&mut bytes).unwrap();
        tcp.write(&mut bytes).unwrap();
        bytes.extend(&self.payload);
        bytes
    }
}

/// The segments in Ethernet frames, a millisecond apart.
pub(crate) fn frames(segments: &[Segment]) -> Vec<Captured> {
    (1u64..)
        .zip(segments)
        .map(|(time, segment)| {
            let bytes = segment.frame();
            let original = bytes.len();
            Captured {
                link: LinkType::ETHERNET,
                time: time * 1_000_000,
                bytes,
                original,
            }
        })
        .collect()
}

/// Runs segments through a decoder with the usual limits.
pub(crate) fn decode(segments: &[Segment]) -> Outcome {
    run(Limits::default(), &frames(segments))
}

/// Runs packets through a decoder and checks the rules of events.
pub(crate) fn run(limits: Limits, packets: &[Captured]) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut outcome = Outcome::default();
    for packet in packets {
        let bytes = Bytes::from(packet.bytes.clone());
        decoder.handle_packet(packet.link, Timestamp(packet.time), &bytes, packet.original);
        outcome.collect(&mut decoder);
    }
    decoder.finish();
    outcome.collect(&mut decoder);
    outcome.counters = *decoder.counters();
    outcome.check();
    outcome
}

impl Outcome {
    fn collect(&mut self, decoder: &mut Decoder) {
        while let Some(event) = decoder.poll_event() {
            match event {
                Event::Clock { time, wall } => assert_eq!(time.0, wall.0),
                Event::Opened(opened) => self.opened.push(opened),
                Event::Data(data) => {
                    assert!(
                        !self
                            .closed
                            .iter()
                            .any(|closed| closed.socket == data.socket)
                    );
                    self.data.push(data);
                }
                Event::Closed(closed) => self.closed.push(closed),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The bytes of one direction by their offsets; those not captured are 0.
    pub(crate) fn stream(&self, socket: u64, direction: Direction) -> Vec<(u64, Vec<u8>)> {
        let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
        for data in &self.data {
            if (data.socket, data.direction) == (SocketId(socket), direction) {
                let mut bytes = data.payload.to_vec();
                bytes.resize(data.length as usize, 0);
                match pieces.last_mut() {
                    Some((offset, last)) if *offset + last.len() as u64 == data.offset => {
                        last.extend(bytes);
                    }
                    _ => pieces.push((data.offset, bytes)),
                }
            }
        }
        pieces
    }

    /// As [`Self::stream`], of the first socket, for text.
    pub(crate) fn text(&self, direction: Direction) -> Vec<(u64, String)> {
        let pieces = self.stream(1, direction).into_iter();
        pieces
            .map(|(offset, bytes)| (offset, String::from_utf8(bytes).unwrap()))
            .collect()
    }

    fn check(&self) {
        let mut ends: BTreeMap<(SocketId, Direction), (u64, Timestamp)> = BTreeMap::new();
        for data in &self.data {
            let (end, time) = ends.entry((data.socket, data.direction)).or_default();
            assert!(data.length > 0 || data.offset > *end, "{data:?}");
            assert!(data.offset >= *end, "a byte told twice: {data:?}");
            assert!(data.time >= *time, "time goes back: {data:?}");
            let whole = data.payload.len() as u64 == data.length;
            assert_eq!(data.shortfall == Shortfall::None, whole, "{data:?}");
            *end = data.offset + data.length;
            *time = data.time;
        }
        for opened in &self.opened {
            let mut data = self.data.iter().filter(|data| data.socket == opened.socket);
            assert!(data.all(|data| data.time >= opened.time));
        }
        for closed in &self.closed {
            let mut data = self.data.iter().filter(|data| data.socket == closed.socket);
            assert!(data.all(|data| data.time <= closed.time));
        }
        let c = &self.counters;
        let undecoded = c.unknown_link + c.not_ip + c.not_tcp + c.fragments + c.headers_cut;
        assert_eq!(c.packets, c.tcp + undecoded + c.malformed);
    }
}
