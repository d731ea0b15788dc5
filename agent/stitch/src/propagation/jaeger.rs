//! Jaeger's `uber-trace-id`
//! (<https://www.jaegertracing.io/docs/1.76/client-libraries/#propagation-format>):
//! `trace-id ":" span-id ":" parent-span-id ":" flags`, ids of any length up to
//! theirs. The caller's span is the second piece. HTTP clients URL-encode it.

use smallvec::SmallVec;

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

/// 32 + 16 + 16 + 2 digits and three colons, decoded.
const MAX_LEN: usize = 69;
const SAMPLED: u8 = 1;
/// A client sets it with `SAMPLED`.
const DEBUG: u8 = 1 << 1;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    let Some(value) = headers.one(Name::UberTraceId)? else {
        return Ok(None);
    };
    if value.contains(&b'%') {
        parse(&percent_decoded(value)?).map(Some)
    } else {
        parse(value).map(Some)
    }
}

fn parse<'a>(value: &[u8]) -> Result<Found<'a>, Invalid> {
    let [trace_id, span, parent, flags] = digits::pieces(value, b':')?;
    // Deprecated, 0 or absent for roots, and of no use here; but no nonsense.
    if !parent.is_empty() {
        digits::padded::<8>(parent, Case::Any)?;
    }
    let [flags] = digits::padded(flags, Case::Any)?;
    Ok(Found::context(
        Format::Jaeger,
        digits::trace_id(digits::padded(trace_id, Case::Any)?)?,
        Some(digits::span_id(digits::padded(span, Case::Any)?)?),
        Some(flags & (SAMPLED | DEBUG) != 0),
    ))
}

/// RFC 3986 section 2.1.
fn percent_decoded(value: &[u8]) -> Result<SmallVec<[u8; 96]>, Invalid> {
    let mut decoded = SmallVec::new();
    let mut rest = value;
    while let [first, after @ ..] = rest {
        if decoded.len() == MAX_LEN {
            return Err(Invalid);
        }
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2).ok_or(Invalid)?;
            let [byte] = digits::exact(digits, Case::Any)?;
            decoded.push(byte);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::context;

    #[test]
    fn valid() {
        let short = |sampled| {
            context(
                Format::Jaeger,
                "00000000000000000000000000000abc",
                "0000000000000def",
                Some(sampled),
            )
        };
        let long = context(
            Format::Jaeger,
            "463ac35c9f6413ad48485a3953bb6124",
            "d48485a3953bb612",
            Some(true),
        );
        for (value, expected) in [
            ("abc:def:0:1", short(true)),
            ("abc:def:0:0", short(false)),
            ("abc:def:0:01", short(true)),
            ("abc:def:0:2", short(true)),
            ("abc:def:0:3", short(true)),
            ("abc:def:0:4", short(false)),
            ("abc:def:0:9", short(true)),
            ("abc:def::1", short(true)),
            ("abc:def:123:1", short(true)),
            ("ABC:DEF:0:1", short(true)),
            (
                "0000000000000abc:0000000000000def:0000000000000000:1",
                short(true),
            ),
            ("abc%3Adef%3A0%3A1", short(true)),
            ("abc%3adef%3a0%3a1", short(true)),
            ("abc:def%3A0:1", short(true)),
            (
                "463ac35c9f6413ad48485a3953bb6124:d48485a3953bb612:0:1",
                long.clone(),
            ),
            (
                "463ac35c9f6413ad48485a3953bb6124%3Ad48485a3953bb612%3Ad48485a3953bb611%3A01",
                long,
            ),
        ] {
            let headers = Headers::of(&[("Uber-Trace-Id", value)]);
            assert_eq!(read(&headers), Ok(Some(expected)), "{value}");
        }
    }

    #[test]
    fn invalid() {
        for value in [
            "abc",
            "abc:def:0",
            "abc:def:0:1:2",
            "abc:def:0:",
            ":def:0:1",
            "abc::0:1",
            "0:def:0:1",
            "abc:0:0:1",
            "abc:def:xyz:1",
            "abc:def:0:x",
            "abc:def:0:100",
            "abg:def:0:1",
            "abc:deg:0:1",
            "463ac35c9f6413ad48485a3953bb61240:def:0:1",
            "abc:d48485a3953bb6120:0:1",
            "abc:def:d48485a3953bb6120:1",
            "abc%3Adef%3A0%3A",
            "abc%3Adef%3A0%3",
            "abc%3Adef%3A0%",
            "abc%3Gdef:0:1",
            "abc%253Adef%253A0%253A1",
            "0000000000000000000000000000000000000000000000000000000000000000000000%3A",
        ] {
            let headers = Headers::of(&[("uber-trace-id", value)]);
            assert_eq!(read(&headers), Err(Invalid), "{value}");
        }
    }
}
