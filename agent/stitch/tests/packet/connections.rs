//! Where a connection begins and ends, and which of its ends is which.

use wirespan_stitch::event::Direction::{Receive, Send};
use wirespan_stitch::event::{Opener, Source};

use crate::conversation::{C, Conversation, S};
use crate::situations::{ISNS, MIDDLE, new, text};
use crate::wire::{CLIENT, SERVER, decode};

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
        let waits = off == 100;
        let heard = if counts && !waits { "" } else { "0:xyz" };
        assert_eq!(text(&outcome).1, heard, "{off}");
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

/// As a FIN does: packets of a capture may be in another order.
#[test]
fn a_reset_waits_for_what_it_follows() {
    let talk = new().send(C, "abc").send(S, "xyz").rst(S, 0);
    let last = talk.segments.len() - 1;
    let outcome = decode(&talk.swapped(last - 1, last).send(C, "late").segments);
    assert_eq!(text(&outcome), ("0:abc".to_owned(), "0:xyz".to_owned()));
    assert!(outcome.closed[0].reset);
    assert_eq!(outcome.counters.after_end, 1);
}

#[test]
fn data_in_a_syn_is_the_first_of_its_stream() {
    let talk = Conversation::new(ISNS).fast_open("abc");
    let talk = talk.send(S, "xyz").send(C, "def").close();
    let outcome = decode(&talk.segments);
    let streams = ("0:abcdef".to_owned(), "0:xyz".to_owned());
    assert_eq!(text(&outcome), streams);
    assert_eq!((outcome.opened.len(), outcome.closed.len()), (1, 1));
    assert_eq!(outcome.counters.connections, 1);
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
