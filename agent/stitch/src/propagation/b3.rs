//! Zipkin's B3 (<https://github.com/openzipkin/b3-propagation>), in one header
//! and in several: ids of 64 or 128 bits, lower-case digits.

use crate::span::{SpanId, TraceId};

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

/// `b3`: `trace-id "-" span-id ["-" state ["-" parent-span-id]]`, or the state
/// alone.
pub(super) fn read_single<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    headers.one(Name::B3)?.map(parse_single).transpose()
}

/// `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-ParentSpanId`, `X-B3-Sampled` and
/// `X-B3-Flags`; the last two may stand alone.
pub(super) fn read_multi<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    let trace = headers.one(Name::B3TraceId)?;
    let span = headers.one(Name::B3SpanId)?;
    let parent = headers.one(Name::B3ParentSpanId)?;
    let sampled = headers.one(Name::B3Sampled)?;
    let sampled = sampled.map(digits::boolean).transpose()?;
    // Debug implies sampled; any other value of the flags has no meaning.
    let debug = headers.one(Name::B3Flags)? == Some(b"1");
    let sampled = if debug { Some(true) } else { sampled };
    match (trace, span) {
        (Some(trace), Some(span)) => {
            parent.map(span_id).transpose()?;
            let (trace, span) = (trace_id(trace)?, span_id(span)?);
            Ok(Some(Found::context(
                Format::B3Multi,
                trace,
                Some(span),
                sampled,
            )))
        }
        (None, None) if parent.is_none() => Ok(sampled.map(Found::Sampled)),
        _ => Err(Invalid),
    }
}

fn parse_single<'a>(value: &[u8]) -> Result<Found<'a>, Invalid> {
    let mut pieces = value.split(|&byte| byte == b'-');
    let first = pieces.next().ok_or(Invalid)?;
    let Some(span) = pieces.next() else {
        return state(first).map(Found::Sampled);
    };
    let sampled = pieces.next().map(state).transpose()?;
    pieces.next().map(span_id).transpose()?;
    if pieces.next().is_some() {
        return Err(Invalid);
    }
    let (trace, span) = (trace_id(first)?, span_id(span)?);
    Ok(Found::context(Format::B3, trace, Some(span), sampled))
}

/// `d` is debug, which implies sampled.
fn state(value: &[u8]) -> Result<bool, Invalid> {
    match value {
        b"1" | b"d" => Ok(true),
        b"0" => Ok(false),
        _ => Err(Invalid),
    }
}

fn trace_id(digits: &[u8]) -> Result<TraceId, Invalid> {
    if digits.len() != 16 && digits.len() != 32 {
        return Err(Invalid);
    }
    digits::trace_id(digits::padded(digits, Case::Lower)?)
}

