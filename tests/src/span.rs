//! The spans in OTLP/JSON lines, as `--json` and the collector's file exporter
//! write them: one `ExportTraceServiceRequest` a line.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Attributes by key. Values are text: numbers in decimal, others as JSON.
pub type Attributes = BTreeMap<String, String>;

/// A span with the resource it belongs to. Fields at their default may be
/// missing from the JSON; here they are always present.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// 16 hexadecimal digits; empty for a root.
    pub parent: String,
    /// Server or client.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// In ns since the Unix epoch.
    pub start: u64,
    /// In ns since the Unix epoch.
    pub end: u64,
    /// Its attributes.
    pub attributes: Attributes,
    /// The OTLP status code: 0 unset, 1 ok, 2 error.
    pub status: u64,
    /// `tracestate`.
    pub trace_state: String,
    /// Span ids it links to, with the links' attributes.
    pub links: Vec<(String, Attributes)>,
    /// The resource's attributes.
    pub resource: Attributes,
}

/// A span's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `SPAN_KIND_SERVER`.
    Server,
    /// `SPAN_KIND_CLIENT`.
    Client,
}

impl Span {
    /// `service.name`.
    pub fn service(&self) -> &str {
        self.resource.get("service.name").map_or("", String::as_str)
    }

    /// An attribute's value; empty if missing.
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    /// `http.request.method`.
    pub fn method(&self) -> &str {
        self.get("http.request.method")
    }

    /// The path: `url.path`, else that of `url.full` (CLIENT spans).
    pub fn path(&self) -> &str {
        match self.get("url.path") {
            "" => path_of(self.get("url.full")),
            path => path,
        }
    }

    /// `http.response.status_code`; `None` if there was none.
    pub fn status_code(&self) -> Option<u16> {
        self.get("http.response.status_code").parse().ok()
    }
}

/// All spans in `text`, sorted. A last line without its end is an error too.
pub fn parse(text: &str) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let request: Value =
            serde_json::from_str(line).with_context(|| format!("line {} of JSON", number + 1))?;
        for group in list(&request, "resourceSpans") {
            let resource = attributes(&group["resource"]);
            for scope in list(group, "scopeSpans") {
                for value in list(scope, "spans") {
                    let span = span(value, &resource)
                        .with_context(|| format!("a span on line {}: {value}", number + 1))?;
                    spans.push(span);
                }
            }
        }
    }
    spans.sort();
    Ok(spans)
}

fn span(value: &Value, resource: &Attributes) -> Result<Span> {
    Ok(Span {
        trace_id: id(value, "traceId", 32)?,
        span_id: id(value, "spanId", 16)?,
        parent: match text(value, "parentSpanId") {
            "" => String::new(),
            _ => id(value, "parentSpanId", 16)?,
        },
        kind: match number(&value["kind"]) {
            Some(2) => Kind::Server,
            Some(3) => Kind::Client,
            _ => bail!("kind is neither SERVER nor CLIENT"),
        },
        name: text(value, "name").to_owned(),
        start: number(&value["startTimeUnixNano"]).context("startTimeUnixNano")?,
        end: number(&value["endTimeUnixNano"]).context("endTimeUnixNano")?,
        attributes: attributes(value),
        status: number(&value["status"]["code"]).unwrap_or(0),
        trace_state: text(value, "traceState").to_owned(),
        links: list(value, "links")
            .map(|link| Ok((id(link, "spanId", 16)?, attributes(link))))
            .collect::<Result<_>>()?,
        resource: resource.clone(),
    })
}

fn id(value: &Value, key: &str, digits: usize) -> Result<String> {
    let id = text(value, key);
    let valid = id.len() == digits
        && id.bytes().all(|digit| digit.is_ascii_hexdigit())
        && id.bytes().any(|digit| digit != b'0');
    if !valid {
        bail!("{key} is {id:?}");
    }
    Ok(id.to_owned())
}

fn attributes(value: &Value) -> Attributes {
    list(value, "attributes")
        .map(|pair| (text(pair, "key").to_owned(), plain(&pair["value"])))
        .collect()
}

/// OTLP/JSON has 64-bit integers as strings, and some writers have them as numbers.
fn plain(value: &Value) -> String {
    let inner = value.as_object().and_then(|object| object.values().next());
    match inner {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn path_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after.find('/').map_or("", |slash| &after[slash..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{
        "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708",
        "kind":3,"name":"GET","startTimeUnixNano":"5","endTimeUnixNano":"9","attributes":[
        {"key":"http.response.status_code","value":{"intValue":"404"}},
        {"key":"url.full","value":{"stringValue":"http://127.0.0.1:80/a/b?c"}}],
        "status":{"code":2}}]}]}]}"#;

    #[test]
    fn a_span_is_read_with_its_resource_and_defaults() {
        let spans = parse(&LINE.replace('\n', "")).unwrap();
        let [span] = spans.as_slice() else {
            panic!("{spans:?}");
        };
        assert_eq!(span.service(), "shop");
        assert_eq!(span.kind, Kind::Client);
        assert_eq!(span.status_code(), Some(404));
        assert_eq!(span.path(), "/a/b");
        assert_eq!((span.start, span.end, span.status), (5, 9, 2));
        assert_eq!(span.parent, "");
    }

    #[test]
    fn an_all_zero_id_is_refused() {
        let line = LINE
            .replace('\n', "")
            .replace("0102030405060708\"", "0000000000000000\"");
        assert!(parse(&line).is_err());
    }

    #[test]
    fn a_line_cut_off_is_refused() {
        let line = LINE.replace('\n', "");
        assert!(parse(&line[..line.len() - 5]).is_err());
    }
}
