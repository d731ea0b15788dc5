//! Connections that are older than whoever looks at them.

use wirespan_stitch::event::{Data, Direction, SocketId};
use wirespan_stitch::protocol::Protocol;
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

use crate::http_wire::{Ending, Wire};
use crate::{GET, OK, from_the_middle, lines};

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