fn span_id(digits: &[u8]) -> Result<SpanId, Invalid> {
    digits::span_id(digits::exact(digits, Case::Lower)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::context;

    const LONG: &str = "80f198ee56343ba864fe8b2a57d3eff7";
    const SHORT: &str = "000000000000000064fe8b2a57d3eff7";
    const SPAN: &str = "e457b5a2e4d86bd1";

    fn single(value: &'static str) -> Result<Option<Found<'static>>, Invalid> {
        read_single(&Headers::of(&[("B3", value)]))
    }

    fn multi(fields: [&'static str; 5]) -> Result<Option<Found<'static>>, Invalid> {
        let [trace, span, parent, sampled, flags] = fields;
        read_multi(&Headers::of(&[
            ("X-B3-TraceId", trace),
            ("x-b3-spanid", span),
            ("X-B3-PARENTSPANID", parent),
            ("X-B3-Sampled", sampled),
            ("X-B3-Flags", flags),
        ]))
    }

    #[test]
    fn valid_single() {
        let long = |sampled| context(Format::B3, LONG, SPAN, sampled);
        let short = |sampled| context(Format::B3, SHORT, SPAN, sampled);
        for (value, expected) in [
            (
                "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
                long(Some(true)),
            ),
            (
                "64fe8b2a57d3eff7-e457b5a2e4d86bd1-0-05e3ac9a4f6e3b90",
                short(Some(false)),
            ),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1",
                long(None),
            ),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d",
                long(Some(true)),
            ),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0",
                long(Some(false)),
            ),
            ("64fe8b2a57d3eff7-e457b5a2e4d86bd1-1", short(Some(true))),
            (
                "000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1",
                short(None),
            ),
        ] {
            assert_eq!(single(value), Ok(Some(expected)), "{value}");
        }
        assert_eq!(single("0"), Ok(Some(Found::Sampled(false))));
        assert_eq!(single("1"), Ok(Some(Found::Sampled(true))));
        assert_eq!(single("d"), Ok(Some(Found::Sampled(true))));
        assert_eq!(single(""), Ok(None));
    }

    #[test]
    fn invalid_single() {
        for value in [
            "-",
            "-1",
            "1-",
            "2",
            "true",
            "not-a-tumor",
            "b970dafd-0d95-40aa-95d8-1d8725aebe40",
            "64fe8b2a57d3eff7",
            "64fe8b2a57d3eff7-",
            "64fe8b2a57d3eff-e457b5a2e4d86bd1",
            "064fe8b2a57d3eff7-e457b5a2e4d86bd1",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-2",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-true",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b9",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-05e3ac9a4f6e3b90",
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-1",
            "64fe8b2a57d3eff?-e457b5a2e4d86bd1",
            "64FE8B2A57D3EFF7-e457b5a2e4d86bd1",
            "64fe8b2a57d3eff7-E457B5A2E4D86BD1",
            "0000000000000000-e457b5a2e4d86bd1-1",
            "00000000000000000000000000000000-e457b5a2e4d86bd1-1",
            "64fe8b2a57d3eff7-0000000000000000-1",
        ] {
            assert_eq!(single(value), Err(Invalid), "{value}");
        }
    }

    #[test]
    fn valid_multi() {
        let long = |sampled| context(Format::B3Multi, LONG, SPAN, sampled);
        let short = |sampled| context(Format::B3Multi, SHORT, SPAN, sampled);
        let parent = "05e3ac9a4f6e3b90";
        for (fields, expected) in [
            ([LONG, SPAN, parent, "1", ""], long(Some(true))),
            ([LONG, SPAN, "", "0", ""], long(Some(false))),
            ([LONG, SPAN, "", "", ""], long(None)),
            ([LONG, SPAN, "", "", "1"], long(Some(true))),
            ([LONG, SPAN, "", "0", "1"], long(Some(true))),
            ([LONG, SPAN, "", "1", "0"], long(Some(true))),
            (
                ["64fe8b2a57d3eff7", SPAN, "", "true", ""],
                short(Some(true)),
            ),
            (
                ["64fe8b2a57d3eff7", SPAN, "", "False", ""],
                short(Some(false)),
            ),
        ] {
            assert_eq!(multi(fields), Ok(Some(expected)), "{fields:?}");
        }
        for (fields, expected) in [
            (["", "", "", "0", ""], Some(Found::Sampled(false))),
            (["", "", "", "1", ""], Some(Found::Sampled(true))),
            (["", "", "", "", "1"], Some(Found::Sampled(true))),
            (["", "", "", "", "0"], None),
            (["", "", "", "", ""], None),
        ] {
            assert_eq!(multi(fields), Ok(expected), "{fields:?}");
        }
    }

    #[test]
    fn invalid_multi() {
        let zero = "0000000000000000";
        for fields in [
            [LONG, "", "", "1", ""],
            ["", SPAN, "", "1", ""],
            ["", "", SPAN, "1", ""],
            [zero, SPAN, "", "1", ""],
            [LONG, zero, "", "1", ""],
            [LONG, SPAN, zero, "1", ""],
            [LONG, SPAN, "05e3ac9a4f6e3b9", "1", ""],
            [LONG, SPAN, "", "2", ""],
            [LONG, SPAN, "", "d", ""],
            ["", "", "", "yes", ""],
            ["64fe8b2a57d3eff", SPAN, "", "1", ""],
            ["64FE8B2A57D3EFF7", SPAN, "", "1", ""],
            [LONG, "e457b5a2e4d86bd", "", "1", ""],
            [LONG, "e457b5a2e4d86bdx", "", "1", ""],
        ] {
            assert_eq!(multi(fields), Err(Invalid), "{fields:?}");
        }
    }
}
