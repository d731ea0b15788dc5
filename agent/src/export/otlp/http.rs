//! The attributes of one exchange, by the stable HTTP semantic conventions.

use std::borrow::Cow;

use wirespan_stitch::exchange::{
    Anomalies, Anomaly, CaptureMarks, Exchange, Outcome, Request, Role, Version,
};
use wirespan_stitch::span::Span;

use super::attribute::{Attributes, text};
use super::broken_off;
use super::forwarded::Forwarded;
use super::target::{QueryPolicy, Target, shown_query, split_port};

/// Puts the attributes of the span's exchange; gives whether it failed.
pub(super) fn put(attributes: &mut Attributes<'_>, span: &Span, query: QueryPolicy) -> bool {
    let exchange = &*span.exchange;
    put_method(attributes, &exchange.request);
    put_url(attributes, span, query);
    attributes.address("network.peer.address", span.peer.ip());
    attributes.int("network.peer.port", span.peer.port());
    if let Some(version) = version(exchange.request.version) {
        attributes.string("network.protocol.version", version);
    }
    if let Some(agent) = exchange.request.fields.first("user-agent") {
        attributes.bytes("user_agent.original", agent);
    }
    put_sizes(attributes, exchange);
    put_capture(attributes, exchange);
    put_result(attributes, span.kind, exchange)
}

/// The span's name: no route can be seen from outside, so the method only.
pub(super) fn name(request: &Request) -> &'static str {
    known_method(&request.method).unwrap_or("HTTP")
}

fn put_method(attributes: &mut Attributes<'_>, request: &Request) {
    if let Some(method) = known_method(&request.method) {
        attributes.string("http.request.method", method);
    } else {
        attributes.string("http.request.method", "_OTHER");
        attributes.bytes("http.request.method_original", &request.method);
    }
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

fn put_url(attributes: &mut Attributes<'_>, span: &Span, policy: QueryPolicy) {
    let request = &span.exchange.request;
    let target = text(&request.target);
    let target = Target::parse(&target, request.method == b"CONNECT".as_slice());
    let host = request.fields.first("host").map(text);
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
        Role::Server => put_client(attributes, span, said.client),
        Role::Client => {
            put_full_url(
                attributes,
                span,
                scheme,
                authority,
                &target,
                query.as_deref(),
            );
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
fn put_server(attributes: &mut Attributes<'_>, span: &Span, authority: Option<&str>) {
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
        None => attributes.address("server.address", server.ip()),
    }
    attributes.int("server.port", port.unwrap_or(server.port()));
}

fn put_client(attributes: &mut Attributes<'_>, span: &Span, forwarded: Option<&str>) {
    if let Some(client) = forwarded {
        attributes.string("client.address", client);
    } else {
        let client = span.exchange.proxied_client.unwrap_or(span.peer);
        attributes.address("client.address", client.ip());
    }
}

fn put_full_url(
    attributes: &mut Attributes<'_>,
    span: &Span,
    scheme: &str,
    authority: Option<&str>,
    target: &Target<'_>,
    query: Option<&str>,
) {
    let authority: Cow<'_, str> =
        authority.map_or_else(|| span.peer.to_string().into(), Into::into);
    let credentials = if target.credentials {
        "REDACTED:REDACTED@"
    } else {
        ""
    };
    // OPTIONS * asks about the server as a whole: no path.
    let path = if target.path == "*" { "" } else { target.path };
    let query = query.unwrap_or_default();
    let mark = if query.is_empty() { "" } else { "?" };
    let parts = [scheme, "://", credentials, &authority, path, mark, query];
    attributes.parts("url.full", &parts);
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::Http09 => Some("0.9"),
        Version::Http1 => Some("1"),
        Version::Http10 => Some("1.0"),
        Version::Http11 => Some("1.1"),
        Version::Other => None,
    }
}

fn put_sizes(attributes: &mut Attributes<'_>, exchange: &Exchange) {
    let known = |mark| !exchange.capture.contains(mark);
    let request = exchange.request.message.body_size;
    if request > 0 && known(CaptureMarks::REQUEST_SIZE_UNKNOWN) {
        attributes.int("http.request.body.size", request);
    }
    if let Some(response) = &exchange.response
        && known(CaptureMarks::RESPONSE_SIZE_UNKNOWN)
    {
        attributes.int("http.response.body.size", response.message.body_size);
    }
}

/// What was odd, and what was not seen.
fn put_capture(attributes: &mut Attributes<'_>, exchange: &Exchange) {
    const MARKS: [(CaptureMarks, &str); 4] = [
        (CaptureMarks::TRUNCATED, "wirespan.capture.truncated"),
        (CaptureMarks::GAP, "wirespan.capture.gap"),
        (
            CaptureMarks::RESYNCHRONISED,
            "wirespan.capture.resynchronised",
        ),
        (CaptureMarks::END_INFERRED, "wirespan.capture.end_inferred"),
    ];
    if exchange.capture != CaptureMarks::default() {
        for (mark, name) in MARKS {
            if exchange.capture.contains(mark) {
                attributes.flag(name);
            }
        }
        if exchange
            .capture
            .contains(CaptureMarks::REQUEST_SIZE_UNKNOWN)
            || exchange
                .capture
                .contains(CaptureMarks::RESPONSE_SIZE_UNKNOWN)
        {
            attributes.flag("wirespan.capture.body_size_unknown");
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
        attributes.bytes("wirespan.http.upgraded_to", protocol);
    }
}

/// Status and `error.type`; gives whether the span failed. A 4xx is the
/// client's error, not the server's.
fn put_result(attributes: &mut Attributes<'_>, kind: Role, exchange: &Exchange) -> bool {
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
    if let Some(failed) = status.filter(|status| *status >= limit) {
        attributes.shown("error.type", failed);
    } else if let Some(end) = broken_off(exchange.outcome) {
        attributes.string("error.type", end);
    } else {
        return false;
    }
    true
}
