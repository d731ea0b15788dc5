//! Export requests as OTLP/JSON, byte for byte as the OpenTelemetry
//! Collector's file exporter writes them: fields at their default are left out,
//! ids are hexadecimal, 64-bit integers are strings, enums are numbers
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};

/// One line (without its end) for the request.
pub fn line(request: &ExportTraceServiceRequest) -> String {
    let mut json = Json::default();
    json.object(|json| {
        json.list("resourceSpans", &request.resource_spans, resource_spans);
    });
    json.text
}

fn resource_spans(json: &mut Json, spans: &ResourceSpans) {
    if let Some(resource) = &spans.resource {
        json.key("resource");
        json.object(|json| json.list("attributes", &resource.attributes, attribute));
    }
    json.list("scopeSpans", &spans.scope_spans, scope_spans);
    json.string("schemaUrl", &spans.schema_url);
}

fn scope_spans(json: &mut Json, spans: &ScopeSpans) {
    if let Some(scope) = &spans.scope {
        json.key("scope");
        json.object(|json| self::scope(json, scope));
    }
    json.list("spans", &spans.spans, span);
    json.string("schemaUrl", &spans.schema_url);
}

fn scope(json: &mut Json, scope: &InstrumentationScope) {
    json.string("name", &scope.name);
    json.string("version", &scope.version);
    json.list("attributes", &scope.attributes, attribute);
}

fn span(json: &mut Json, span: &Span) {
    json.hex("traceId", &span.trace_id);
    json.hex("spanId", &span.span_id);
    json.string("traceState", &span.trace_state);
    json.hex("parentSpanId", &span.parent_span_id);
    json.number("flags", span.flags);
    json.string("name", &span.name);
    json.number("kind", span.kind.unsigned_abs());
    json.wide("startTimeUnixNano", span.start_time_unix_nano);
    json.wide("endTimeUnixNano", span.end_time_unix_nano);
    json.list("attributes", &span.attributes, attribute);
    json.number("droppedAttributesCount", span.dropped_attributes_count);
    json.list("events", &span.events, event);
    json.number("droppedEventsCount", span.dropped_events_count);
    json.list("links", &span.links, link);
    json.number("droppedLinksCount", span.dropped_links_count);
    json.key("status");
    json.object(|json| {
        if let Some(Status { message, code }) = &span.status {
            json.string("message", message);
            json.number("code", code.unsigned_abs());
        }
    });
}

fn event(json: &mut Json, event: &Event) {
    json.wide("timeUnixNano", event.time_unix_nano);
    json.string("name", &event.name);
    json.list("attributes", &event.attributes, attribute);
    json.number("droppedAttributesCount", event.dropped_attributes_count);
}

fn link(json: &mut Json, link: &Link) {
    json.hex("traceId", &link.trace_id);
    json.hex("spanId", &link.span_id);
    json.string("traceState", &link.trace_state);
    json.list("attributes", &link.attributes, attribute);
    json.number("droppedAttributesCount", link.dropped_attributes_count);
    json.number("flags", link.flags);
}

fn attribute(json: &mut Json, attribute: &KeyValue) {
    json.string("key", &attribute.key);
    json.key("value");
    json.object(|json| any_value(json, attribute.value.as_ref()));
}

fn any_value(json: &mut Json, value: Option<&AnyValue>) {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => {
            json.key("stringValue");
            json.quoted(text);
        }
        Some(Value::BoolValue(flag)) => {
            json.key("boolValue");
            json.text.push_str(if *flag { "true" } else { "false" });
        }
        Some(Value::IntValue(int)) => {
            json.key("intValue");
            json.display(format_args!("\"{int}\""));
        }
        Some(Value::DoubleValue(double)) => {
            json.key("doubleValue");
            json.display(format_args!("{double}"));
        }
        Some(Value::ArrayValue(array)) => {
            json.key("arrayValue");
            json.object(|json| {
                json.list("values", &array.values, |json, value| {
                    any_value(json, Some(value));
                });
            });
        }
        Some(Value::KvlistValue(list)) => {
            json.key("kvlistValue");
            json.object(|json| json.list("values", &list.values, attribute));
        }
        // The mapping makes no other values.
        Some(Value::BytesValue(_) | Value::StringValueStrindex(_)) | None => {}
    }
}

#[derive(Default)]
struct Json {
    text: String,
}

impl Json {
    fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.text.push('{');
        fields(self);
        self.text.push('}');
    }

    /// The name of a field, after the comma it may need.
    fn key(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(name);
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.object(|json| write(json, item));
        }
        self.text.push(']');
    }

    fn string(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.key(name);
            self.quoted(value);
        }
    }

    fn hex(&mut self, name: &str, bytes: &[u8]) {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        if bytes.is_empty() {
            return;
        }
        self.key(name);
        self.text.push('"');
        for byte in bytes {
            self.text.push(DIGITS[usize::from(byte >> 4)]);
            self.text.push(DIGITS[usize::from(byte & 15)]);
        }
        self.text.push('"');
    }

    fn number(&mut self, name: &str, value: u32) {
        if value != 0 {
            self.key(name);
            self.display(format_args!("{value}"));
        }
    }

    fn wide(&mut self, name: &str, value: u64) {
        if value != 0 {
            self.key(name);
            self.display(format_args!("\"{value}\""));
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(needs_escape) {
            let (plain, special) = rest.split_at(at);
            self.text.push_str(plain);
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                self.escape(character);
            }
            rest = characters.as_str();
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    fn escape(&mut self, character: char) {
        match character {
            '"' | '\\' => {
                self.text.push('\\');
                self.text.push(character);
            }
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            _ => self.display(format_args!("\\u{:04x}", u32::from(character))),
        }
    }

    fn display(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// U+2028 and U+2029 end lines in JavaScript; the collector escapes them too.
fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}') || character < ' '
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::export::batch::{Batcher, Limits, Mapping};
    use crate::testing;

    #[test]
    fn a_line_reads_back_as_the_request() {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        let mut odd = testing::span(2, Some(1), Role::Client, 0, 5);
        *odd.exchange = testing::exchange("GET", "/\"\\\u{1}\u{2028}é\n<&>", 500);
        batcher.add(&testing::span(1, None, Role::Server, 0, 5), Instant::now());
        batcher.add(&odd, Instant::now());
        let request = batcher.take().unwrap().request;
        let line = line(&request);
        assert!(!line.contains('\n'));
        let read: ExportTraceServiceRequest = serde_json::from_str(&line).unwrap();
        assert_eq!(read.resource_spans.len(), request.resource_spans.len());
        for (read, request) in read.resource_spans.iter().zip(&request.resource_spans) {
            assert_eq!(read.resource, request.resource);
            assert_eq!(read.schema_url, request.schema_url);
            let (read, request) = (&read.scope_spans[0], &request.scope_spans[0]);
            assert_eq!(read.scope, request.scope);
            let (mut read, request) = (read.spans[0].clone(), &request.spans[0]);
            // The collector writes an empty status where there is none.
            if read.status == Some(Status::default()) {
                read.status = None;
            }
            assert_eq!(&read, request);
        }
    }
}
