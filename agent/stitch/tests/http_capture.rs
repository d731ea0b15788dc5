//! Where the bytes are not all there: not copied, not wanted, lost, or gone by
//! before anybody looked.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod http_wire;

use std::sync::Arc;
use std::time::Duration;

use http_wire::{Ending, Outcome, Wire, data, line};
use wirespan_stitch::connection::{Connection, Step};
use wirespan_stitch::event::{Data, Direction, Shortfall, SocketId, Source};
use wirespan_stitch::exchange::Role;
use wirespan_stitch::protocol::{Counters, Limits, Protocol};
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Only the first bytes of each call are copied.
fn limited(events: Vec<Data>, copied: usize) -> Vec<Data> {
    let cut = |mut event: Data| {
        if event.payload.len() > copied {
            event.payload.truncate(copied);
            event.shortfall = Shortfall::Limit;
        }
        event
    };
    events.into_iter().map(cut).collect()
}

fn lines(wire: &Wire, events: &[Data]) -> Vec<String> {
    wire.run(events).lines()
}

#[test]
fn a_chunked_request_that_was_not_copied_whole_ends_with_its_response() {
    let body = "x".repeat(5000);
    let post = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
         1388\r\n{body}\r\n0\r\nTrailer: x\r\n\r\n"
    );
    let wire = Wire::new()
        .request(post)
        .response(OK)
        .request(GET)
        .response(OK)
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &limited(wire.whole(), 1000)),
        [
            "POST /a 200 5000/2 Complete TRUNCATED END_INFERRED",
            "GET /a 200 0/2 Complete RESYNCHRONISED",
            "GET /a 200 0/2 Complete",
        ]
    );
}

#[test]
fn bodies_of_known_length_are_passed_exactly() {
    let body = "x".repeat(5000);
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{body}");
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{body}");
    let wire = Wire::new()
        .request(GET)
        .response(response)
        .request(GET)
        .response(chunked)
        .response("\r\n0\r\n\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &limited(wire.whole(), 100)),
        [
            "GET /a 200 0/5000 Complete TRUNCATED",
            "GET /a 200 0/5000 Complete TRUNCATED",
            "GET /a 200 0/2 Complete",
        ]
    );
}

