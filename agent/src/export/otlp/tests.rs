//! Spans against the semantic conventions.

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use wirespan_stitch::exchange::{CaptureMarks, Exchange, Outcome, Role};
use wirespan_stitch::span::{Causality, Link, Method, SpanId, TraceId};

use super::{QueryPolicy, resource, span};
use crate::testing;

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
    assert!(found.status.is_none());
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
    let events: Vec<_> = found
        .events
        .iter()
        .map(|event| event.name.as_str())
        .collect();
    assert_eq!(
        events,
        ["wirespan.request.last_byte", "wirespan.response.first_byte"]
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
        assert_eq!(found.status.is_some(), expected.is_some(), "{outcome:?}");
        let code = value(&found.attributes, "http.response.status_code");
        assert_eq!(code.is_none(), no_response, "no status is made up");
    }
}

#[test]
fn odd_requests_are_told_as_they_are() {
    let mut given = testing::span(1, None, Role::Client, 0, 1);
    let mut exchange = testing::exchange("BREW", "http://u:p@pot.example/tea", 200);
    exchange.capture.insert(CaptureMarks::GAP);
    exchange.capture.insert(CaptureMarks::BODY_SIZE_UNKNOWN);
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
