//! Spans against the semantic conventions.

use std::time::Instant;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use proptest::prelude::*;
use prost::Message;
use wirespan_stitch::exchange::{Anomalies, CaptureMarks, Exchange, Outcome, Role};
use wirespan_stitch::span::{Causality, Link, Method, Span, SpanId, TraceId};
use wirespan_stitch::time::WallTime;

use super::writer::Writer;
use super::{QueryPolicy, resource, write_span};
use crate::export::batch::{Batcher, Limits, Mapping};
use crate::export::json;
use crate::testing;

/// The span as a reader gets it.
fn span(span: &Span, query: QueryPolicy) -> otlp::Span {
    let mut writer = Writer::default();
    write_span(&mut writer, 2, span, query);
    let mut around = otlp::ScopeSpans::decode(writer.bytes()).unwrap();
    // Neither fields that no reader knows, nor a length that is not true.
    assert_eq!(around.encoded_len(), writer.bytes().len());
    around.spans.pop().unwrap()
}

#[test]
fn a_server_span_follows_the_conventions() {
    let found = span(
        &testing::span(2, Some(1), Role::Server, 5, 9),
        QueryPolicy::Redact,
    );
    assert_eq!(found.name, "GET");
    assert_eq!(found.kind, 2);
    assert_eq!(found.flags, 0x301);
    assert_eq!(found.parent_span_id, [1; 8]);
    assert_eq!(found.status, Some(otlp::Status::default()));
    let expected = [
        "http.request.method=GET",
        "server.address=shop.example",
        "server.port=8080",
        "client.address=10.0.0.2",
        "url.scheme=http",
        "url.path=/cart",
        "url.query=id=REDACTED",
        "network.peer.address=10.0.0.2",
        "network.peer.port=40000",
        "network.protocol.version=1.1",
        "user_agent.original=curl/8",
        "http.response.body.size=12",
        "http.response.status_code=200",
        "wirespan.causality.method=same_connection",
        "wirespan.causality.confidence=1",
    ];
    assert_eq!(sorted(&found.attributes), sorted_text(&expected));
    assert_eq!(found.events, []);
}

#[test]
fn events_tell_what_start_and_end_do_not() {
    let mut given = testing::span(2, Some(1), Role::Client, 5, 9);
    let at = |ms| WallTime(given.start.0 + ms);
    given.served = Some((at(0), at(4)));
    (given.request_end, given.response_start) = (at(1), Some(at(3)));
    let found = span(&given, QueryPolicy::Redact);
    let events: Vec<_> = found
        .events
        .iter()
        .map(|event| (event.name.as_str(), event.time_unix_nano - given.start.0))
        .collect();
    assert_eq!(
        events,
        [
            ("wirespan.request.last_byte", 1),
            ("wirespan.server.first_byte", 0),
            ("wirespan.server.last_byte", 4),
            ("wirespan.response.first_byte", 3),
        ]
    );
}

#[test]
fn a_client_span_has_the_url_and_a_4xx_is_its_error() {
    let mut given = testing::span(2, Some(1), Role::Client, 5, 9);
    *given.exchange = testing::exchange("GET", "/a?b=c", 404);
    let found = span(&given, QueryPolicy::Keep);
    assert_eq!(found.kind, 3);
    assert_eq!(found.flags, 0x101);
    let attributes = sorted(&found.attributes);
    for expected in [
        "url.full=http://shop.example:8080/a?b=c",
        "error.type=404",
        "server.port=8080",
        "wirespan.causality.confidence=0.95",
    ] {
        assert!(
            attributes.iter().any(|found| found == expected),
            "{expected}"
        );
    }
    assert!(
        !attributes
            .iter()
            .any(|found| found.starts_with("client.address"))
    );
    let status = found.status.unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, ""));
}

#[test]
fn errors_follow_role_status_and_end() {
    type Change = fn(&mut Exchange);
    let status: fn(u16) -> Exchange = |status| testing::exchange("GET", "/", status);
    let gone: Change = |exchange| {
        exchange.response = None;
        exchange.outcome = Outcome::ClosedBeforeResponse;
    };
    let reset: Change = |exchange| exchange.outcome = Outcome::ResetInResponse;
    let lost: Change = |exchange| {
        exchange.response = None;
        exchange.outcome = Outcome::Gap;
    };
    let keep: Change = |_| {};
    let cases = [
        (Role::Server, status(404), keep, None),
        (Role::Server, status(500), keep, Some("500")),
        (Role::Client, status(404), keep, Some("404")),
        (Role::Server, status(200), gone, Some("connection_closed")),
        (Role::Client, status(200), reset, Some("connection_reset")),
        (Role::Server, status(200), lost, None),
    ];
    for (kind, mut exchange, change, expected) in cases {
        change(&mut exchange);
        let outcome = exchange.outcome;
        let no_response = exchange.response.is_none();
        let mut given = testing::span(1, None, kind, 0, 1);
        *given.exchange = exchange;
        let found = span(&given, QueryPolicy::Redact);
        assert_eq!(
            value(&found.attributes, "error.type").as_deref(),
            expected,
            "{outcome:?}"
        );
        let code = if expected.is_some() { 2 } else { 0 };
        assert_eq!(found.status.unwrap().code, code, "{outcome:?}");
        let code = value(&found.attributes, "http.response.status_code");
        assert_eq!(code.is_none(), no_response, "no status is made up");
    }
}

