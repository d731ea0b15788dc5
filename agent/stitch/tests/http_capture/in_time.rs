//! What only the next message, or silence, can decide.

use std::sync::Arc;
use std::time::Duration;

use wirespan_stitch::connection::{Connection, End, Step};
use wirespan_stitch::event::{SocketId, Source};
use wirespan_stitch::exchange::Role;
use wirespan_stitch::protocol::{Counters, Limits};
use wirespan_stitch::time::Timestamp;

use crate::http_wire::{Wire, line};
use crate::{GET, OK, from_the_middle};

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
        connection.handle_data(event, &mut counters, None);
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
    connection.handle_data(wire.whole().remove(0), &mut counters, None);
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

/// What becomes of a request that is sent so long after an answer to nothing; a
/// second answer follows it.
fn after_an_answer(head: &str, silence: Duration) -> (Vec<String>, Counters) {
    let unasked = format!("{head}Content-Length: 7\r\n\r\nNope.\r\n");
    let wire = Wire::new().response(unasked).request(GET).response(OK);
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Packets, Arc::default());
    let mut lines = Vec::new();
    for (index, mut event) in wire.whole().into_iter().enumerate() {
        if index > 0 {
            event.time = event.time + silence;
        }
        while let Some(due) = connection.deadline().filter(|due| *due < event.time) {
            connection.handle_timeout(due, &mut counters);
        }
        connection.handle_data(event, &mut counters, None);
    }
    connection.finish(End::Closed, &mut counters);
    while let Some(progress) = connection.poll() {
        if let Step::Finished(exchange) = progress.step {
            lines.push(line(&exchange));
        }
    }
    (lines, counters)
}

#[test]
fn what_was_said_long_before_any_request_answers_none() {
    let keeps = "HTTP/1.1 404 x\r\nConnection: keep-alive\r\n";
    for (silence, status) in [(10, "404 0/7"), (500, "200 0/2"), (60_000, "200 0/2")] {
        let (lines, counters) = after_an_answer(keeps, Duration::from_millis(silence));
        assert_eq!(lines, [format!("GET /a {status} Complete")], "{silence}");
        assert_eq!(counters.responses_unmatched, 1);
    }
}

#[test]
fn who_closes_at_once_answers_the_only_request() {
    for head in [
        "HTTP/1.1 503 x\r\nConnection: close\r\n",
        "HTTP/1.0 503 x\r\n",
    ] {
        let (lines, _) = after_an_answer(head, Duration::from_secs(1));
        assert_eq!(lines, ["GET /a 503 0/7 Complete"]);
    }
}
