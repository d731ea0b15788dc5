//! `OpenTracing`'s `ot-tracer-traceid`, `ot-tracer-spanid`, `ot-tracer-sampled`,
//! as its basic tracers (and after them `LightStep` and OpenTelemetry's
//! `ottrace`) write them: ids without leading zeros.

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    let trace_id = headers.one(Name::OtTraceId)?;
    let span_id = headers.one(Name::OtSpanId)?;
    let sampled = headers.one(Name::OtSampled)?;
    let sampled = sampled.map(digits::boolean).transpose()?;
    match (trace_id, span_id) {
        (None, None) => Ok(sampled.map(Found::Sampled)),
        (Some(trace_id), Some(span_id)) => Ok(Some(Found::context(
            Format::OpenTracing,
            digits::trace_id(digits::padded(trace_id, Case::Any)?)?,
            Some(digits::span_id(digits::padded(span_id, Case::Any)?)?),
            sampled,
        ))),
        _ => Err(Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::context;

    fn parse(fields: [&'static str; 3]) -> Result<Option<Found<'static>>, Invalid> {
        let [trace_id, span_id, sampled] = fields;
        read(&Headers::of(&[
            ("OT-Tracer-TraceID", trace_id),
            ("ot-tracer-spanid", span_id),
            ("Ot-Tracer-Sampled", sampled),
        ]))
    }

    #[test]
    fn valid() {
        let of = |sampled| {
            let trace_id = "00000000000000000abc000000000001";
            context(Format::OpenTracing, trace_id, "00def00000000002", sampled)
        };
        for (fields, expected) in [
            (
                ["abc000000000001", "def00000000002", "true"],
                of(Some(true)),
            ),
            (
                ["0abc000000000001", "00def00000000002", "false"],
                of(Some(false)),
            ),
            (["ABC000000000001", "DEF00000000002", "1"], of(Some(true))),
            (
                ["abc000000000001", "def00000000002", "False"],
                of(Some(false)),
            ),
            (
                ["00000000000000000abc000000000001", "def00000000002", ""],
                of(None),
            ),
        ] {
            assert_eq!(parse(fields), Ok(Some(expected)), "{fields:?}");
        }
    }

    #[test]
    fn no_ids() {
        assert_eq!(parse(["", "", ""]), Ok(None));
        assert_eq!(parse(["", "", "false"]), Ok(Some(Found::Sampled(false))));
    }

    #[test]
    fn invalid() {
        for fields in [
            ["abc", "", "true"],
            ["", "abc", "true"],
            ["abc", "0", "true"],
            ["0", "abc", "true"],
            ["abc", "xyz", "true"],
            ["xyz", "abc", "true"],
            ["abc", "def", "yes"],
            ["", "", "yes"],
            ["abc", "10000000000000000", "true"],
            ["100000000000000000000000000000000", "abc", "true"],
        ] {
            assert_eq!(parse(fields), Err(Invalid), "{fields:?}");
        }
    }
}
