//! What exchanges cost, and that no peer can make them cost more than they
//! should. `cargo test --release --test http_cost -- --nocapture` prints times.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod http_wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_wire::{Outcome, Wire, data};
use wirespan_stitch::connection::{Connection, Step};
use wirespan_stitch::event::{Data, Direction, SocketId, Source};
use wirespan_stitch::exchange::Outcome::{Complete, Evicted};
use wirespan_stitch::protocol::Counters;

/// Runs the events once; returns the exchanges handed out and the time it took.
fn run(events: Vec<Data>) -> (u64, Duration) {
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Socket, Arc::default());
    let begin = Instant::now();
    for event in events {
        connection.handle_data(event, &mut counters, None);
        while let Some(progress) = connection.poll() {
            if let Step::Finished(exchange) = progress.step {
                std::hint::black_box(exchange);
            }
        }
    }
    (counters.exchanges_total(), begin.elapsed())
}

/// The fastest of some runs: what disturbs only slows down.
fn fastest(events: impl Fn() -> Vec<Data>) -> (u64, Duration) {
    let runs = (0..5).map(|_| run(events()));
    runs.min_by_key(|(_, took)| *took).unwrap_or_default()
}

fn kept_alive(exchanges: usize) -> Vec<Data> {
    let request = "GET /path/of/a/resource?query=1 HTTP/1.1\r\nHost: example.org\r\n\
                   User-Agent: curl/8.0\r\nAccept: */*\r\nX-Request-Id: 0123456789\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 16:00:00 GMT\r\n\
                    Content-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n\
                    Hello world!";
    let mut wire = Wire::new();
    for _ in 0..exchanges {
        wire = wire.request(request).response(response);
    }
    wire.whole()
}

#[test]
fn small_exchanges() {
    let (exchanges, took) = fastest(|| kept_alive(20_000));
    assert_eq!(exchanges, 20_000);
    println!("{} ns an exchange", took.as_nanos() / 20_000);
}

#[test]
fn a_head_dribbled_byte_by_byte_takes_linear_time() {
    let events = |bytes: usize| {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "y".repeat(bytes)
        );
        Wire::new()
            .request(head)
            .pieces(|length| (1..length).collect())
    };
    let (_, short) = fastest(|| events(15_000));
    let (_, long) = fastest(|| events(60_000));
    println!("{short:?} for 15,000 bytes, {long:?} for 60,000");
    assert!(long < short * 12 + Duration::from_millis(50));
}

#[test]
fn chunks_of_one_byte_take_linear_time() {
    let events = |chunks: usize| {
        let body = "1\r\na\r\n".repeat(chunks) + "0\r\n\r\n";
        Wire::new()
            .request("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .response(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            ))
            .whole()
    };
    let (_, short) = fastest(|| events(50_000));
    let (exchanges, long) = fastest(|| events(200_000));
    println!("{short:?} for 50,000 chunks, {long:?} for 200,000");
    assert_eq!(exchanges, 1);
    assert!(long < short * 12 + Duration::from_millis(50));
}

/// A pipeline of so many requests, then all answers, then one more exchange.
fn pipeline(requests: usize) -> Outcome {
    let wire = Wire::new()
        .request("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(requests))
        .response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(requests))
        .request("GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
        .response("HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n");
    let outcome = wire.run(&wire.whole());
    assert_eq!(outcome.counters.requests, requests as u64 + 1);
    assert_eq!(outcome.lines()[requests], "GET /last 201 0/0 Complete");
    outcome
}

#[test]
fn a_pipeline_of_ten_thousand_is_paired() {
    let outcome = pipeline(10_000);
    assert_eq!(outcome.counters.pending_limit, 0);
    assert_eq!(outcome.counters.exchanges_by(Complete), 10_001);
}

#[test]
fn a_longer_pipeline_is_bounded_and_counted() {
    let outcome = pipeline(100_000);
    let counters = &outcome.counters;
    assert!(counters.pending_limit > 50_000);
    assert_eq!(counters.exchanges_by(Evicted), counters.pending_limit);
    assert_eq!(
        counters.exchanges_by(Complete),
        100_001 - counters.pending_limit
    );
}

#[test]
fn what_waits_for_the_other_direction_is_bounded() {
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Socket, Arc::default());
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_owned() + &"x".repeat(1000);
    let mut offset = 0;
    for time in 0..5_000 {
        let event = data(time, Direction::Send, offset, response.as_bytes());
        offset += event.length;
        connection.handle_data(event, &mut counters, None);
    }
    assert!(counters.backlog_limit > 0);
    assert!(counters.responses_unmatched > 0);
    assert_eq!(counters.requests, 0);
}
