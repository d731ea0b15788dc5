//! What lies around TCP: links, IP with extension headers and fragments, tunnels.

use wirespan_stitch::event::Direction::Receive;
use wirespan_stitch::packet::{Limits, LinkType};

use crate::conversation::{C, Conversation, S};
use crate::situations::{ISNS, new, text};
use crate::wire::{CLIENT, Captured, frames, run};

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
