//! The attributes of one exchange, by the stable HTTP semantic conventions.

use std::borrow::Cow;

use wirespan_stitch::exchange::{
    Anomalies, Anomaly, CaptureMarks, Exchange, Outcome, Request, Role, Version,
};
use wirespan_stitch::span::Span;

use super::attribute::Attributes;
use super::broken_off;
use super::forwarded::Forwarded;
use super::target::{QueryPolicy, Target, shown_query, split_port};

/// What the span itself needs to know of its attributes.
pub(super) struct Facts {
    /// The span's name: no route can be seen from outside, so the method only.
    pub(super) name: &'static str,
    /// The span's status is an error.
    pub(super) failed: bool,
}

/// Puts the attributes of the span's exchange.
pub(super) fn put(attributes: &mut Attributes, span: &Span, query: QueryPolicy) -> Facts {
    let exchange = &*span.exchange;
    let name = put_method(attributes, &exchange.request);
    put_url(attributes, span, query);
    attributes.string(
        "network.peer.address",
        span.peer.ip().to_canonical().to_string(),
    );
    attributes.int("network.peer.port", span.peer.port());
    attributes.string(
        "network.protocol.version",
        version(exchange.request.version),
    );
    if let Some(agent) = exchange.request.fields.first("user-agent") {
        attributes.string("user_agent.original", String::from_utf8_lossy(agent));
    }
    put_sizes(attributes, exchange);
    put_capture(attributes, exchange);
    let failed = put_result(attributes, span.kind, exchange);
    Facts { name, failed }
}

fn put_method(attributes: &mut Attributes, request: &Request) -> &'static str {
    if let Some(method) = known_method(&request.method) {
        attributes.string("http.request.method", method);
        return method;
    }
    attributes.string("http.request.method", "_OTHER");
    attributes.string(
        "http.request.method_original",
        String::from_utf8_lossy(&request.method),
    );
    "HTTP"
}

/// The methods of RFC 9110 and RFC 5789; names are case-sensitive.
fn known_method(method: &[u8]) -> Option<&'static str> {
    Some(match method {
        b"GET" => "GET",
        b"POST" => "POST",
        b"PUT" => "PUT",
        b"DELETE" => "DELETE",
        b"HEAD" => "HEAD",
        b"PATCH" => "PATCH",
        b"OPTIONS" => "OPTIONS",
        b"CONNECT" => "CONNECT",
        b"TRACE" => "TRACE",
        _ => return None,
    })
}

fn put_url(attributes: &mut Attributes, span: &Span, policy: QueryPolicy) {
    let request = &span.exchange.request;
    let text = String::from_utf8_lossy(&request.target);
    let target = Target::parse(&text, request.method == b"CONNECT".as_slice());
    let host = request.fields.first("host").map(String::from_utf8_lossy);
    let host = host.as_deref().filter(|host| !host.is_empty());
    let said = match span.kind {
        Role::Server => Forwarded::of(&request.fields),
        Role::Client => Forwarded::default(),
    };
    let scheme = said.scheme.or(target.scheme).unwrap_or("http");
    let authority = said.host.or(target.authority).or(host);
    let query = target.query.and_then(|query| shown_query(query, policy));

    put_server(attributes, span, authority);
    match span.kind {
        Role::Server => {
            attributes.string("client.address", client_address(span, said.client));
        }
        Role::Client => {
            let url = full_url(span, scheme, authority, &target, query.as_deref());
            attributes.string("url.full", url);
        }
    }
    attributes.string("url.scheme", scheme);
    attributes.known("url.path", target.path);
    if let Some(query) = query {
        attributes.known("url.query", &query);
    }
}

/// Without a port in the authority, the connection's own is the best answer:
/// the default one of the scheme would be wrong behind any mapping of ports.
fn put_server(attributes: &mut Attributes, span: &Span, authority: Option<&str>) {
    let server = match span.kind {
        Role::Server => span.local,
        Role::Client => span.peer,
    };
    let (host, port) = authority.map_or((None, None), |authority| {
        let (host, port) = split_port(authority);
        (Some(host), port)
    });
    match host {
        Some(host) => attributes.string("server.address", host),
        None => attributes.string("server.address", server.ip().to_canonical().to_string()),
    }
    attributes.int("server.port", port.unwrap_or(server.port()));
}

