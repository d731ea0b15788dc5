//! What can happen to a TCP connection on its way into a capture, one by one.

use std::time::Duration;

use wirespan_stitch::event::Direction::{Receive, Send};
use wirespan_stitch::event::{Opener, Shortfall, Source};
use wirespan_stitch::packet::{Limits, LinkType};

use crate::conversation::{C, Conversation, S};
use crate::wire::{CLIENT, Captured, Outcome, SERVER, decode, frames, run};

const ISNS: [u32; 2] = [1000, 5000];
const MIDDLE: u64 = 1 << 32;

fn new() -> Conversation {
    Conversation::new(ISNS).handshake()
}

/// Both streams as `offset:text …`; offsets after [`MIDDLE`] as `M…`.
fn text(outcome: &Outcome) -> (String, String) {
    let joined = |direction| {
        let pieces = outcome.text(direction).into_iter().map(|(offset, text)| {
            offset
                .checked_sub(MIDDLE)
                .map_or(format!("{offset}:{text}"), |o| format!("M{o}:{text}"))
        });
        pieces.collect::<Vec<_>>().join(" ")
    };
    (joined(Receive), joined(Send))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_situation_gives_the_streams_that_were_sent() {
    let base = || new().send(C, "abc").send(S, "xyz");
    let cases: Vec<(&str, Conversation, &str, &str)> = vec![
        ("plain", base().close(), "0:abc", "0:xyz"),
        (
            "sequence wrap",
            {
                let wrap = Conversation::new([u32::MAX - 2, u32::MAX]).handshake();
                wrap.send(C, "abc").send(C, "def").send(S, "xyz").close()
            },
            "0:abcdef",
            "0:xyz",
        ),
        (
            "retransmission",
            base().again(C, 3, b"abc").send(C, "d"),
            "0:abcd",
            "0:xyz",
        ),
        (
            "out of order",
            {
                new()
                    .send(C, "a")
                    .send(C, "b")
                    .send(C, "c")
                    .swapped(3, 5)
                    .send(S, "xyz")
            },
            "0:abc",
            "0:xyz",
        ),
        (
            "overlap of old and new",
            base().again(C, 2, b"bcde").again(C, -2, b"fg"),
            "0:abcdefg",
            "0:xyz",
        ),
        (
            "overlap in what is held",
            {
                new()
                    .again(C, -2, b"cd")
                    .again(C, -5, b"fg")
                    .again(C, 0, b"abCDefg")
                    .send(S, "xyz")
            },
            "0:abcdefg",
            "0:xyz",
        ),
        (
            "keep-alive with a byte of rubbish",
            {
                base()
                    .again(C, 1, b"\0")
                    .ack(S)
                    .again(S, 1, b"\0")
                    .send(C, "d")
            },
            "0:abcd",
            "0:xyz",
        ),
        (
            "keep-alive where data is missing",
            {
                base()
                    .send(C, "de")
                    .ack(S)
                    .again(C, 1, b"\0")
                    .send(C, "fg")
                    .without(&[5])
            },
            "0:abc 5:fg",
            "0:xyz",
        ),
        (
            "zero window probe",
            base().again(C, 0, b"d").again(C, 0, b"def"),
            "0:abcdef",
            "0:xyz",
        ),
        ("no SYN", base().without(&[0]), "0:abc", "0:xyz"),
        ("no SYN-ACK", base().without(&[1]), "0:abc", "0:xyz"),
        (
            "no handshake",
            base().without(&[0, 1, 2]),
            "M0:abc",
            "M0:xyz",
        ),
        (
            "in the middle, out of order",
            {
                new()
                    .send(C, "a")
                    .send(S, "x")
                    .send(S, "y")
                    .send(S, "z")
                    .without(&[0, 1, 2])
                    .swapped(1, 3)
            },
            "M0:a",
            "M0:xyz",
        ),
        (
            "client only",
            base().send(C, "def").close().without(&[1, 4, 7]),
            "0:abcdef",
            "",
        ),
        (
            "server only",
            base().send(S, "123").close().without(&[0, 2, 3, 6, 8]),
            "",
            "0:xyz123",
        ),
        (
            "lost, and acknowledged",
            {
                base()
                    .send(C, "def")
                    .send(C, "ghi")
                    .send(S, "123")
                    .without(&[5])
            },
            "0:abc 6:ghi",
            "0:xyz123",
        ),
        (
            "lost, and nothing after",
            base().send(C, "def").send(S, "123").close().without(&[5]),
            "0:abc",
            "0:xyz123",
        ),
        (
            "lost, never acknowledged",
            base().send(C, "def").send(C, "ghi").without(&[5]),
            "0:abc 6:ghi",
            "0:xyz",
        ),
        (
            "data in the SYN (Fast Open)",
            {
                let mut open = Conversation::new(ISNS).handshake().again(C, 0, b"abc");
                open.segments[0].payload = b"ab".to_vec();
                open.send(S, "xyz")
            },
            "0:abc",
            "0:xyz",
        ),
        (
            "FIN with data",
            {
                let mut fin = base().fin(C);
                fin.segments[5].payload = b"d".to_vec();
                fin
            },
            "0:abcd",
            "0:xyz",
        ),
        (
            "FIN out of order",
            base().send(C, "def").fin(C).swapped(5, 6),
            "0:abcdef",
            "0:xyz",
        ),
        (
            "data beyond the FIN",
            base().fin(C).again(C, 0, b"EVIL").send(S, "1"),
            "0:abc",
            "0:xyz1",
        ),
    ];
    for (name, conversation, received, sent) in cases {
        let outcome = decode(&conversation.segments);
        let (got_received, got_sent) = text(&outcome);
        assert_eq!(
            (&*got_received, &*got_sent),
            (received, sent),
            "{name}: {outcome:#?}"
        );
        // What every interface shows once more changes nothing.
        let twice: Vec<_> = conversation
            .segments
            .iter()
            .flat_map(|one| [one.clone(), one.clone()])
            .collect();
        assert_eq!(
            text(&decode(&twice)),
            (got_received, got_sent),
            "{name}, captured twice"
        );
    }
}

#[test]
fn the_facts_of_a_connection() {
    let outcome = decode(&new().send(C, "abc").send(S, "xyz").close().segments);
    let [opened] = &outcome.opened[..] else {
        panic!("{outcome:#?}")
    };
    let connection = opened.connection;
    assert_eq!(connection.local, SERVER.parse().unwrap());
    assert_eq!(connection.peer, CLIENT.parse().unwrap());
    assert_eq!(
        (connection.sent_base, connection.received_base),
        (5001, 1001)
    );
    assert_eq!(connection.opener, Some(Opener::Peer));
    assert_eq!(opened.time.0, 2_000_000);
    assert!(
        outcome
            .data
            .iter()
            .all(|data| data.connection == connection)
    );
    assert!(
        outcome
            .data
            .iter()
            .all(|data| data.source == Source::Packets)
    );
    let [closed] = &outcome.closed[..] else {
        panic!("{outcome:#?}")
    };
    assert_eq!(
        (closed.reset, closed.sent, closed.received),
        (false, Some(3), Some(3))
    );
}

#[test]
fn seen_from_the_middle_the_lower_port_is_the_server() {
    for (client, server) in [
        (CLIENT, SERVER),
        ("[2001:db8::1]:40000", "[2001:db8::2]:8080"),
    ] {
        let talk = Conversation::between(client, server, ISNS)
            .send(S, "xyz")
            .send(C, "abc");
        let outcome = decode(&talk.segments);
        let connection = outcome.data[0].connection;
        assert_eq!(connection.local, server.parse().unwrap());
        assert_eq!(connection.opener, None);
        assert_eq!(
            (connection.sent_base, connection.received_base),
            (5000, 1000)
        );
        assert_eq!(text(&outcome), ("M0:abc".to_owned(), "M0:xyz".to_owned()));
        assert!(outcome.opened.is_empty() && outcome.closed.is_empty());
    }
}

#[test]
fn a_piece_has_the_time_of_the_last_packet_up_to_it() {
    let talk = new().send(C, "a").send(C, "b").send(C, "c").swapped(3, 4);
    let times: Vec<_> = decode(&talk.segments)
        .data
        .iter()
        .map(|data| (data.payload[0], data.time.0 / 1_000_000))
        .collect();
    assert_eq!(times, [(b'a', 5), (b'b', 5), (b'c', 6)]);
}

#[test]
fn resets_count_only_within_the_window() {
    for (off, counts) in [
        (0, true),
        (100, true),
        (-200, false),
        (65_001, false),
        (1 << 30, false),
    ] {
        let talk = new().send(C, "abc").ack(S).rst(C, off).send(S, "xyz");
        let outcome = decode(&talk.segments);
        assert_eq!(outcome.closed.len(), usize::from(counts), "{off}");
        assert!(
            outcome
                .closed
                .iter()
                .all(|closed| closed.reset && closed.sent.is_none())
        );
        assert_eq!(outcome.counters.resets_ignored, u64::from(!counts), "{off}");
        assert_eq!(text(&outcome).1, if counts { "" } else { "0:xyz" });
    }
    let refused = Conversation::new(ISNS)
        .handshake()
        .rst(S, -1)
        .without(&[1, 2]);
    let outcome = decode(&refused.segments);
    assert!(
        outcome.opened.is_empty() && outcome.closed.is_empty(),
        "{outcome:#?}"
    );
}

#[test]
fn reused_ports_are_another_connection() {
    let first = new().send(C, "abc");
    let second = Conversation::new([90_000, 70_000])
        .handshake()
        .send(C, "def");
    let unseen_end = [&first.segments[..], &second.segments].concat();
    let seen_end = [&first.clone().close().segments[..], &second.segments].concat();
    let no_syn = [
        &first.close().segments[..],
        &second.without(&[0, 1, 2]).segments,
    ]
    .concat();
    for (segments, opened, offset, reused) in [
        (unseen_end, 2, 0, 1),
        (seen_end, 2, 0, 0),
        (no_syn, 1, MIDDLE, 0),
    ] {
        let outcome = decode(&segments);
        assert_eq!((outcome.opened.len(), outcome.closed.len()), (opened, 1));
        assert_eq!(outcome.stream(1, Receive), [(0, b"abc".to_vec())]);
        assert_eq!(outcome.stream(2, Receive), [(offset, b"def".to_vec())]);
        assert_eq!(outcome.counters.reused, reused);
    }
}

#[test]
fn what_comes_after_the_end_is_not_a_new_connection() {
    let closed = new().send(C, "abc").close().again(C, 4, b"abc").ack(S);
    let outcome = decode(&closed.segments);
    assert_eq!(outcome.counters.connections, 1);
    assert_eq!(outcome.counters.after_end, 3, "{:?}", outcome.counters);
    let reset = new().send(C, "abc").rst(C, 0).send(S, "late");
    assert_eq!(decode(&reset.segments).stream(1, Send), []);
}

#[test]
fn one_connection_seen_through_address_translation_is_told_once() {
    let outside = Conversation::between(CLIENT, "10.0.0.9:8080", ISNS).handshake();
    let inside = Conversation::between(CLIENT, "172.17.0.2:80", ISNS).handshake();
    let outside = outside.send(C, "abc").send(S, "xyz").close();
    let inside = inside.send(C, "abc").send(S, "xyz").close();
    let mut both = Vec::new();
    for (outside, inside) in outside.segments.into_iter().zip(inside.segments) {
        let from_server = outside.from.port() == 8080;
        let pair = if from_server {
            [inside, outside]
        } else {
            [outside, inside]
        };
        both.extend(pair);
    }
    let outcome = decode(&both);
    assert_eq!(
        (
            outcome.opened.len(),
            outcome.data.len(),
            outcome.closed.len()
        ),
        (1, 2, 1)
    );
    assert_eq!(
        outcome.opened[0].connection.local,
        "172.17.0.2:80".parse().unwrap()
    );
    assert!(outcome.counters.seen_elsewhere > 0);

    // Made-up captures have the same numbers in every connection.
    let one = Conversation::between(CLIENT, SERVER, [0, 0])
        .handshake()
        .send(C, "abc");
    let two = Conversation::between("10.0.0.1:2", SERVER, [0, 0])
        .handshake()
        .send(C, "def");
    let outcome = decode(&[one.segments, two.segments].concat());
    assert_eq!((outcome.opened.len(), outcome.data.len()), (2, 2));
}

#[test]
fn differing_copies_are_counted_and_the_first_wins() {
    let talk = new()
        .again(C, -3, b"def")
        .again(C, -3, b"dEf")
        .send(C, "abc");
    let outcome = decode(&talk.segments);
    assert_eq!(text(&outcome).0, "0:abcdef");
    assert_eq!(outcome.counters.overlap_conflicts, 1);
    assert_eq!(outcome.counters.repeated, 1);
}

#[test]
fn a_limit_on_what_is_held_gives_the_hole_up() {
    let lost = new()
        .send(C, "a")
        .send(C, "b")
        .send(C, "c")
        .send(C, "d")
        .send(C, "e")
        .without(&[4]);
    let all = Limits::default();
    for limits in [
        Limits { held: 300, ..all },
        Limits {
            held_total: 300,
            ..all
        },
    ] {
        let outcome = run(limits, &frames(&lost.segments));
        assert_eq!(text(&outcome).0, "0:a 2:cde");
        let counters = outcome.counters;
        assert_eq!(
            (counters.held_limit, counters.gaps, counters.gap_bytes),
            (1, 1, 1)
        );
    }
}

#[test]
fn limits_on_connections_and_time_are_kept_and_counted() {
    let talks: Vec<_> = (1..=5)
        .flat_map(|port| {
            let client = format!("10.0.0.1:{}", 40_000 + port);
            Conversation::between(&client, SERVER, [port; 2])
                .handshake()
                .send(C, "abc")
                .segments
        })
        .collect();
    let all = Limits::default();
    let outcome = run(
        Limits {
            connections: 2,
            ..all
        },
        &frames(&talks),
    );
    assert_eq!(
        (outcome.counters.connections, outcome.counters.evicted),
        (5, 3)
    );
    assert_eq!(outcome.data.len(), 5);
    assert!(outcome.closed.is_empty(), "none of them was seen to close");

    let mut packets = frames(&new().send(C, "abc").fin(S).send(C, "def").segments);
    packets[5].time += Duration::from_hours(2).as_nanos() as u64;
    let outcome = run(all, &packets);
    assert_eq!(
        (outcome.counters.idle, outcome.counters.connections),
        (1, 2)
    );
    assert_eq!(outcome.closed.len(), 1, "half closed");
    assert_eq!(outcome.stream(2, Receive), [(MIDDLE, b"def".to_vec())]);
}

#[test]
fn snapped_packets_keep_their_true_length() {
    let talk = new().send(C, "abcdefgh").send(C, "ijkl");
    // Ethernet, IP and TCP take 54 bytes.
    for (snap, seen) in [(62, 8), (57, 3), (54, 0)] {
        let mut packets = frames(&talk.segments);
        for packet in &mut packets {
            packet.bytes.truncate(snap);
        }
        let outcome = run(Limits::default(), &packets);
        let first = &outcome.data[0];
        assert_eq!((first.length, first.payload.len()), (8, seen));
        assert_eq!(outcome.data[1].offset, 8);
        assert_eq!(first.shortfall == Shortfall::Snapped, seen < 8);
        assert_eq!(outcome.counters.snapped > 0, seen < 4);
    }
    let mut packets = frames(&talk.segments);
    for packet in &mut packets {
        packet.bytes.truncate(53);
    }
    let outcome = run(Limits::default(), &packets);
    assert_eq!((outcome.data.len(), outcome.counters.headers_cut), (0, 5));
}

#[test]
fn every_link_layer_and_odd_packet_is_decoded() {
    let v6 = Conversation::between("[2001:db8::1]:40000", "[2001:db8::2]:80", ISNS);
    for talk in [new(), v6.handshake()] {
        let talk = talk.send(C, "abc").send(S, "xyz");
        let v4 = talk.segments[0].from.is_ipv4();
        let kind: &[u8] = if v4 { &[8, 0] } else { &[0x86, 0xdd] };
        let length_at = if v4 { 2 } else { 4 };
        let family: &[u8] = if v4 { &[2, 0, 0, 0] } else { &[10, 0, 0, 0] };
        let wrapped = |link: LinkType, before: &[&[u8]], after: &[u8], offload: bool| {
            let segments = (1..).zip(&talk.segments);
            let packets = segments.map(|(time, segment)| {
                let mut ip = segment.ip();
                if offload {
                    ip[length_at..length_at + 2].fill(0);
                }
                let bytes = [&before.concat()[..], &ip, after].concat();
                Captured {
                    link,
                    time,
                    original: bytes.len(),
                    bytes,
                }
            });
            packets.collect::<Vec<_>>()
        };
        let macs: &[u8] = &[2; 12];
        for (name, packets) in [
            (
                "padded",
                wrapped(LinkType::ETHERNET, &[macs, kind], &[0; 20], false),
            ),
            (
                "offloaded",
                wrapped(LinkType::ETHERNET, &[macs, kind], &[], true),
            ),
            (
                "vlan",
                wrapped(
                    LinkType::ETHERNET,
                    &[macs, &[0x81, 0, 0, 5], kind],
                    &[],
                    false,
                ),
            ),
            (
                "SLL",
                wrapped(LinkType::LINUX_SLL, &[&[0; 14], kind], &[], false),
            ),
            (
                "SLL2",
                wrapped(LinkType::LINUX_SLL2, &[kind, &[0; 18]], &[], false),
            ),
            ("null", wrapped(LinkType::NULL, &[family], &[], false)),
            ("raw", wrapped(LinkType::RAW, &[], &[], false)),
            ("ipv4", wrapped(LinkType::IPV4, &[], &[], false)),
            ("ipv6", wrapped(LinkType::IPV6, &[], &[], false)),
        ] {
            let outcome = run(Limits::default(), &packets);
            let got = text(&outcome);
            assert_eq!(got, ("0:abc".to_owned(), "0:xyz".to_owned()), "{name}");
        }
    }
}

#[test]
fn ipv6_extension_headers_are_passed_and_fragments_counted() {
    let v6 = Conversation::between("[2001:db8::1]:40000", "[2001:db8::2]:80", ISNS);
    let talk = v6.handshake().send(C, "abc");
    // Hop-by-hop, destination options, and a routing header, 8 bytes each.
    let options = [
        60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
    ];
    let fragment = [6, 0, 0, 1, 0, 0, 0, 9];
    for (first, extension, data) in [(0, &options[..], 1), (44, &fragment[..], 0)] {
        let mut packets = frames(&talk.segments);
        for packet in &mut packets {
            packet.bytes.splice(54..54, extension.iter().copied());
            packet.bytes[19] += extension.len() as u8;
            packet.bytes[20] = first;
            packet.original = packet.bytes.len();
        }
        let outcome = run(Limits::default(), &packets);
        assert_eq!(outcome.data.len(), data);
        assert_eq!(outcome.counters.fragments, 4 * (1 - data as u64));
    }
    let mut packets = frames(&new().send(C, "abc").segments);
    packets[3].bytes[20] |= 0x20; // more fragments
    assert_eq!(run(Limits::default(), &packets).counters.fragments, 1);
}

/// An Ethernet frame's IPv4 packet in fragments of so many bytes.
fn in_fragments(packet: &Captured, size: usize) -> Vec<Captured> {
    let (headers, payload) = packet.bytes.split_at(34);
    let parts = payload.chunks(size).enumerate();
    let fragment = |(number, part): (usize, &[u8])| {
        let mut bytes = [headers, part].concat();
        let length = (20 + part.len()) as u16;
        let more = (number + 1) * size < payload.len();
        let flags = (number * size / 8) as u16 | u16::from(more) << 13;
        bytes[16..18].copy_from_slice(&length.to_be_bytes());
        bytes[20..22].copy_from_slice(&flags.to_be_bytes());
        let original = bytes.len();
        Captured {
            bytes,
            original,
            ..packet.clone()
        }
    };
    parts.map(fragment).collect()
}

#[test]
fn fragments_become_whole_packets_in_any_order() {
    let packets = frames(&new().send(C, "a long way to go in parts").segments);
    let (whole, before) = packets.split_last().unwrap();
    let parts = in_fragments(whole, 16);
    assert_eq!(parts.len(), 3);
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let parts = order.map(|part| parts[part].clone());
        let twice = [before, &parts[..2], &parts[..1], &parts[2..]].concat();
        let outcome = run(Limits::default(), &twice);
        let text = outcome.text(Receive);
        assert_eq!(text, [(0, "a long way to go in parts".to_owned())]);
        let counters = outcome.counters;
        assert_eq!((counters.fragments, counters.fragments_lost), (3, 1));
    }
    let missing = [before, &parts[..2]].concat();
    let outcome = run(Limits::default(), &missing);
    assert!(outcome.data.is_empty());
    assert_eq!(outcome.counters.fragments, 2);
    let many: Vec<_> = (0..=u8::MAX)
        .chain([1, 2])
        .map(|number| {
            let mut part = parts[0].clone();
            part.bytes[15] = number % 64; // not the number: an address
            part.bytes[18] = number;
            part.bytes[29] = number / 64;
            part
        })
        .collect();
    let counters = run(Limits::default(), &many).counters;
    assert_eq!(counters.fragments, many.len() as u64);
    assert!(counters.fragments_lost >= 2);
}