#[test]
fn a_chunked_body_whose_sizes_were_not_seen_ends_where_it_must() {
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n3\r\nabc\r\n";
    let begin = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let seen = "GET /a 200 0/110 Complete TRUNCATED END_INFERRED";
    let last_chunk_seen = Wire::new()
        .request(GET)
        .response(&begin)
        .response("0\r\n\r\n")
        .request(GET)
        .response(OK);
    let outcome = last_chunk_seen.run(&limited(last_chunk_seen.whole(), 60));
    assert!(
        outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"),
        "{:?}",
        outcome.lines()
    );
    assert_eq!(outcome.lines()[1], "GET /a 200 0/2 Complete RESYNCHRONISED");
    let next_request = Wire::new()
        .request(GET)
        .response(&begin)
        .request(GET)
        .response(OK);
    let outcome = next_request.run(&limited(next_request.whole(), 60));
    assert_eq!(outcome.exchanges.len(), 2, "not {seen}");
    assert!(outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"));
    assert_eq!(outcome.lines()[1], "GET /a 200 0/2 Complete RESYNCHRONISED");
    let close = Wire::new().request(GET).response(&begin);
    let outcome = close.run(&limited(close.whole(), 60));
    assert!(outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"));
}

#[test]
fn a_head_that_was_not_copied_whole_is_still_a_message() {
    let long = format!(
        "GET /a HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
        "y".repeat(500)
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: {}\r\n\r\nok",
        "y".repeat(500)
    );
    let wire = Wire::new()
        .request(&long)
        .response(&answer)
        .request(GET)
        .response(OK);
    let outcome = wire.run(&limited(wire.whole(), 100));
    let seen = outcome.lines();
    assert!(seen[0].starts_with("GET /a 200 "), "{seen:?}");
    assert!(seen[0].contains("TRUNCATED"), "{seen:?}");
    assert_eq!(seen.len(), 2);
}

/// As with `tcpdump -s 96`: no head is whole, most not even their first line.
#[test]
fn heads_that_were_all_cut_are_messages_all_the_same() {
    let mut wire = Wire::new();
    for number in 0..20 {
        wire = wire
            .request(format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .response(format!(
                "HTTP/1.1 {} OK\r\nContent-Length: 40\r\n\r\n{}",
                200 + number,
                "x".repeat(40)
            ));
    }
    let cases = [13, 17, 20, 24, 30].map(|copied| [(copied, 0), (copied, 2)]);
    for (copied, missed) in cases.into_iter().flatten() {
        let outcome = wire.run(&limited(from_the_middle(&wire, missed), copied));
        let seen = outcome.lines();
        let missed = missed / 2;
        assert_eq!(seen.len() + missed, 20, "{copied}: {seen:#?}");
        // Of a connection met in the middle nothing proves the last one.
        let answered = seen.iter().filter(|line| line.contains(" 2")).count();
        assert!(answered + 2 * missed >= 20, "{copied}: {seen:#?}");
        for (number, (_, exchange)) in outcome.exchanges.iter().enumerate() {
            let number = number + missed;
            assert_eq!(exchange.request.target, format!("/{number}"));
            let status = exchange.response.as_ref().and_then(|it| it.status);
            assert!(status.is_none_or(|status| usize::from(status) == 200 + number));
        }
    }
}

/// A path that was cut off is told as far as it was seen; what may not be one is
/// not told at all.
#[test]
fn a_target_may_be_cut_off() {
    let cases = [
        ("GET /a/b/c HTTP/1.1\r\n\r\n", 8, Some("/a/b")),
        ("GET http://x/ HTTP/1.1\r\n\r\n", 12, Some("http://x")),
        ("OPTIONS sip:x@y.z SIP/2.0\r\n\r\n", 13, None),
        ("BREW /a/b/c HTTP/1.1\r\n\r\n", 9, None),
        ("GET key\r\n", 6, None),
    ];
    for (request, copied, target) in cases {
        let wire = Wire::new().request(request).response("-");
        let outcome = wire.run(&limited(wire.whole(), copied));
        let told: Vec<_> = outcome
            .exchanges
            .iter()
            .map(|(_, exchange)| str::from_utf8(&exchange.request.target).unwrap())
            .collect();
        assert_eq!(told, Vec::from_iter(target), "{request}");
    }
}

/// A request that breaks the rules is still one, if it is the first thing seen.
#[test]
fn the_first_bytes_that_are_seen_may_be_any_head() {
    let wire = Wire::new()
        .request(GET)
        .request("GET /b HTTP/1.1\r\nA: b\r\n\r\n")
        .request(GET);
    assert_eq!(
        lines(&wire, &from_the_middle(&wire, 1)),
        [
            "GET /b - 0/- ClosedBeforeResponse host_missing RESYNCHRONISED",
            "GET /a - 0/- ClosedBeforeResponse"
        ]
    );
}

/// What is no message has a place and a time, too, even if it comes in pieces.
#[test]
fn an_answer_without_a_status_line_begins_where_it_does() {
    let wire = Wire::new().request(GET).response("\r\nplain text");
    for cut in 2..10 {
        let outcome = wire.run(&wire.pieces(|length| if length < 20 { vec![cut] } else { vec![] }));
        let message = outcome.exchanges[0].1.response.as_ref().unwrap().message;
        assert_eq!((message.offset, message.body_size), (2, 10), "cut at {cut}");
        assert_eq!(message.first.time, Timestamp(2), "cut at {cut}");
    }
}

#[test]
fn the_rest_of_a_long_body_is_not_wanted_and_not_missed() {
    let begin = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let wire = Wire::new().request(GET).response(begin).ends(Ending::Open);
    let mut events = wire.whole();
    let end = begin.len() as u64 + 1_000_000;
    let last = data(9, Direction::Send, end - 10, &[b'x'; 10]);
    events.push(last);
    events.push(data(
        10,
        Direction::Receive,
        GET.len() as u64,
        GET.as_bytes(),
    ));
    events.push(data(11, Direction::Send, end, OK.as_bytes()));
    let outcome = wire.run(&events);
    let skip = Verdict::SkipTo {
        socket: SocketId(1),
        direction: Direction::Send,
        offset: end,
    };
    assert_eq!(outcome.verdicts, [skip]);
    assert_eq!(outcome.counters.gaps, 0);
    assert_eq!(
        outcome.lines(),
        [
            "GET /a 200 0/1000000 Complete TRUNCATED",
            "GET /a 200 0/2 Complete"
        ]
    );
    assert_eq!(
        outcome.exchanges[0]
            .1
            .response
            .as_ref()
            .unwrap()
            .message
            .last
            .time,
        Timestamp(9)
    );
}

/// Events of a conversation whose first `missed` events went by unseen.
fn from_the_middle(wire: &Wire, missed: usize) -> Vec<Data> {
    let mut events = wire.whole();
    events.drain(..missed);
    events
}

#[test]
fn a_connection_that_is_met_in_the_middle_is_read_from_its_next_message_on() {
    let body = "y".repeat(300);
    let wire = Wire::new()
        .request(GET)
        .response(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{body}"
        ))
        .response(&body)
        .request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        .response("HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n")
        .request("GET /c HTTP/1.1\r\nHost: x\r\n\r\n")
        .response("HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n");
    let both = [
        "GET /b 201 0/0 Complete RESYNCHRONISED",
        "GET /c 202 0/0 Complete",
    ];
    for missed in 2..=3 {
        assert_eq!(
            lines(&wire, &from_the_middle(&wire, missed)),
            both,
            "{missed} missed"
        );
    }
    assert_eq!(
        lines(&wire, &from_the_middle(&wire, 4)),
        ["GET /c 202 0/0 Complete RESYNCHRONISED"]
    );
}

/// As when one hook is attached some seconds before the other: requests go by
/// whose responses nobody saw.
#[test]
fn one_direction_may_be_seen_long_before_the_other() {
    for upgrade in ["", "Upgrade: h2c\r\n", "Upgrade: websocket\r\n"] {
        let mut wire = Wire::new();
        for number in 0..20 {
            wire = wire
                .request(format!(
                    "GET /{number} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n"
                ))
                .response(format!(
                    "HTTP/1.1 {} OK\r\nContent-Length: 2\r\n\r\nok",
                    200 + number
                ));
        }
        let mut events = from_the_middle(&wire, 4);
        let mut position = 0;
        events.retain(|event| {
            position += 1;
            position > 10 || event.direction == Direction::Receive
        });
        let outcome = wire.run(&events);
        let seen = outcome.lines();
        assert_eq!(seen.len(), 18, "{upgrade}: {seen:#?}");
        for (number, line) in (2..20).zip(seen) {
            let expected = match number {
                2 => "GET /2 - 0/- Gap GAP RESYNCHRONISED".to_owned(),
                3..8 => format!("GET /{number} - 0/- Gap GAP"),
                8 => "GET /8 208 0/2 Complete RESYNCHRONISED".to_owned(),
                _ => format!("GET /{number} {} 0/2 Complete", 200 + number),
            };
            assert_eq!(line, expected, "{upgrade}");
        }
        assert_eq!(outcome.counters.responses_unmatched, 1);
    }
}

/// Thousands of calls with no head in one direction while the other is silent.
#[test]
fn a_long_body_that_is_met_in_its_middle_ends_in_the_next_head() {
    for upload in [true, false] {
        let mut wire = Wire::new().request(GET).response(OK);
        for _ in 0..3000 {
            wire = if upload {
                wire.request(b"\0\x01\x02\x03")
            } else {
                wire.response(b"\0\x01\x02\x03")
            };
        }
        if upload {
            wire = wire.response(OK);
        }
        let wire = wire.request(GET).response(OK).request(GET).response(OK);
        let seen = lines(&wire, &from_the_middle(&wire, 3));
        assert_eq!(
            seen,
            [
                "GET /a 200 0/2 Complete RESYNCHRONISED",
                "GET /a 200 0/2 Complete"
            ],
            "upload: {upload}"
        );
    }
}

#[test]
fn what_is_met_in_the_middle_and_has_no_head_in_either_direction_is_ignored() {
    let mut wire = Wire::new();
    for _ in 0..600 {
        wire = wire.request(b"\x04ping").response(b"\x04pong");
    }
    let outcome = wire.run(&from_the_middle(&wire, 2));
    assert_eq!(outcome.verdicts, [Verdict::Ignore(SocketId(1))]);
    assert_eq!(outcome.counters.not_http[Protocol::Unknown as usize], 1);
}

/// A log that is sent on, say: nobody ever answers.
#[test]
fn what_is_met_in_the_middle_and_goes_one_way_is_ignored_in_the_end() {
    let wire = Wire::new()
        .request(GET)
        .request(b"\x04log")
        .ends(Ending::Open);
    let line = wire.whole().pop().unwrap();
    let events: Vec<_> = (0..=1 << 20)
        .map(|number: u64| Data {
            time: Timestamp(number + 1),
            offset: line.offset + 4 * number,
            ..line.clone()
        })
        .collect();
    assert!(wire.run(&events[..1 << 19]).verdicts.is_empty());
    assert_eq!(wire.run(&events).verdicts, [Verdict::Ignore(SocketId(1))]);
}

#[test]
fn a_client_that_waits_is_followed_again_after_any_loss() {
    let mut wire = Wire::new();
    for number in 0..30 {
        wire = wire
            .request(format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .response(format!(
                "HTTP/1.1 {} OK\r\nContent-Length: 5\r\n\r\n12345",
                200 + number
            ));
    }
    for first in 0..20 {
        for lost in 1..6 {
            let mut events = wire.whole();
            events.drain(first..first + lost);
            let outcome = wire.run(&events);
            for (_, exchange) in &outcome.exchanges {
                let status = exchange
                    .response
                    .as_ref()
                    .and_then(|response| response.status);
                let number = String::from_utf8_lossy(&exchange.request.target[1..]);
                let number: u16 = number.parse().unwrap();
                assert!(
                    status.is_none_or(|status| status == 200 + number),
                    "{}",
                    line(exchange)
                );
            }
            let complete = outcome
                .lines()
                .iter()
                .filter(|line| line.contains(" Complete"))
                .count();
            assert!(
                complete >= 30 - lost - 6,
                "{complete} with {lost} lost from {first}"
            );
        }
    }
}

#[test]
fn silence_settles_what_is_in_doubt() {
    let wire = Wire::new()
        .request(GET)
        .response(OK)
        .request(GET)
        .response(OK);
    let limits = Arc::new(Limits::default());
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Packets, limits.clone());
    for event in from_the_middle(&wire, 2) {
        connection.handle_data(event, &mut counters);
    }
    assert!(matches!(
        connection.poll().map(|progress| progress.step),
        Some(Step::Requested)
    ));
    assert!(matches!(
        connection.poll().map(|progress| progress.step),
        Some(Step::RequestEnded(_))
    ));
    assert_eq!(connection.poll(), None);
    let deadline = connection.deadline().unwrap();
    assert_eq!(deadline, Timestamp(4) + limits.settle);
    connection.handle_timeout(deadline, &mut counters);
    assert!(matches!(
        connection.poll().map(|progress| progress.step),
        Some(Step::Answering(_))
    ));
    let Some(Step::Finished(exchange)) = connection.poll().map(|progress| progress.step) else {
        panic!("not finished");
    };
    assert_eq!(line(&exchange), "GET /a 200 0/2 Complete RESYNCHRONISED");
    assert_eq!(connection.role(), Some(Role::Server));
    assert_eq!(connection.deadline(), None);
}

#[test]
fn a_request_that_is_never_answered_times_out() {
    let wire = Wire::new().request(GET);
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Socket, Arc::default());
    connection.handle_data(wire.whole().remove(0), &mut counters);
    let deadline = connection.deadline().unwrap();
    connection.handle_timeout(deadline, &mut counters);
    let last = std::iter::from_fn(|| connection.poll()).last().unwrap();
    let Step::Finished(exchange) = last.step else {
        panic!("not finished");
    };
    assert_eq!(line(&exchange), "GET /a - 0/- TimedOut");
    assert_eq!(connection.deadline(), None);
    assert!(deadline.since(Timestamp(1)) >= Duration::from_mins(1));
}

#[test]
fn what_is_not_http_is_named_and_ignored() {
    let ignored = |wire: &Wire, protocol: Protocol| {
        let outcome: Outcome = wire.run(&wire.whole());
        assert_eq!(
            outcome.verdicts,
            [Verdict::Ignore(SocketId(1))],
            "{protocol:?}"
        );
        assert_eq!(
            outcome.counters.not_http[protocol as usize], 1,
            "{protocol:?}"
        );
        assert_eq!(outcome.counters.requests, 0);
    };
    ignored(
        &Wire::new().request(b"\x16\x03\x01\x00\x0a\x01"),
        Protocol::Tls,
    );
    ignored(
        &Wire::new().request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Protocol::Http2,
    );
    ignored(&Wire::new().response("SSH-2.0-x\r\n"), Protocol::Ssh);
    ignored(
        &Wire::new()
            .response("220 x ESMTP\r\n")
            .request("EHLO x\r\n"),
        Protocol::Greeting,
    );
    ignored(
        &Wire::new()
            .request(b"\0\0\0\x08\x04\xd2\x16\x2f")
            .response("S"),
        Protocol::Postgres,
    );
    ignored(
        &Wire::new().request("*1\r\n$4\r\nPING\r\n"),
        Protocol::Redis,
    );
    ignored(
        &Wire::new().response(b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0"),
        Protocol::MySql,
    );
    ignored(
        &Wire::new().request(b"\0\0\0\x20\0\x12\0\x03\0\0\0\x01\0\x04test"),
        Protocol::Kafka,
    );
}

#[test]
fn a_server_that_speaks_first_may_still_speak_http() {
    let wire = Wire::new()
        .response("hello there\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(lines(&wire, &wire.whole()).len(), 1);
}