#[test]
fn odd_requests_are_told_as_they_are() {
    let mut given = testing::span(1, None, Role::Client, 0, 1);
    let mut exchange = testing::exchange("BREW", "http://u:p@pot.example/tea", 200);
    exchange.capture.insert(CaptureMarks::GAP);
    exchange.capture.insert(CaptureMarks::RESPONSE_SIZE_UNKNOWN);
    exchange.request.message.body_size = 7;
    exchange.interim = 2;
    *given.exchange = exchange;
    let found = span(&given, QueryPolicy::Redact);
    assert_eq!(found.name, "HTTP");
    let attributes = sorted(&found.attributes);
    for expected in [
        "http.request.method=_OTHER",
        "http.request.method_original=BREW",
        "url.full=http://REDACTED:REDACTED@pot.example/tea",
        "server.address=pot.example",
        "wirespan.capture.gap=true",
        "wirespan.capture.body_size_unknown=true",
        "wirespan.http.interim_responses=2",
        "http.request.body.size=7",
    ] {
        assert!(
            attributes.iter().any(|found| found == expected),
            "{expected}: {attributes:?}"
        );
    }
    assert!(value(&found.attributes, "http.response.body.size").is_none());
}

#[test]
fn links_say_how_sure_they_are() {
    let mut given = testing::span(1, None, Role::Client, 0, 1);
    given.link = Some(Link {
        trace_id: TraceId([7; 16]),
        span_id: SpanId([8; 8]),
        causality: Causality {
            method: Method::Timing,
            confidence: 0.4,
        },
    });
    let found = span(&given, QueryPolicy::Redact);
    assert_eq!(found.links[0].trace_id, [7; 16]);
    assert_eq!(found.links[0].span_id, [8; 8]);
    assert_eq!(
        sorted(&found.links[0].attributes),
        [
            "wirespan.causality.confidence=0.4",
            "wirespan.causality.method=timing"
        ]
    );
}

#[test]
fn a_resource_tells_the_process_but_not_its_arguments() {
    let extra = [
        ("deployment.environment.name".to_owned(), "test".to_owned()),
        ("service.name".to_owned(), "agent".to_owned()),
    ];
    let found = resource::of_process(&testing::process(9, "shop"), &extra);
    let found = Resource::decode(&*found).unwrap();
    let expected = [
        "service.name=shop",
        "service.instance.id=box:9:77",
        "process.pid=9",
        "process.parent_pid=1",
        "process.executable.name=python3.11",
        "process.executable.path=/usr/bin/python3.11",
        "process.command=python3",
        "host.name=box",
        "deployment.environment.name=test",
    ];
    assert_eq!(sorted(&found.attributes), sorted_text(&expected));
}

