//! Spans for tests.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use wirespan_stitch::event::{Connection, Process};
use wirespan_stitch::exchange::{
    Anomalies, CaptureMarks, Exchange, Field, Fields, Message, Outcome, Request, Response, Role,
    Version,
};
use wirespan_stitch::span::{Causality, Method, Span, SpanId, TraceId};
use wirespan_stitch::time::WallTime;

/// 2026-01-02 03:04:05 UTC, when every test span's trace begins.
pub(crate) const START: u64 = 1_767_323_045_000_000_000;

/// A header section of these fields.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Fields {
    let mut raw = Vec::new();
    let mut index = SmallVec::new();
    for (name, value) in fields {
        let name_at = raw.len();
        raw.extend_from_slice(name.as_bytes());
        let value_at = raw.len();
        raw.extend_from_slice(value.as_bytes());
        index.extend(Field::new(name_at, name.len(), value_at, value.len()));
    }
    Fields::new(Bytes::from(raw), index)
}

pub(crate) fn process(pid: u32, service: &str) -> Arc<Process> {
    Arc::new(Process {
        pid,
        parent_pid: 1,
        start_time: 77 * 10_000_000,
        service_name: service.to_owned(),
        executable: "/usr/bin/python3.11".to_owned(),
        command_line: vec!["python3".to_owned(), "app.py".to_owned()],
        attributes: vec![("host.name".to_owned(), "box".to_owned())],
        ..Process::default()
    })
}

pub(crate) fn exchange(method: &str, target: &str, status: u16) -> Exchange {
    let message = |body_size| Message {
        body_size,
        ..Message::default()
    };
    Exchange {
        role: Role::Server,
        request: Request {
            method: Bytes::copy_from_slice(method.as_bytes()),
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Version::Http11,
            fields: fields(&[("Host", "shop.example:8080"), ("User-Agent", "curl/8")]),
            message: message(0),
        },
        response: Some(Response {
            status: Some(status),
            version: Version::Http11,
            message: message(12),
        }),
        interim: 0,
        outcome: Outcome::Complete,
        anomalies: Anomalies::default(),
        capture: CaptureMarks::default(),
        proxied_client: None,
        upgraded_to: None,
    }
}

/// A span of trace 1 with this id: `from..to` in ms after [`START`].
pub(crate) fn span(id: u8, parent: Option<u8>, kind: Role, from: u64, to: u64) -> Span {
    let at = |ms: u64| WallTime(START + ms * 1_000_000);
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([id; 8]),
        parent: parent.map(|parent| SpanId([parent; 8])),
        trace_state: Bytes::new(),
        link: None,
        causality: parent.map(|_| Causality {
            method: match kind {
                Role::Server => Method::SameConnection,
                Role::Client => Method::Thread,
            },
            confidence: if kind == Role::Server { 1.0 } else { 0.95 },
        }),
        kind,
        start: at(from),
        end: at(to),
        request_end: at(from),
        response_start: Some(at(to)),
        process: Some(process(u32::from(id), "shop")),
        local: address("10.0.0.1:8080"),
        peer: address("10.0.0.2:40000"),
        served: None,
        queued: None,
        exchange: Box::new(exchange("GET", "/cart?id=7", 200)),
        candidates: Vec::new(),
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn connection() -> Connection {
    Connection {
        local: address("10.0.0.1:8080"),
        peer: address("10.0.0.2:40000"),
        sent_base: 1,
        received_base: 2,
        opener: None,
    }
}