#[test]
fn connections_in_tunnels_are_followed() {
    let talk = new().send(C, "abc").send(S, "xyz");
    // GRE, of one kind or the other.
    let tunnels: [(u8, Vec<u8>); 3] = [
        (4, Vec::new()),
        (47, vec![0, 0, 8, 0]),
        (47, [&[0, 0, 0x65, 0x58][..], &[2; 12], &[8, 0]].concat()),
    ];
    for (protocol, between) in tunnels {
        let mut packets = frames(&talk.segments);
        for packet in &mut packets {
            let inner = packet.bytes.split_off(14);
            let length = (20 + between.len() + inner.len()) as u16;
            packet.bytes.extend([0x45, 0]);
            packet.bytes.extend(length.to_be_bytes());
            packet.bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
            packet.bytes.extend([192, 0, 2, 1, 192, 0, 2, 2]);
            packet.bytes.extend(&between);
            packet.bytes.extend(inner);
            packet.original = packet.bytes.len();
        }
        let outcome = run(Limits::default(), &packets);
        assert_eq!(text(&outcome), ("0:abc".to_owned(), "0:xyz".to_owned()));
        assert_eq!(outcome.data[0].connection.peer.to_string(), CLIENT);
    }
}

/// The other end's word is not taken for where a stream begins if its sender
/// says otherwise.
#[test]
fn a_damaged_acknowledgment_costs_nothing() {
    let talk = new().send(C, "abc").send(S, "xyz");
    let mut segments = talk.segments;
    segments.remove(1);
    segments[1].ack = Some(0x7000_0000);
    let outcome = decode(&segments);
    assert_eq!(outcome.stream(1, Send)[0].1, b"xyz");
}