/// Text, and what is none.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,40}".prop_map(String::into_bytes),
        "/[a-z/]{0,300}[?][a-z=&]{0,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn message() -> impl Strategy<Value = Exchange> {
    let outcome = prop_oneof![
        Just(Outcome::Complete),
        Just(Outcome::ResetInResponse),
        Just(Outcome::TimedOut),
        Just(Outcome::Gap),
        Just(Outcome::Upgraded),
    ];
    let texts = [bytes(), bytes(), bytes(), bytes()];
    let flags = (0..32_u32, 0..1_u32 << 21, outcome);
    let response = proptest::option::of(proptest::option::of(200..1000_u16));
    (texts, flags, response, any::<(u64, u32)>()).prop_map(
        |(
            [method, target, host, upgrade],
            (capture, anomalies, outcome),
            response,
            (size, more),
        )| {
            let host = String::from_utf8_lossy(&host).into_owned();
            let mut exchange = testing::exchange("GET", "/", 200);
            exchange.request.method = if more % 2 == 0 {
                Bytes::from_static(b"GET")
            } else {
                method.into()
            };
            exchange.request.target = target.into();
            exchange.request.fields = testing::fields(&[
                ("host", &host),
                ("user-agent", &host),
                ("forwarded", &format!("for={host}")),
            ]);
            exchange.request.message.body_size = size;
            exchange.response = exchange.response.and_then(|mut found| {
                found.status = response?;
                Some(found)
            });
            exchange.capture = CaptureMarks(capture);
            exchange.anomalies = Anomalies(anomalies);
            exchange.outcome = outcome;
            exchange.interim = more;
            exchange.upgraded_to = (more % 3 == 0).then(|| upgrade.into());
            exchange
        },
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    type Ids = ([u8; 16], [u8; 8]);
    type Times = (u64, u64, u64, Option<u64>, Option<(u64, u64)>, Option<u64>);
    let ids = any::<(Ids, Option<[u8; 8]>, Option<Ids>)>();
    let peer = any::<(std::net::IpAddr, u16)>();
    (message(), ids, any::<Times>(), bytes(), peer, any::<bool>()).prop_map(
        |(exchange, ids, times, state, peer, server)| {
            let role = if server { Role::Server } else { Role::Client };
            let ((trace, id), parent, link) = ids;
            let mut span = testing::span(1, Some(1), role, 0, 1);
            span.trace_id = TraceId(trace);
            span.span_id = SpanId(id);
            span.parent = parent.map(SpanId);
            span.link = link.map(|(trace, id)| Link {
                trace_id: TraceId(trace),
                span_id: SpanId(id),
                causality: Causality {
                    method: Method::Timing,
                    confidence: 0.25,
                },
            });
            let (start, end, request_end, response_start, served, queued) = times;
            (span.start, span.end) = (WallTime(start), WallTime(end));
            span.request_end = WallTime(request_end);
            span.response_start = response_start.map(WallTime);
            span.served = served.map(|(from, to)| (WallTime(from), WallTime(to)));
            span.queued = queued.map(WallTime);
            span.trace_state = state.into();
            span.peer = peer.into();
            *span.exchange = exchange;
            span
        },
    )
}

proptest! {
    #[test]
    fn every_span_reads_back(given in any_span()) {
        let found = span(&given, QueryPolicy::Keep);
        prop_assert_eq!(&found.trace_id, &given.trace_id.0);
        prop_assert_eq!(&found.span_id, &given.span_id.0);
        let parent = given.parent.map_or_else(Vec::new, |parent| parent.0.to_vec());
        prop_assert_eq!(&found.parent_span_id, &parent);
        let state = String::from_utf8_lossy(&given.trace_state);
        prop_assert_eq!(&found.trace_state, &state);
        prop_assert_eq!(found.start_time_unix_nano, given.start.0);
        prop_assert_eq!(found.end_time_unix_nano, given.end.0);
        let known = usize::from(given.queued.is_some())
            + 2 * usize::from(given.served.is_some())
            + usize::from(given.response_start.is_some_and(|time| time != given.end))
            + usize::from(given.request_end != given.start);
        prop_assert_eq!(found.events.len(), known);
        prop_assert_eq!(found.links.len(), usize::from(given.link.is_some()));
        let peer = given.peer.ip().to_canonical().to_string();
        prop_assert_eq!(value(&found.attributes, "network.peer.address"), Some(peer));
        let status = given.exchange.response.as_ref().and_then(|response| response.status);
        let shown = value(&found.attributes, "http.response.status_code");
        prop_assert_eq!(shown, status.map(|status| status.to_string()));
        let mut keys: Vec<_> = found.attributes.iter().map(|found| &found.key).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), found.attributes.len());
    }

    #[test]
    fn the_json_of_every_span_reads_back(given in any_span()) {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        batcher.add(&given, Instant::now());
        let request = batcher.take().unwrap().request.concat();
        let mut line = Vec::new();
        json::put_line(&request, &mut line).unwrap();
        let read: ExportTraceServiceRequest = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(read, ExportTraceServiceRequest::decode(&*request).unwrap());
    }
}

fn sorted(attributes: &[KeyValue]) -> Vec<String> {
    let mut text: Vec<_> = attributes
        .iter()
        .map(|attribute| format!("{}={}", attribute.key, shown(attribute)))
        .collect();
    text.sort();
    text
}

fn sorted_text(expected: &[&str]) -> Vec<String> {
    let mut text: Vec<_> = expected.iter().map(ToString::to_string).collect();
    text.sort();
    text
}

fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .map(shown)
}

fn shown(attribute: &KeyValue) -> String {
    match attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref())
    {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(int)) => int.to_string(),
        Some(Value::DoubleValue(double)) => double.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}
