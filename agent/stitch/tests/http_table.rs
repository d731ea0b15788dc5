//! A table of conversations and what must be seen of them: whole, in pieces,
//! and with any piece missing.

mod http_cases;
mod http_wire;

use http_cases::{Case, cases};
use http_wire::{Outcome, Wire, line, without};
use wirespan_stitch::event::{Data, Direction};
use wirespan_stitch::exchange::Outcome::{Complete, Evicted};
use wirespan_stitch::exchange::{Anomaly, CaptureMarks, Version};
use wirespan_stitch::protocol::Limits;

#[test]
fn whole() {
    for case in cases() {
        let outcome = case.wire.run(&case.wire.whole());
        assert_eq!(outcome.lines(), case.seen, "{}", case.name);
    }
}

#[test]
fn byte_by_byte() {
    for case in cases() {
        let events = case.wire.pieces(|length| (1..length).collect());
        let outcome = case.wire.run(&events);
        assert_eq!(outcome.lines(), case.seen, "{}", case.name);
    }
}

#[test]
fn cut_in_two_everywhere() {
    for case in cases() {
        let longest = case.wire.said.iter().map(|(_, bytes)| bytes.len()).max();
        for cut in 1..longest.unwrap_or_default() {
            let events = case.wire.pieces(|length| vec![cut.min(length)]);
            let outcome = case.wire.run(&events);
            assert_eq!(outcome.lines(), case.seen, "{} cut at {cut}", case.name);
        }
    }
}

/// Each kind is told of some conversation, and counted.
#[test]
fn every_anomaly() {
    let mut counted = [0; Anomaly::ALL.len()];
    let large = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
        "a".repeat(500)
    );
    let small = Limits {
        head: 256,
        ..Limits::default()
    };
    let large = Wire::new().request(large);
    let in_pieces = large.pieces(|_| vec![100]);
    let others = cases()
        .into_iter()
        .map(|case| case.wire.run(&case.wire.whole()));
    for outcome in others.chain([large.run_with(&in_pieces, &small)]) {
        for (sum, count) in counted.iter_mut().zip(outcome.counters.anomalies) {
            *sum += count;
        }
    }
    for anomaly in Anomaly::ALL {
        assert!(counted[anomaly as usize] > 0, "no case of {anomaly:?}");
    }
}

/// A server that answers 414 has seen a request all the same.
#[test]
fn request_line_over_the_limit() {
    let small = Limits {
        head: 64,
        ..Limits::default()
    };
    let wire = Wire::new()
        .request(format!(
            "GET /{} HTTP/1.1\r\nHost: x\r\n\r\n",
            "a".repeat(500)
        ))
        .response("HTTP/1.1 414 x\r\nContent-Length: 0\r\n\r\n");
    let seen = format!(
        "GET /{} 414 463/0 Complete head_too_large END_INFERRED",
        "a".repeat(59)
    );
    for size in [1, 50, 100] {
        let events = wire.pieces(|length| (1..length).filter(|at| at % size == 0).collect());
        assert_eq!(wire.run_with(&events, &small).lines(), [seen.as_str()]);
    }
}

