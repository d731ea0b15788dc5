//! `SkyWalking`'s `sw8` (Cross Process Propagation Headers Protocol v3): eight
//! pieces between dashes, those that are text in Base64:
//! `sample - trace id - segment id - span id - service - instance - endpoint -
//! target address`.
//!
//! Its ids are text of any kind. They become ids of ours in a way that is the
//! same on every host and in every release: a trace id that is 128 bits in
//! hexadecimal stands for itself, any other is hashed.

use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

use crate::span::{SpanId, TraceId};

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

/// Longest id, in bytes; agents write some 60.
const MAX_ID: usize = 256;
/// Most bytes of Base64 that can give `MAX_ID`.
const MAX_ENCODED_ID: usize = MAX_ID.div_ceil(3) * 4;
/// Ids of agents fit without an allocation.
type Id = SmallVec<[u8; 96]>;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    headers.one(Name::Sw8)?.map(parse).transpose()
}

fn parse<'a>(value: &[u8]) -> Result<Found<'a>, Invalid> {
    let [sample, trace, segment, span, about @ ..] = digits::pieces::<8>(value, b'-')?;
    let sampled = match sample {
        b"0" => false,
        b"1" => true,
        _ => return Err(Invalid),
    };
    // They describe the caller and may be empty, but are no nonsense.
    for encoded in about {
        decode(encoded, |_| ())?;
    }
    let span = u32::try_from(digits::decimal(span)?).map_err(|_| Invalid)?;
    Ok(Found::context(
        Format::SkyWalking,
        trace_id(&decode_id(trace)?)?,
        Some(span_id(&decode_id(segment)?, span)?),
        Some(sampled),
    ))
}

fn trace_id(text: &[u8]) -> Result<TraceId, Invalid> {
    let hashed = || xxh3_128(text).to_be_bytes();
    digits::trace_id(hexadecimal(text).unwrap_or_else(|Invalid| hashed()))
}

/// Spans are numbered within a segment.
fn span_id(segment: &[u8], span: u32) -> Result<SpanId, Invalid> {
    digits::span_id(xxh3_64_with_seed(segment, u64::from(span)).to_be_bytes())
}

/// 32 digits, or a UUID (RFC 9562 section 4).
fn hexadecimal(text: &[u8]) -> Result<[u8; 16], Invalid> {
    if text.len() != 36 {
        return digits::exact(text, Case::Any);
    }
    let groups = digits::pieces::<5>(text, b'-')?;
    if groups.map(<[u8]>::len) != [8, 4, 4, 4, 12] {
        return Err(Invalid);
    }
    let mut joined = [0; 32];
    let digits = groups.into_iter().flatten();
    joined
        .iter_mut()
        .zip(digits)
        .for_each(|(to, from)| *to = *from);
    digits::exact(&joined, Case::Any)
}

fn decode_id(encoded: &[u8]) -> Result<Id, Invalid> {
    if encoded.is_empty() || encoded.len() > MAX_ENCODED_ID {
        return Err(Invalid);
    }
    let mut id = Id::new();
    decode(encoded, |byte| id.push(byte))?;
    Ok(id)
}

/// Base64 (RFC 4648 section 4), with or without padding.
fn decode(encoded: &[u8], mut push: impl FnMut(u8)) -> Result<(), Invalid> {
    for group in without_padding(encoded).chunks(4) {
        let mut bits = 0_u32;
        for &letter in group {
            bits = bits << 6 | sextet(letter)?;
        }
        let [_, a, b, c] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        match group.len() {
            4 => [a, b, c].into_iter().for_each(&mut push),
            3 => [a, b].into_iter().for_each(&mut push),
            2 => push(a),
            _ => return Err(Invalid),
        }
    }
    Ok(())
}

fn without_padding(encoded: &[u8]) -> &[u8] {
    if !encoded.len().is_multiple_of(4) {
        return encoded;
    }
    let stripped = encoded.strip_suffix(b"==");
    stripped
        .or_else(|| encoded.strip_suffix(b"="))
        .unwrap_or(encoded)
}

