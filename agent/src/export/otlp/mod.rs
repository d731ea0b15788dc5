//! The engine's spans as OTLP spans, by the stable HTTP semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! One [`Span`] in, one `opentelemetry.proto.trace.v1.Span` out, written as
//! protobuf at once; the resource it belongs to comes from [`resource`].
//! Grouping and sending are left to others.

mod attribute;
mod forwarded;
mod http;
pub mod resource;
mod target;
pub mod writer;

use wirespan_stitch::exchange::{Exchange, Outcome, Role};
use wirespan_stitch::span::{Causality, Link, Span, SpanId, TraceId};
use wirespan_stitch::time::WallTime;

use attribute::Attributes;
pub use target::QueryPolicy;
use writer::{Writer, field_len};

/// Version of the semantic conventions that names and values follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.38.0";

/// Trace flags (W3C): sampled.
const FLAG_SAMPLED: u32 = 0x01;
/// Whether the parent is remote is known.
const FLAG_HAS_IS_REMOTE: u32 = 0x100;
/// The parent is in another process.
const FLAG_IS_REMOTE: u32 = 0x200;

/// `SpanKind` and `StatusCode`.
const KIND_SERVER: u64 = 2;
const KIND_CLIENT: u64 = 3;
const STATUS_ERROR: u64 = 2;

/// Writes the span as `field` of the message around it.
///
/// Fields stand in the order in which the collector writes them as JSON.
pub fn write_span(writer: &mut Writer, field: u32, span: &Span, query: QueryPolicy) {
    writer.message(field, |writer| {
        write_ids(writer, span.trace_id, span.span_id);
        writer.known(3, attribute::text(&span.trace_state).as_bytes());
        if let Some(parent) = span.parent {
            writer.field(4, &parent.0);
        }
        writer.fixed32(16, flags(span));
        writer.field(5, http::name(&span.exchange.request).as_bytes());
        writer.varint(
            6,
            match span.kind {
                Role::Server => KIND_SERVER,
                Role::Client => KIND_CLIENT,
            },
        );
        writer.fixed64(7, span.start.0);
        writer.fixed64(8, span.end.0);
        let mut attributes = Attributes::new(writer, 9);
        let failed = http::put(&mut attributes, span, query);
        if let Some(causality) = span.causality {
            put_causality(&mut attributes, causality);
        }
        write_events(writer, 11, span);
        if let Some(link) = &span.link {
            writer.message(13, |writer| write_link(writer, link));
        }
        // Written also where it says nothing: so the collector shows it.
        if failed {
            writer.message(15, |writer| {
                writer.known(2, status_message(&span.exchange).as_bytes());
                writer.varint(3, STATUS_ERROR);
            });
        } else {
            writer.begin(15, 0);
        }
    });
}

/// Fields 1 and 2 of a span, and of a link.
fn write_ids(writer: &mut Writer, TraceId(trace): TraceId, SpanId(span): SpanId) {
    let mut block = [0; 28];
    block[..2].copy_from_slice(&[1 << 3 | 2, 16]);
    block[2..18].copy_from_slice(&trace);
    block[18..20].copy_from_slice(&[2 << 3 | 2, 8]);
    block[20..].copy_from_slice(&span);
    writer.block(&block, 28);
}

/// What `error.type` says for an end that HTTP does not know; `None` for the
/// others, and where the agent does not know how the exchange ended.
pub fn broken_off(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::ClosedBeforeResponse | Outcome::ClosedInResponse => Some("connection_closed"),
        Outcome::ResetBeforeResponse | Outcome::ResetInResponse => Some("connection_reset"),
        Outcome::TimedOut => Some("timeout"),
        Outcome::Complete
        | Outcome::Upgraded
        | Outcome::Gap
        | Outcome::Evicted
        | Outcome::EndOfInput => None,
    }
}

/// The conventions want no message where the status code says it all.
fn status_message(exchange: &Exchange) -> &'static str {
    match exchange.outcome {
        Outcome::ClosedBeforeResponse => "connection closed before the response",
        Outcome::ClosedInResponse => "connection closed within the response",
        Outcome::ResetBeforeResponse => "connection reset before the response",
        Outcome::ResetInResponse => "connection reset within the response",
        Outcome::TimedOut => "no response in time",
        _ => "",
    }
}

fn flags(span: &Span) -> u32 {
    let remote = span.parent.is_some() && span.kind == Role::Server;
    FLAG_SAMPLED | FLAG_HAS_IS_REMOTE | if remote { FLAG_IS_REMOTE } else { 0 }
}

fn put_causality(attributes: &mut Attributes<'_>, causality: Causality) {
    attributes.string("wirespan.causality.method", causality.method.as_str());
    // Four digits: an f32 as it stands would show digits that mean nothing.
    let confidence = (f64::from(causality.confidence) * 1e4).round() / 1e4;
    attributes.double("wirespan.causality.confidence", confidence);
}

fn write_link(writer: &mut Writer, link: &Link) {
    write_ids(writer, link.trace_id, link.span_id);
    put_causality(&mut Attributes::new(writer, 4), link.causality);
}

/// The times between start and end that a span has no field for. A request in
/// one piece ended as it began, and a response in one piece began as it ended:
/// nearly all are, and an event that says what the span says already costs
/// every collector a seventh more.
fn write_events(writer: &mut Writer, field: u32, span: &Span) {
    let (served, answered) = span.served.unzip();
    let request_end = Some(span.request_end).filter(|time| *time != span.start);
    let response_start = span.response_start.filter(|time| *time != span.end);
    let times = [
        ("wirespan.request.queued", span.queued),
        ("wirespan.request.last_byte", request_end),
        ("wirespan.server.first_byte", served),
        ("wirespan.server.last_byte", answered),
        ("wirespan.response.first_byte", response_start),
    ];
    for (name, time) in times {
        if let Some(WallTime(nanoseconds)) = time {
            writer.begin(field, 1 + size_of::<u64>() + field_len(name.len()));
            writer.fixed64(1, nanoseconds);
            writer.field(2, name.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
