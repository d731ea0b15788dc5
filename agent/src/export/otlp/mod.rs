//! The engine's spans as OTLP spans, by the stable HTTP semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! One [`Span`] in, one `opentelemetry.proto.trace.v1.Span` out; the resource
//! it belongs to comes from [`resource`]. Grouping and sending are left to
//! others.

mod attribute;
mod forwarded;
mod http;
pub mod resource;
mod target;

use opentelemetry_proto::tonic::trace::v1 as otlp;
use wirespan_stitch::exchange::{Exchange, Outcome, Role};
use wirespan_stitch::span::{Causality, Link, Span};
use wirespan_stitch::time::WallTime;

use attribute::Attributes;
pub use target::QueryPolicy;

/// Version of the semantic conventions that names and values follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.38.0";

/// Trace flags (W3C): sampled.
const FLAG_SAMPLED: u32 = 0x01;
/// Whether the parent is remote is known.
const FLAG_HAS_IS_REMOTE: u32 = 0x100;
/// The parent is in another process.
const FLAG_IS_REMOTE: u32 = 0x200;

/// Attributes of a span with all there can be; more would be an allocation.
const ATTRIBUTES: usize = 24;

/// The OTLP span.
pub fn span(span: &Span, query: QueryPolicy) -> otlp::Span {
    let exchange = &*span.exchange;
    let mut attributes = Attributes::with_capacity(ATTRIBUTES);
    let facts = http::put(&mut attributes, span, query);
    if let Some(causality) = span.causality {
        put_causality(&mut attributes, causality);
    }
    otlp::Span {
        trace_id: span.trace_id.0.to_vec(),
        span_id: span.span_id.0.to_vec(),
        trace_state: String::from_utf8_lossy(&span.trace_state).into_owned(),
        parent_span_id: span
            .parent
            .map_or_else(Vec::new, |parent| parent.0.to_vec()),
        flags: flags(span),
        name: facts.name.to_owned(),
        kind: match span.kind {
            Role::Server => otlp::span::SpanKind::Server,
            Role::Client => otlp::span::SpanKind::Client,
        }
        .into(),
        start_time_unix_nano: span.start.0,
        end_time_unix_nano: span.end.0,
        attributes: attributes.into_vec(),
        dropped_attributes_count: 0,
        events: events(span),
        dropped_events_count: 0,
        links: span.link.iter().map(link).collect(),
        dropped_links_count: 0,
        status: facts.failed.then(|| otlp::Status {
            message: status_message(exchange).to_owned(),
            code: otlp::status::StatusCode::Error.into(),
        }),
    }
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

fn put_causality(attributes: &mut Attributes, causality: Causality) {
    attributes.string("wirespan.causality.method", causality.method.as_str());
    // Four digits: an f32 as it stands would show digits that mean nothing.
    let confidence = (f64::from(causality.confidence) * 1e4).round() / 1e4;
    attributes.double("wirespan.causality.confidence", confidence);
}

fn link(link: &Link) -> otlp::span::Link {
    let mut attributes = Attributes::with_capacity(2);
    put_causality(&mut attributes, link.causality);
    otlp::span::Link {
        trace_id: link.trace_id.0.to_vec(),
        span_id: link.span_id.0.to_vec(),
        attributes: attributes.into_vec(),
        ..otlp::span::Link::default()
    }
}

/// The times between start and end that a span has no field for.
fn events(span: &Span) -> Vec<otlp::span::Event> {
    let (served, answered) = span.served.unzip();
    let times = [
        ("wirespan.request.queued", span.queued),
        ("wirespan.request.last_byte", Some(span.request_end)),
        ("wirespan.server.first_byte", served),
        ("wirespan.server.last_byte", answered),
        ("wirespan.response.first_byte", span.response_start),
    ];
    let count = times.iter().filter(|(_, time)| time.is_some()).count();
    let mut events = Vec::with_capacity(count);
    for (name, time) in times {
        if let Some(WallTime(time_unix_nano)) = time {
            events.push(otlp::span::Event {
                time_unix_nano,
                name: name.to_owned(),
                ..otlp::span::Event::default()
            });
        }
    }
    events
}

#[cfg(test)]
mod tests;