/// Where nobody can tell the end of a request, its server may have found another
/// one in what follows: then the next response may be that one's.
#[test]
fn request_in_what_has_no_end() {
    let wire = Wire::new()
        .request(
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n\
             abGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .request("GET /c HTTP/1.1\r\nHost: x\r\n\r\n")
        .response("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    let seen = [
        "POST /a 200 30/0 Complete invalid_length END_INFERRED",
        "GET /c - 0/- Gap GAP RESYNCHRONISED",
    ];
    assert_eq!(wire.run(&wire.whole()).lines(), seen);
}

/// A body is its length, whatever it begins with, of a request over the limit
/// on memory, too.
#[test]
fn body_of_an_evicted_request() {
    let post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 28\r\n\r\n";
    let wire = Wire::new()
        .request(post)
        .request("GET /c HTTP/1.1\r\nHost: x\r\n\r\n")
        .request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    let none = Limits {
        pending: 0,
        ..Limits::default()
    };
    for events in [wire.whole(), wire.pieces(|length| (1..length).collect())] {
        let outcome = wire.run_with(&events, &none);
        let seen = outcome.exchanges.iter().map(|(_, exchange)| {
            let request = &exchange.request;
            (
                &request.target[..],
                request.message.offset,
                exchange.outcome,
            )
        });
        let expected: [(&[u8], u64, _); 2] = [
            (b"/a", 0, Evicted),
            (b"/b", post.len() as u64 + 28, Evicted),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }
}

/// Whatever is missing: what is reported of an exchange is true of it. Long
/// pieces not of every length, but from every byte.
#[test]
fn any_piece_missing() {
    for case in cases().into_iter().filter(|case| !case.nested) {
        lose_pieces(&case, &case.wire.whole(), |length| {
            length < 20 || length % 7 == 0
        });
    }
}

/// The same where the calls are small. Not every length of the missing piece.
#[test]
fn any_piece_missing_of_small_calls() {
    let lengths = [1, 2, 5, 13, 34, 89];
    for case in cases().into_iter().filter(|case| !case.nested) {
        let bytes = case.wire.pieces(|length| (1..length).collect());
        lose_pieces(&case, &bytes, |length| lengths.contains(&length));
        let mut said = 0;
        let mixed = case.wire.pieces(|length| {
            said += 5;
            (1..length).filter(|at| at % (said % 11 + 3) == 0).collect()
        });
        lose_pieces(&case, &mixed, |length| lengths.contains(&length));
    }
}

fn lose_pieces(case: &Case, events: &[Data], of_length: impl Fn(u64) -> bool) {
    let truth = case.wire.run(&case.wire.whole());
    for direction in [Direction::Send, Direction::Receive] {
        let length = case.wire.lengths()[direction as usize];
        for from in 0..length {
            for to in (from + 1..=length).filter(|to| of_length(to - from)) {
                let outcome = case.wire.run(&without(events, direction, from, to));
                if let Err(wrong) = is_true(&outcome, &truth) {
                    panic!("{}: {direction:?} {from}..{to} lost: {wrong}", case.name);
                }
            }
        }
    }
}

/// Every exchange is one of the truth, with its own response if any.
fn is_true(outcome: &Outcome, truth: &Outcome) -> Result<(), String> {
    for (_, seen) in &outcome.exchanges {
        let offset = seen.request.message.offset;
        let Some((_, exchange)) = truth
            .exchanges
            .iter()
            .find(|(_, exchange)| exchange.request.message.offset == offset)
        else {
            return Err(format!("invented {}", line(seen)));
        };
        let request = &exchange.request;
        let version =
            seen.request.version == request.version || seen.request.version == Version::Http1;
        let same = version
            && (&request.method, &request.target) == (&seen.request.method, &seen.request.target);
        if !same {
            return Err(format!("{} is told as {}", line(exchange), line(seen)));
        }
        let Some(response) = &seen.response else {
            continue;
        };
        let sizes = [
            (
                &request.message,
                &seen.request.message,
                CaptureMarks::REQUEST_SIZE_UNKNOWN,
            ),
            (
                &exchange.response.as_ref().unwrap_or(response).message,
                &response.message,
                CaptureMarks::RESPONSE_SIZE_UNKNOWN,
            ),
        ];
        for (truth, told, unknown) in sizes {
            let known = seen.outcome == Complete && !seen.capture.contains(unknown);
            if known && truth.body_size != told.body_size {
                return Err(format!(
                    "{} has the sizes of {}",
                    line(exchange),
                    line(seen)
                ));
            }
        }
        let paired = exchange.response.as_ref().is_some_and(|of_truth| {
            of_truth.status == response.status && of_truth.message.offset == response.message.offset
        });
        if !paired {
            return Err(format!(
                "{} got the wrong response: {}",
                line(exchange),
                line(seen)
            ));
        }
    }
    Ok(())
}
