//! What is kept of packets, at most, and what a snap length leaves of them.

use std::time::Duration;

use wirespan_stitch::event::Direction::Receive;
use wirespan_stitch::event::Shortfall;
use wirespan_stitch::packet::Limits;

use crate::conversation::{C, Conversation, S};
use crate::situations::{MIDDLE, new, text};
use crate::wire::{SERVER, frames, run};

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
