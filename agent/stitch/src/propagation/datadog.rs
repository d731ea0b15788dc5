//! Datadog's `x-datadog-*`: decimal ids of 64 bits; the upper 64 bits of the
//! trace id as hexadecimal `_dd.p.tid` among `x-datadog-tags`
//! (<https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/>).

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

/// Key of the upper half of the trace id.
const TID: &[u8] = b"_dd.p.tid";

/// The parent may be 0 or absent (synthetic tests start traces so), the trace
/// id may not.
pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    let trace_id = headers.one(Name::DatadogTraceId)?;
    let parent = headers.one(Name::DatadogParentId)?;
    let priority = headers.one(Name::DatadogSamplingPriority)?;
    let sampled = priority.map(sampled).transpose()?;
    let tags = headers.one(Name::DatadogTags)?.unwrap_or_default();
    match (trace_id, parent) {
        (None, None) => Ok(sampled.map(Found::Sampled)),
        (None, Some(_)) => Err(Invalid),
        (Some(lower), parent) => {
            let lower = match number(lower)? {
                0 => return Err(Invalid),
                lower => lower,
            };
            let parent = parent.map(number).transpose()?.unwrap_or(0);
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&upper_half(tags)?);
            trace_id[8..].copy_from_slice(&lower.to_be_bytes());
            Ok(Some(Found::context(
                Format::Datadog,
                digits::trace_id(trace_id)?,
                digits::optional_span_id(parent),
                sampled,
            )))
        }
    }
}

/// Some tracers write ids with the upper bit set as negative numbers.
fn number(text: &[u8]) -> Result<u64, Invalid> {
    match text.strip_prefix(b"-") {
        None => digits::decimal(text),
        Some(positive) => {
            let positive = digits::decimal(positive)?;
            if positive > 1 << 63 {
                return Err(Invalid);
            }
            Ok(positive.wrapping_neg())
        }
    }
}

/// -1 and 0 reject, 1 and 2 keep; tracers have added others beyond these.
fn sampled(priority: &[u8]) -> Result<bool, Invalid> {
    match priority.strip_prefix(b"-") {
        None => Ok(digits::decimal(priority)? > 0),
        Some(positive) => digits::decimal(positive).map(|_| false),
    }
}

/// Tags are `key=value` with commas between; zero if there is no such tag.
fn upper_half(tags: &[u8]) -> Result<[u8; 8], Invalid> {
    for tag in tags.split(|&byte| byte == b',') {
        let value = tag.trim_ascii().strip_prefix(TID);
        if let Some(value) = value.and_then(|rest| rest.strip_prefix(b"=")) {
            return digits::exact(value, Case::Lower);
        }
    }
    Ok([0; 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::{context, root};

    fn parse(fields: [&'static str; 4]) -> Result<Option<Found<'static>>, Invalid> {
        let [trace_id, parent, priority, tags] = fields;
        read(&Headers::of(&[
            ("X-Datadog-Trace-Id", trace_id),
            ("x-datadog-parent-id", parent),
            ("X-DATADOG-SAMPLING-PRIORITY", priority),
            ("x-datadog-tags", tags),
        ]))
    }

    #[test]
    fn valid() {
        let of = |sampled| {
            let trace_id = "00000000000000004995b948a0defbff";
            context(Format::Datadog, trace_id, "0000000000000010", sampled)
        };
        let trace_id = "5302347857886379007";
        for (fields, expected) in [
            ([trace_id, "16", "1", ""], of(Some(true))),
            ([trace_id, "16", "2", ""], of(Some(true))),
            ([trace_id, "16", "0", ""], of(Some(false))),
            ([trace_id, "16", "-1", ""], of(Some(false))),
            ([trace_id, "16", "-3", ""], of(Some(false))),
            ([trace_id, "16", "", ""], of(None)),
            ([trace_id, "16", "", "_dd.p.dm=-4"], of(None)),
            ([trace_id, "16", "", "_dd.p.tidy=1"], of(None)),
            ([trace_id, "16", "", "_dd.p.tid=0000000000000000"], of(None)),
        ] {
            assert_eq!(parse(fields), Ok(Some(expected)), "{fields:?}");
        }
    }

    #[test]
    fn upper_halves_and_signs() {
        let trace_id = "640cfd8d00000000ffffffffffffffff";
        let of = context(Format::Datadog, trace_id, "8000000000000000", None);
        let (max, half) = ("18446744073709551615", "9223372036854775808");
        let tid = "_dd.p.tid=640cfd8d00000000";
        for fields in [
            [max, half, "", tid],
            ["-1", "-9223372036854775808", "", tid],
            [max, half, "", "_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000,a=b"],
            [max, half, "", "_dd.p.dm=-4, _dd.p.tid=640cfd8d00000000"],
        ] {
            assert_eq!(parse(fields), Ok(Some(of.clone())), "{fields:?}");
        }
    }

    #[test]
    fn roots_and_decisions_alone() {
        let rooted = root(
            Format::Datadog,
            "00000000000000000000000000000001",
            Some(true),
        );
        assert_eq!(parse(["1", "0", "1", ""]), Ok(Some(rooted.clone())));
        assert_eq!(parse(["1", "", "1", ""]), Ok(Some(rooted)));
        assert_eq!(parse(["", "", "0", ""]), Ok(Some(Found::Sampled(false))));
        assert_eq!(parse(["", "", "", "_dd.p.dm=-4"]), Ok(None));
    }

    #[test]
    fn invalid() {
        for fields in [
            ["0", "1", "1", ""],
            ["", "1", "1", ""],
            ["18446744073709551616", "1", "1", ""],
            ["-9223372036854775809", "1", "1", ""],
            ["499602d2", "1", "1", ""],
            ["+1", "1", "1", ""],
            ["1.5", "1", "1", ""],
            ["--1", "1", "1", ""],
            ["1", "x", "1", ""],
            ["1", "18446744073709551616", "1", ""],
            ["1", "1", "keep", ""],
            ["1", "1", "-", ""],
            ["1", "1", "1", "_dd.p.tid="],
            ["1", "1", "1", "_dd.p.tid=640cfd8d0000000"],
            ["1", "1", "1", "_dd.p.tid=640cfd8d000000001"],
            ["1", "1", "1", "_dd.p.tid=640CFD8D00000000"],
            ["1", "1", "1", "_dd.p.tid=640cfd8d0000000x"],
        ] {
            assert_eq!(parse(fields), Err(Invalid), "{fields:?}");
        }
    }
}