fn client_address(span: &Span, forwarded: Option<&str>) -> String {
    forwarded.map_or_else(
        || {
            let client = span.exchange.proxied_client.unwrap_or(span.peer);
            client.ip().to_canonical().to_string()
        },
        str::to_owned,
    )
}

fn full_url(
    span: &Span,
    scheme: &str,
    authority: Option<&str>,
    target: &Target<'_>,
    query: Option<&str>,
) -> String {
    let authority: Cow<'_, str> =
        authority.map_or_else(|| span.peer.to_string().into(), Into::into);
    let query = query.unwrap_or_default();
    let mut url =
        String::with_capacity(scheme.len() + authority.len() + target.path.len() + query.len() + 4);
    url.push_str(scheme);
    url.push_str("://");
    if target.credentials {
        url.push_str("REDACTED:REDACTED@");
    }
    url.push_str(&authority);
    // OPTIONS * asks about the server as a whole: no path.
    if target.path != "*" {
        url.push_str(target.path);
    }
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http09 => "0.9",
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    }
}

fn put_sizes(attributes: &mut Attributes, exchange: &Exchange) {
    if exchange.capture.contains(CaptureMarks::BODY_SIZE_UNKNOWN) {
        return;
    }
    let request = exchange.request.message.body_size;
    if request > 0 {
        attributes.int("http.request.body.size", request);
    }
    if let Some(response) = &exchange.response {
        attributes.int("http.response.body.size", response.message.body_size);
    }
}

/// What was odd, and what was not seen.
fn put_capture(attributes: &mut Attributes, exchange: &Exchange) {
    const MARKS: [(CaptureMarks, &str); 5] = [
        (CaptureMarks::TRUNCATED, "wirespan.capture.truncated"),
        (CaptureMarks::GAP, "wirespan.capture.gap"),
        (
            CaptureMarks::RESYNCHRONISED,
            "wirespan.capture.resynchronised",
        ),
        (CaptureMarks::END_INFERRED, "wirespan.capture.end_inferred"),
        (
            CaptureMarks::BODY_SIZE_UNKNOWN,
            "wirespan.capture.body_size_unknown",
        ),
    ];
    if exchange.capture != CaptureMarks::default() {
        for (mark, name) in MARKS {
            if exchange.capture.contains(mark) {
                attributes.flag(name);
            }
        }
    }
    if exchange.anomalies != Anomalies::default() {
        let kinds = exchange.anomalies.iter().map(Anomaly::as_str);
        attributes.strings("wirespan.http.anomaly", kinds);
    }
    let unknown_end = match exchange.outcome {
        Outcome::Gap => Some("gap"),
        Outcome::Evicted => Some("evicted"),
        Outcome::EndOfInput => Some("end_of_input"),
        _ => None,
    };
    if let Some(end) = unknown_end {
        attributes.string("wirespan.capture.end_unknown", end);
    }
    if exchange.interim > 0 {
        attributes.int("wirespan.http.interim_responses", exchange.interim);
    }
    if let Some(protocol) = &exchange.upgraded_to {
        attributes.string(
            "wirespan.http.upgraded_to",
            String::from_utf8_lossy(protocol),
        );
    }
}

/// Status and `error.type`; gives whether the span failed. A 4xx is the
/// client's error, not the server's.
fn put_result(attributes: &mut Attributes, kind: Role, exchange: &Exchange) -> bool {
    let status = exchange
        .response
        .as_ref()
        .and_then(|response| response.status);
    if let Some(status) = status {
        attributes.int("http.response.status_code", status);
    }
    let limit = match kind {
        Role::Server => 500,
        Role::Client => 400,
    };
    let failed = status.filter(|status| *status >= limit);
    let error = failed
        .map(|status| Cow::from(status.to_string()))
        .or_else(|| broken_off(exchange.outcome).map(Cow::from));
    let is_error = error.is_some();
    if let Some(error) = error {
        attributes.string("error.type", error);
    }
    is_error
}
