//! What looks like a message and is none, or may be none.

use wirespan_stitch::event::Direction;
use wirespan_stitch::exchange::{CaptureMarks, Exchange, Outcome};
use wirespan_stitch::protocol::Limits;

use crate::http_wire::{Ending, Wire, without};
use crate::{GET, OK, from_the_middle, lines};

/// A body of requests is met at the first byte of one of them.
#[test]
fn a_quoted_request_is_none_if_more_follows_it() {
    let quoted = "GET /no HTTP/1.1\r\n\r\n".repeat(20);
    let wire = Wire::new()
        .request("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .request(&quoted)
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &from_the_middle(&wire, 1)),
        ["GET /a - 0/- ClosedBeforeResponse RESYNCHRONISED"]
    );
}

/// After a loss, a call begins with one of the responses in a body.
#[test]
fn a_quoted_response_is_none_without_fields() {
    let head = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let wire = Wire::new()
        .request(GET)
        .response(format!("{head}1\r\na"))
        .response("\r\n0\r\n\r\n")
        .request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        .response(format!("{head}4e\r\n"))
        .response("HTTP/1.1 503 x\r\n\r\nand so on");
    let from = head.len() as u64 + 4;
    let lost = without(&wire.whole(), Direction::Send, from, 2 * from + 7);
    let seen = lines(&wire, &lost);
    assert!(seen[1].starts_with("GET /b - "), "{seen:?}");
}

/// The client may go on with a request: none of its bytes may be skipped.
#[test]
fn a_body_that_may_not_come_is_not_unwanted() {
    let large =
        "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
    let wire = Wire::new()
        .request(large)
        .response("HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(wire.run(&wire.whole()).verdicts, []);
    let wire = Wire::new()
        .request(large)
        .response("HTTP/1.1 100 x\r\n\r\n")
        .request([b'x'; 100]);
    assert_eq!(wire.run(&wire.whole()).verdicts.len(), 1);
}

/// Hints that came for another request say nothing of the body of this one.
#[test]
fn only_100_continues() {
    let wire = Wire::new()
        .request("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .response("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &wire.whole()),
        [
            "PUT /a 413 0/0 Complete interim=1 early_response END_INFERRED",
            "GET /a 200 0/2 Complete"
        ]
    );
}

/// Where it cannot be told which of the open requests is answered, and one is
/// `HEAD`, the answer may have a body.
#[test]
fn an_answer_to_one_of_several_may_have_a_body() {
    let mut wire = Wire::new();
    for method in ["GET", "GET", "HEAD", "GET", "HEAD", "GET"] {
        let body = if method == "HEAD" { "" } else { "content" };
        wire = wire
            .request(format!("{method} /a HTTP/1.1\r\nHost: x\r\n\r\n"))
            .response(format!("HTTP/1.1 200 x\r\nContent-Length: 7\r\n\r\n{body}"));
    }
    let whole = wire.pieces(|length| vec![20, length - 7]);
    for first in 0..whole.len() {
        for second in first + 1..whole.len() {
            let mut events = whole.clone();
            events.remove(second);
            events.remove(first);
            for (_, exchange) in wire.run(&events).exchanges {
                check_size(&exchange, (first, second));
            }
        }
    }
}

fn check_size(exchange: &Exchange, lost: (usize, usize)) {
    let unknown = CaptureMarks::RESPONSE_SIZE_UNKNOWN;
    let complete = exchange.outcome == Outcome::Complete && !exchange.capture.contains(unknown);
    if let (Some(answer), true) = (&exchange.response, complete) {
        let head = &exchange.request.method[..] == b"HEAD";
        let size = if head { 0 } else { 7 };
        assert_eq!(answer.message.body_size, size, "{lost:?}: {exchange:?}");
    }
}

/// An answer to a request of which only the number is kept is followed like any
/// other: what its body says answers none of those behind it.
#[test]
fn a_quoted_response_is_none_in_the_answer_to_an_evicted_request() {
    let limits = Limits {
        pending: size_of::<Exchange>(),
        ..Limits::default()
    };
    let quoted = "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n";
    let until_close = "HTTP/1.1 200 x\r\n\r\n".to_owned();
    let length = format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n", quoted.len());
    for (head, end) in [
        (until_close, "- 0/- ClosedBeforeResponse"),
        (length, "200 0/2 Complete"),
    ] {
        let wire = Wire::new()
            .request(GET)
            .request("GET /evicted HTTP/1.1\r\nHost: x\r\n\r\n")
            .response(OK)
            .request("GET /kept HTTP/1.1\r\nHost: x\r\n\r\n")
            .response(head)
            .response(quoted)
            .response(OK)
            .ends(Ending::Closed);
        let outcome = wire.run_with(&wire.whole(), &limits);
        let kept = format!("GET /kept {end}");
        let evicted = "GET /evicted - 0/- Evicted";
        assert_eq!(outcome.lines()[1..], [evicted, &kept]);
    }
}
