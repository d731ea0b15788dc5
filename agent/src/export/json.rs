//! Export requests as OTLP/JSON, byte for byte as the OpenTelemetry
//! Collector's file exporter writes them: fields at their default are left out,
//! ids are hexadecimal, 64-bit integers are strings, enums are numbers
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
//!
//! In comes the request as protobuf, and it is written as it is read: what is
//! told of a span, and in which order, is decided in [`super::otlp`] alone.

use std::io::Write as _;

use prost::encoding::{WireType, decode_key, decode_varint};

/// A field of a message; those that are not here are not shown.
struct Field {
    number: u32,
    name: &'static str,
    kind: Kind,
}

/// How a field is written.
enum Kind {
    Text,
    Hex,
    Bool,
    Number,
    /// `fixed64`.
    Wide,
    /// `int64`.
    Signed,
    Double,
    Message(&'static [Field]),
    List(&'static [Field]),
}

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

static REQUEST: [Field; 1] = [field(1, "resourceSpans", Kind::List(&RESOURCE_SPANS))];

static RESOURCE_SPANS: [Field; 3] = [
    field(1, "resource", Kind::Message(&RESOURCE)),
    field(2, "scopeSpans", Kind::List(&SCOPE_SPANS)),
    field(3, "schemaUrl", Kind::Text),
];

static RESOURCE: [Field; 1] = [field(1, "attributes", Kind::List(&KEY_VALUE))];

static SCOPE_SPANS: [Field; 3] = [
    field(1, "scope", Kind::Message(&SCOPE)),
    field(2, "spans", Kind::List(&SPAN)),
    field(3, "schemaUrl", Kind::Text),
];

static SCOPE: [Field; 2] = [
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
];

static SPAN: [Field; 13] = [
    field(1, "traceId", Kind::Hex),
    field(2, "spanId", Kind::Hex),
    field(3, "traceState", Kind::Text),
    field(4, "parentSpanId", Kind::Hex),
    field(16, "flags", Kind::Number),
    field(5, "name", Kind::Text),
    field(6, "kind", Kind::Number),
    field(7, "startTimeUnixNano", Kind::Wide),
    field(8, "endTimeUnixNano", Kind::Wide),
    field(9, "attributes", Kind::List(&KEY_VALUE)),
    field(11, "events", Kind::List(&EVENT)),
    field(13, "links", Kind::List(&LINK)),
    field(15, "status", Kind::Message(&STATUS)),
];

static EVENT: [Field; 2] = [
    field(1, "timeUnixNano", Kind::Wide),
    field(2, "name", Kind::Text),
];

static LINK: [Field; 3] = [
    field(1, "traceId", Kind::Hex),
    field(2, "spanId", Kind::Hex),
    field(4, "attributes", Kind::List(&KEY_VALUE)),
];

static STATUS: [Field; 2] = [
    field(2, "message", Kind::Text),
    field(3, "code", Kind::Number),
];

static KEY_VALUE: [Field; 2] = [
    field(1, "key", Kind::Text),
    field(2, "value", Kind::Message(&ANY_VALUE)),
];

static ANY_VALUE: [Field; 5] = [
    field(1, "stringValue", Kind::Text),
    field(2, "boolValue", Kind::Bool),
    field(3, "intValue", Kind::Signed),
    field(4, "doubleValue", Kind::Double),
    field(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
];

static ARRAY_VALUE: [Field; 1] = [field(1, "values", Kind::List(&ANY_VALUE))];

/// The bytes are no protobuf, or not what the field should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the export request is malformed")]
pub struct Malformed;

/// Puts one line (without its end) for the encoded request.
pub fn put_line(request: &[u8], line: &mut Vec<u8>) -> Result<(), Malformed> {
    put_object(line, request, &REQUEST)
}

/// What lies on the wire.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn put_object(json: &mut Vec<u8>, mut message: &[u8], fields: &[Field]) -> Result<(), Malformed> {
    json.push(b'{');
    let mut last: Option<&Field> = None;
    while let Some((number, value)) = next(&mut message)? {
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            continue;
        };
        if last.is_some_and(|last| last.number == number && last.is_list()) {
            json.push(b',');
        } else {
            end_field(json, last);
            if last.is_some() {
                json.push(b',');
            }
            json.push(b'"');
            json.extend_from_slice(field.name.as_bytes());
            json.extend_from_slice(if field.is_list() { b"\":[" } else { b"\":" });
        }
        put_value(json, &field.kind, value)?;
        last = Some(field);
    }
    end_field(json, last);
    json.push(b'}');
    Ok(())
}

fn end_field(json: &mut Vec<u8>, last: Option<&Field>) {
    if last.is_some_and(Field::is_list) {
        json.push(b']');
    }
}

impl Field {
    fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }
}

