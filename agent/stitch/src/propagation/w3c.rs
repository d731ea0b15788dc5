//! W3C `traceparent` (Trace Context level 1 section 3.2, level 2 section 3.2):
//! `version "-" trace-id "-" parent-id "-" trace-flags`, lower-case digits.

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

/// Length of version 00, and of what later versions must begin with.
const LEN: usize = 55;
const VERSION_00: [u8; 1] = [0];
/// Forbidden by section 3.2.2.1.
const VERSION_FF: [u8; 1] = [0xff];
const SAMPLED: u8 = 1;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    headers.one(Name::TraceParent)?.map(parse).transpose()
}

/// Later versions may add to the end, after another dash; the rest of them is
/// read as version 00 (section 3.2.4).
fn parse<'a>(value: &[u8]) -> Result<Found<'a>, Invalid> {
    let (known, rest) = value.split_at_checked(LEN).ok_or(Invalid)?;
    let [version, trace_id, parent, flags] = digits::pieces(known, b'-')?;
    let version = digits::exact(version, Case::Lower)?;
    let ends_well = rest.is_empty() || version != VERSION_00 && rest.starts_with(b"-");
    if version == VERSION_FF || !ends_well {
        return Err(Invalid);
    }
    let [flags] = digits::exact(flags, Case::Lower)?;
    Ok(Found::context(
        Format::TraceContext,
        digits::trace_id(digits::exact(trace_id, Case::Lower)?)?,
        Some(digits::span_id(digits::exact(parent, Case::Lower)?)?),
        Some(flags & SAMPLED != 0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::context;

    const TRACE: &str = "12345678901234567890123456789012";
    const PARENT: &str = "1234567890123456";

    #[test]
    fn valid() {
        let of = |sampled| context(Format::TraceContext, TRACE, PARENT, Some(sampled));
        for (value, expected) in [
            (
                "00-12345678901234567890123456789012-1234567890123456-00",
                of(false),
            ),
            (
                "00-12345678901234567890123456789012-1234567890123456-01",
                of(true),
            ),
            // Flags that version 00 does not know.
            (
                "00-12345678901234567890123456789012-1234567890123456-02",
                of(false),
            ),
            (
                "00-12345678901234567890123456789012-1234567890123456-ff",
                of(true),
            ),
            // Versions to come.
            (
                "01-12345678901234567890123456789012-1234567890123456-01",
                of(true),
            ),
            (
                "cc-12345678901234567890123456789012-1234567890123456-01",
                of(true),
            ),
            (
                "fe-12345678901234567890123456789012-1234567890123456-00",
                of(false),
            ),
            (
                "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
                of(true),
            ),
            (
                "cc-12345678901234567890123456789012-1234567890123456-01-",
                of(true),
            ),
            // White space around it.
            (
                "\t 00-12345678901234567890123456789012-1234567890123456-01 \t",
                of(true),
            ),
        ] {
            let headers = Headers::of(&[("TraceParent", value)]);
            assert_eq!(read(&headers), Ok(Some(expected)), "{value}");
        }
    }

    #[test]
    fn invalid() {
        for value in [
            // Versions.
            "ff-12345678901234567890123456789012-1234567890123456-01",
            "ff-12345678901234567890123456789012-1234567890123456-01-x",
            ".0-12345678901234567890123456789012-1234567890123456-01",
            "0-12345678901234567890123456789012-1234567890123456-01",
            "000-12345678901234567890123456789012-1234567890123456-01",
            "0x-12345678901234567890123456789012-1234567890123456-01",
            // More than version 00 has.
            "00-12345678901234567890123456789012-1234567890123456-01-",
            "00-12345678901234567890123456789012-1234567890123456-01-what",
            "00-12345678901234567890123456789012-1234567890123456-01.",
            "cc-12345678901234567890123456789012-1234567890123456-01.what",
            "cc-12345678901234567890123456789012-1234567890123456-012",
            // Trace ids.
            "00-00000000000000000000000000000000-1234567890123456-01",
            "00-1234567890123456789012345678901-1234567890123456-01",
            "00-123456789012345678901234567890123-1234567890123456-01",
            "00-.2345678901234567890123456789012-1234567890123456-01",
            "00-A2345678901234567890123456789012-1234567890123456-01",
            // Parent ids.
            "00-12345678901234567890123456789012-0000000000000000-01",
            "00-12345678901234567890123456789012-123456789012345-01",
            "00-12345678901234567890123456789012-12345678901234567-01",
            "00-12345678901234567890123456789012-123456789012345.-01",
            "00-12345678901234567890123456789012-A234567890123456-01",
            // Flags.
            "00-12345678901234567890123456789012-1234567890123456-1",
            "00-12345678901234567890123456789012-1234567890123456-.0",
            "00-12345678901234567890123456789012-1234567890123456-0A",
            "00-12345678901234567890123456789012-1234567890123456-",
            "00-12345678901234567890123456789012-1234567890123456",
            // Dashes, and the lengths of pieces that add up.
            "00_12345678901234567890123456789012-1234567890123456-01",
            "00-123456789012345678901234567890121-234567890123456-01",
            "00-12345678901234567890123456789012-1234567890123-56-01",
            "-",
            "\u{0}",
        ] {
            let headers = Headers::of(&[("traceparent", value)]);
            assert_eq!(read(&headers), Err(Invalid), "{value}");
        }
    }

    #[test]
    fn several_fields() {
        let one = "00-12345678901234567890123456789011-1234567890123456-01";
        let two = "00-12345678901234567890123456789012-1234567890123456-01";
        let headers = Headers::of(&[("traceparent", one), ("traceparent", two)]);
        assert_eq!(read(&headers), Err(Invalid));
        let headers = Headers::of(&[("traceparent", two), ("Traceparent", two)]);
        let expected = context(Format::TraceContext, TRACE, PARENT, Some(true));
        assert_eq!(read(&headers), Ok(Some(expected)));
        assert_eq!(read(&Headers::of(&[("tracestate", "a=1")])), Ok(None));
    }
}