fn sextet(letter: u8) -> Result<u32, Invalid> {
    let sextet = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return Err(Invalid),
    };
    Ok(u32::from(sextet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::context;

    // "a4ec6fc8ccab4bb4b682064698cc97e6.74.16218381104550009" and "….50008".
    const TRACE: &str = "YTRlYzZmYzhjY2FiNGJiNGI2ODIwNjQ2OThjYzk3ZTYuNzQuMTYyMTgzODExMDQ1NTAwMDk=";
    const SEGMENT: &str =
        "YTRlYzZmYzhjY2FiNGJiNGI2ODIwNjQ2OThjYzk3ZTYuNzQuMTYyMTgzODExMDQ1NTAwMDg=";
    // "service", "instance", "/endpoint", "127.0.0.1:80".
    const ABOUT: &str = "c2VydmljZQ==-aW5zdGFuY2U=-L2VuZHBvaW50-MTI3LjAuMC4xOjgw";

    fn parse(value: &str) -> Result<Found<'static>, Invalid> {
        super::parse(value.as_bytes())
    }

    #[test]
    fn ids_are_stable() {
        // By another implementation of XXH3.
        let expected = |span, sampled| {
            let trace_id = "ca106ac355d5fbef1f272e0eeec71db1";
            context(Format::SkyWalking, trace_id, span, Some(sampled))
        };
        let value = format!("1-{TRACE}-{SEGMENT}-2-{ABOUT}");
        assert_eq!(parse(&value), Ok(expected("8bc7cfe5d7d3f339", true)));
        let value = format!("0-{TRACE}-{SEGMENT}-3-{ABOUT}");
        assert_eq!(parse(&value), Ok(expected("e8913246ec970354", false)));
    }

    #[test]
    fn trace_ids_of_128_bits_stand_for_themselves() {
        // The same id as 32 digits, as a UUID, and in upper case.
        for trace in [
            "NDYzYWMzNWM5ZjY0MTNhZDQ4NDg1YTM5NTNiYjYxMjQ=",
            "NDYzYWMzNWMtOWY2NC0xM2FkLTQ4NDgtNWEzOTUzYmI2MTI0",
            "NDYzQUMzNUM5RjY0MTNBRDQ4NDg1QTM5NTNCQjYxMjQ=",
            "NDYzQUMzNUM5RjY0MTNBRDQ4NDg1QTM5NTNCQjYxMjQ",
        ] {
            let Ok(Found::Context(context)) = parse(&format!("1-{trace}-{SEGMENT}-0-{ABOUT}"))
            else {
                panic!("{trace}");
            };
            assert_eq!(
                context.trace_id.to_string(),
                "463ac35c9f6413ad48485a3953bb6124"
            );
        }
    }

    #[test]
    fn what_describes_the_caller_may_be_empty() {
        assert!(parse(&format!("1-{TRACE}-{SEGMENT}-0----")).is_ok());
    }

    #[test]
    fn invalid() {
        let long = "QUFB".repeat(MAX_ENCODED_ID / 4 + 1);
        for value in [
            "1".to_owned(),
            "-------".to_owned(),
            format!("2-{TRACE}-{SEGMENT}-0-{ABOUT}"),
            format!("-{TRACE}-{SEGMENT}-0-{ABOUT}"),
            format!("1-{TRACE}-{SEGMENT}-0-{ABOUT}-"),
            format!("1-{TRACE}-{SEGMENT}-0-c2VydmljZQ==-aW5zdGFuY2U=-L2VuZHBvaW50"),
            format!("1--{SEGMENT}-0-{ABOUT}"),
            format!("1-{TRACE}--0-{ABOUT}"),
            format!("1-{TRACE}-{SEGMENT}--{ABOUT}"),
            format!("1-{TRACE}-{SEGMENT}-x-{ABOUT}"),
            format!("1-{TRACE}-{SEGMENT}-4294967296-{ABOUT}"),
            format!("1-a.b.c-{SEGMENT}-0-{ABOUT}"),
            format!("1-AAAAA-{SEGMENT}-0-{ABOUT}"),
            format!("1-A===-{SEGMENT}-0-{ABOUT}"),
            format!("1-{long}-{SEGMENT}-0-{ABOUT}"),
            format!("1-{TRACE}-{long}-0-{ABOUT}"),
            format!("1-{TRACE}-{SEGMENT}-0-?-aW5zdGFuY2U=-L2VuZHBvaW50-MTI3LjAuMC4xOjgw"),
            // 32 zeros.
            format!("1-MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=-{SEGMENT}-0-{ABOUT}"),
        ] {
            assert_eq!(parse(&value), Err(Invalid), "{value}");
        }
    }

    #[test]
    fn base64() {
        let decoded = |encoded: &str| {
            let mut bytes = Vec::new();
            decode(encoded.as_bytes(), |byte| bytes.push(byte)).map(|()| bytes)
        };
        // RFC 4648 section 10.
        for (encoded, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decoded(encoded), Ok(expected.as_bytes().to_vec()));
        }
        assert_eq!(decoded("+/+/"), Ok(vec![0xfb, 0xff, 0xbf]));
        for encoded in ["Z", "Zg=", "=", "====", "Z===", "Zm9v=", "Zm 9", "-_-_"] {
            assert_eq!(decoded(encoded), Err(Invalid), "{encoded}");
        }
    }
}
