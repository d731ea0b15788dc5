//! However small the pieces are that a peer sends, each byte is copied but a few
//! times. Bytes allocated are counted, not time: the same on every machine.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod http_wire;

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use http_wire::Wire;
use wirespan_stitch::connection::Connection;
use wirespan_stitch::event::{SocketId, Source};
use wirespan_stitch::protocol::Counters;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What tables of a bounded size take while they grow.
const TABLES: usize = 1 << 20;

/// What is said byte by byte, so many bytes of it.
type Dribbled = fn(usize) -> Wire;

const DRIBBLED: [(&str, Dribbled); 8] = [
    ("head", |size| get().request("y".repeat(size))),
    ("head of fields", |size| {
        get().request("A: b\r\n".repeat(size / 6))
    }),
    ("empty lines", |size| {
        Wire::new().request("\r\n".repeat(size / 2))
    }),
    ("no head", |size| Wire::new().request("\0".repeat(size))),
    ("body that may be none", |size| {
        expecting("Content-Length: 1000000").request("GET /".to_owned() + &"y".repeat(size))
    }),
    ("chunks that may be none", |size| {
        expecting("Transfer-Encoding: chunked").request("GET /".to_owned() + &"y".repeat(size))
    }),
    ("answer's head, after a loss", |size| {
        let lost = "HTTP/1.1 200 x\r\nContent-Length: x\r\n\r\nxx";
        get()
            .request("\r\n")
            .response(lost)
            .response("HTTP/1.1 200 ".to_owned() + &"y".repeat(size))
    }),
    ("answer before its request", |size| {
        let answer = format!("HTTP/1.1 200 x\r\nContent-Length: {size}\r\n\r\n");
        let body = "y".repeat(size);
        Wire::new().response(answer + &body).request(GET_A)
    }),
];

const GET_A: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

fn get() -> Wire {
    Wire::new().request("GET / HTTP/1.1\r\nHost: x\r\n")
}

fn expecting(body: &str) -> Wire {
    Wire::new().request(format!(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{body}\r\n\r\n"
    ))
}

/// Bytes that are allocated while all of it is read.
fn allocated(wire: &Wire) -> usize {
    let events = wire.pieces(|length| (1..length).collect());
    let mut counters = Counters::default();
    let mut connection = Connection::new(SocketId(1), Source::Socket, Arc::default());
    let before = ALLOCATOR.total_allocated();
    for event in events {
        connection.handle_data(event, &mut counters, None);
        while connection.poll().is_some() {}
    }
    ALLOCATOR.total_allocated() - before
}

#[test]
fn what_is_dribbled_is_copied_a_few_times() {
    for (what, dribbled) in DRIBBLED {
        for size in [15_000, 60_000] {
            let allocated = allocated(&dribbled(size));
            assert!(
                allocated < TABLES + 8 * size,
                "{allocated} bytes allocated for {size} of a {what}"
            );
        }
    }
}