/// The next field of the message; `None` at its end.
fn next<'a>(message: &mut &'a [u8]) -> Result<Option<(u32, Value<'a>)>, Malformed> {
    if message.is_empty() {
        return Ok(None);
    }
    let (number, wire) = decode_key(message).map_err(|_| Malformed)?;
    let value = match wire {
        WireType::Varint => Value::Number(decode_varint(message).map_err(|_| Malformed)?),
        WireType::SixtyFourBit => Value::Number(u64::from_le_bytes(array(message)?)),
        WireType::ThirtyTwoBit => Value::Number(u32::from_le_bytes(array(message)?).into()),
        WireType::LengthDelimited => {
            let len = decode_varint(message).map_err(|_| Malformed)?;
            let len = usize::try_from(len).map_err(|_| Malformed)?;
            let (value, rest) = message.split_at_checked(len).ok_or(Malformed)?;
            *message = rest;
            Value::Bytes(value)
        }
        WireType::StartGroup | WireType::EndGroup => return Err(Malformed),
    };
    Ok(Some((number, value)))
}

fn array<const N: usize>(message: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (value, rest) = message.split_first_chunk().ok_or(Malformed)?;
    *message = rest;
    Ok(*value)
}

fn put_value(json: &mut Vec<u8>, kind: &Kind, value: Value<'_>) -> Result<(), Malformed> {
    match (kind, value) {
        (Kind::Text, Value::Bytes(text)) => put_text(json, text),
        (Kind::Hex, Value::Bytes(bytes)) => put_hex(json, bytes),
        (Kind::Message(fields) | Kind::List(fields), Value::Bytes(message)) => {
            return put_object(json, message, fields);
        }
        (Kind::Bool, Value::Number(flag)) => {
            json.extend_from_slice(if flag == 0 { b"false" } else { b"true" });
        }
        (Kind::Number, Value::Number(number)) => put(json, format_args!("{number}")),
        (Kind::Wide, Value::Number(number)) => put(json, format_args!("\"{number}\"")),
        (Kind::Signed, Value::Number(number)) => {
            put(json, format_args!("\"{}\"", number.cast_signed()));
        }
        (Kind::Double, Value::Number(bits)) => put(json, format_args!("{}", f64::from_bits(bits))),
        _ => return Err(Malformed),
    }
    Ok(())
}

fn put(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = json.write_fmt(text);
}

fn put_hex(json: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    json.push(b'"');
    for byte in bytes {
        json.push(DIGITS[usize::from(byte >> 4)]);
        json.push(DIGITS[usize::from(byte & 15)]);
    }
    json.push(b'"');
}

fn put_text(json: &mut Vec<u8>, text: &[u8]) {
    json.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| may_need_escape(*byte)) {
        let (plain, special) = rest.split_at(at);
        json.extend_from_slice(plain);
        rest = &special[put_escaped(json, special)..];
    }
    json.extend_from_slice(rest);
    json.push(b'"');
}

/// The first byte of U+2028 and U+2029 is that of other characters too.
fn may_need_escape(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\' | 0xe2)
}

/// Puts what `text` begins with, and gives how many bytes that was. U+2028 and
/// U+2029 end lines in JavaScript; the collector escapes them too.
fn put_escaped(json: &mut Vec<u8>, text: &[u8]) -> usize {
    match *text {
        [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => {
            put(
                json,
                format_args!("\\u{:04x}", 0x2028 + u32::from(last & 1)),
            );
            return 3;
        }
        [byte @ (b'"' | b'\\'), ..] => json.extend_from_slice(&[b'\\', byte]),
        [b'\n', ..] => json.extend_from_slice(b"\\n"),
        [b'\r', ..] => json.extend_from_slice(b"\\r"),
        [b'\t', ..] => json.extend_from_slice(b"\\t"),
        [byte @ 0..b' ', ..] => put(json, format_args!("\\u{byte:04x}")),
        [byte, ..] => json.push(byte),
        [] => return 0,
    }
    1
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
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
        let request = batcher.take().unwrap().request.concat();
        let mut line = Vec::new();
        put_line(&request, &mut line).unwrap();
        assert!(!line.contains(&b'\n'));
        let text = String::from_utf8(line).unwrap();
        assert!(!text.contains('\u{2028}') && text.contains("\\u2028"));
        let read: ExportTraceServiceRequest = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ExportTraceServiceRequest::decode(&*request).unwrap());
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        batcher.add(&testing::span(1, None, Role::Server, 0, 5), Instant::now());
        let request = batcher.take().unwrap().request.concat();
        for end in 1..request.len() {
            let result = put_line(&request[..end], &mut Vec::new());
            assert_eq!(result, Err(Malformed), "{end}");
        }
        // A number where text should be.
        assert_eq!(put_line(&[0x08, 1], &mut Vec::new()), Err(Malformed));
    }
}
