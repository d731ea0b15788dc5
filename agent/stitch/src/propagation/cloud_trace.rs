//! Google Cloud's `X-Cloud-Trace-Context`
//! (<https://cloud.google.com/trace/docs/trace-context#legacy-http-header>):
//! `TRACE_ID ["/" SPAN_ID] [";o=" OPTIONS]`, the span id in decimal.

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

const SAMPLED: u64 = 1;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    headers.one(Name::CloudTraceContext)?.map(parse).transpose()
}

fn parse<'a>(value: &[u8]) -> Result<Found<'a>, Invalid> {
    let (ids, options) = match value.iter().position(|&byte| byte == b';') {
        Some(at) => (&value[..at], Some(&value[at + 1..])),
        None => (value, None),
    };
    let (trace_id, span_id) = match ids.iter().position(|&byte| byte == b'/') {
        Some(at) => (&ids[..at], digits::decimal(&ids[at + 1..])?),
        None => (ids, 0),
    };
    Ok(Found::context(
        Format::CloudTrace,
        digits::trace_id(digits::exact(trace_id, Case::Any)?)?,
        digits::optional_span_id(span_id),
        options.map(sampled).transpose()?,
    ))
}

fn sampled(options: &[u8]) -> Result<bool, Invalid> {
    let options = options.strip_prefix(b"o=").ok_or(Invalid)?;
    Ok(digits::decimal(options)? & SAMPLED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::{context, root};

    const TRACE: &str = "105445aa7843bc8bf206b12000100000";

    fn parse(value: &'static str) -> Result<Option<Found<'static>>, Invalid> {
        read(&Headers::of(&[("X-Cloud-Trace-Context", value)]))
    }

    #[test]
    fn valid() {
        let one = |sampled| context(Format::CloudTrace, TRACE, "0000000000000001", sampled);
        for (value, expected) in [
            ("105445aa7843bc8bf206b12000100000/1;o=1", one(Some(true))),
            ("105445aa7843bc8bf206b12000100000/1;o=0", one(Some(false))),
            ("105445aa7843bc8bf206b12000100000/1;o=3", one(Some(true))),
            ("105445AA7843BC8BF206B12000100000/01", one(None)),
            (
                "105445aa7843bc8bf206b12000100000/18446744073709551615;o=1",
                context(Format::CloudTrace, TRACE, "ffffffffffffffff", Some(true)),
            ),
            (
                "105445aa7843bc8bf206b12000100000/0;o=1",
                root(Format::CloudTrace, TRACE, Some(true)),
            ),
            (
                "105445aa7843bc8bf206b12000100000",
                root(Format::CloudTrace, TRACE, None),
            ),
            (
                "105445aa7843bc8bf206b12000100000;o=1",
                root(Format::CloudTrace, TRACE, Some(true)),
            ),
        ] {
            assert_eq!(parse(value), Ok(Some(expected)), "{value}");
        }
    }

    #[test]
    fn invalid() {
        for value in [
            "00000000000000000000000000000000/1;o=1",
            "105445aa7843bc8bf206b1200010000/1;o=1",
            "105445aa7843bc8bf206b120001000000/1;o=1",
            "105445aa7843bc8bf206b1200010000g/1;o=1",
            "105445aa7843bc8bf206b12000100000/;o=1",
            "105445aa7843bc8bf206b12000100000/",
            "105445aa7843bc8bf206b12000100000/18446744073709551616;o=1",
            "105445aa7843bc8bf206b12000100000/abc;o=1",
            "105445aa7843bc8bf206b12000100000/-1;o=1",
            "105445aa7843bc8bf206b12000100000/1;o=",
            "105445aa7843bc8bf206b12000100000/1;o=x",
            "105445aa7843bc8bf206b12000100000/1;",
            "105445aa7843bc8bf206b12000100000/1;1",
            "105445aa7843bc8bf206b12000100000/1/2;o=1",
            "/1;o=1",
        ] {
            assert_eq!(parse(value), Err(Invalid), "{value}");
        }
    }
}
