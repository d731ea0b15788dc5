//! What can happen to a TCP connection on its way into a capture, one by one.

use wirespan_stitch::event::Direction::{Receive, Send};
use wirespan_stitch::packet::Limits;

use crate::conversation::{C, Conversation, S};
use crate::wire::{Outcome, decode, frames, run};

pub(crate) const ISNS: [u32; 2] = [1000, 5000];

pub(crate) const MIDDLE: u64 = 1 << 32;

pub(crate) fn new() -> Conversation {
    Conversation::new(ISNS).handshake()
}

/// Both streams as `offset:text …`; offsets after [`MIDDLE`] as `M…`.
pub(crate) fn text(outcome: &Outcome) -> (String, String) {
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
            "an acknowledgment before what it acknowledges",
            base().send(C, "d").ack(S).send(C, "e").swapped(5, 6),
            "0:abcde",
            "0:xyz",
        ),
        (
            "an answer before what it answers, and others behind it",
            {
                base()
                    .send(C, "de")
                    .send(C, "f")
                    .send(S, "1")
                    .ack(C)
                    .send(S, "2")
                    .swapped(5, 9)
            },
            "0:abcdef",
            "0:xyz12",
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
            "in the middle, the answer first",
            {
                new()
                    .send(C, "ask")
                    .send(S, "answer")
                    .send(C, "more")
                    .without(&[0, 1, 2])
                    .swapped(0, 1)
            },
            "M0:askmore",
            "M0:answer",
        ),
        (
            "in the middle, a probe first",
            {
                new()
                    .send(C, "ask")
                    .send(S, "answer")
                    .again(C, 1, b"k")
                    .send(C, "more")
                    .without(&[0, 1, 2, 3])
            },
            "M0:more",
            "M0:answer",
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
            "0:abc 6:",
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

#[test]
fn a_keep_alive_where_data_is_missing_is_no_data() {
    let talk = new().send(C, "abc").send(C, "de").ack(S);
    let talk = talk.again(C, 1, b"\0").send(C, "fg").without(&[4]);
    let mut packets = frames(&talk.segments);
    for packet in &mut packets[5..] {
        packet.time += 1_000_000_000;
    }
    let outcome = run(Limits::default(), &packets);
    assert_eq!(text(&outcome).0, "0:abc 5:fg");
}

/// That bytes were lost is told when it is known, though nothing comes after them.
#[test]
fn what_was_lost_and_acknowledged_is_told() {
    let talk = new().send(C, "abc").send(C, "def").ack(S);
    for closed in [false, true] {
        let talk = if closed {
            talk.clone().fin(S)
        } else {
            talk.clone()
        };
        let outcome = decode(&talk.without(&[4]).segments);
        assert_eq!(text(&outcome).0, "0:abc 6:", "closed: {closed}");
        assert_eq!(outcome.counters.gap_bytes, 3);
    }
}

/// A loss does not put an answer before its request, or far behind it.
#[test]
fn what_waits_for_lost_bytes_keeps_its_order() {
    let mut talk = new().send(C, "lost");
    for _ in 0..40 {
        talk = talk.send(S, "1").send(C, "a");
    }
    let outcome = decode(&talk.without(&[3]).segments);
    let order: Vec<_> = outcome.data.iter().map(|data| data.direction).collect();
    assert_eq!(order[0], Receive, "that it was lost");
    assert_eq!(order[1..], [Send, Receive].repeat(40));
}

/// What waits behind lost bytes may itself have come before what it answers.
#[test]
fn an_answer_before_what_it_answers_is_put_right_behind_a_loss() {
    let mut talk = new().send(C, "a").send(S, "lost").ack(C);
    talk = talk.send(C, "b").send(S, "1").swapped(6, 7);
    for _ in 0..20 {
        talk = talk.ack(C);
    }
    let outcome = decode(&talk.without(&[4]).segments);
    let order: Vec<_> = outcome.data.iter().map(|data| data.direction).collect();
    assert_eq!(order, [Receive, Send, Receive, Send], "the loss is told");
    let times: Vec<_> = outcome.data.iter().map(|data| data.time).collect();
    assert!(times.is_sorted(), "the engine goes by time: {times:?}");
}

/// Captures of both directions, put together by clocks that differ: whichever is
/// late, from the handshake on, an answer is told behind its request.
#[test]
fn one_direction_may_come_later_than_the_other() {
    let mut talk = new();
    for _ in 0..30 {
        talk = talk.send(C, "request").send(S, "response");
    }
    for late in [C, S] {
        let mut places: Vec<_> = talk.segments.iter().enumerate().collect();
        places.sort_by_key(|(at, segment)| at + 50 * usize::from(segment.from == talk.ends[late]));
        let segments: Vec<_> = places.into_iter().map(|(_, it)| it.clone()).collect();
        let outcome = decode(&segments);
        let order: Vec<_> = outcome.data.iter().map(|data| data.direction).collect();
        assert_eq!(order, [Receive, Send].repeat(30), "{late} is late");
        assert!(outcome.data.iter().map(|data| data.time).is_sorted());
    }
}

/// Packets of several queues: wherever the SYNs are, the beginning is one.
#[test]
fn a_handshake_may_be_in_any_order() {
    let talk = new().send(C, "abc").send(S, "xyz").close();
    for (a, b) in [(0, 1), (0, 2), (1, 2), (1, 3), (1, 4)] {
        let outcome = decode(&talk.clone().swapped(a, b).segments);
        let streams = ("0:abc".to_owned(), "0:xyz".to_owned());
        assert_eq!(text(&outcome), streams, "{a} and {b} swapped");
    }
}

/// The clocks of a capture may run back and forth: packets are told in the order
/// in which they can have gone by.
#[test]
fn times_that_run_back_do_not_change_the_order() {
    let mut talk = new();
    for _ in 0..10 {
        talk = talk.send(C, "request").send(S, "response");
    }
    let mut packets = frames(&talk.segments);
    for (at, packet) in packets.iter_mut().enumerate() {
        packet.time = 60_000_000 - at as u64 % 7 * 5_000_000;
    }
    let outcome = run(Limits::default(), &packets);
    let order: Vec<_> = outcome.data.iter().map(|data| data.direction).collect();
    assert_eq!(order, [Receive, Send].repeat(10));
    assert!(outcome.data.iter().map(|data| data.time).is_sorted());
}
