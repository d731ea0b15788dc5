//! Digits to ids and numbers, without a copy and without a panic.

use crate::span::{SpanId, TraceId};

use super::context::Invalid;

/// Which hexadecimal digits a format allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// `0-9a-f`.
    Lower,
    /// `0-9a-fA-F`.
    Any,
}

/// Exactly `2 * N` hexadecimal digits.
pub(super) fn exact<const N: usize>(digits: &[u8], case: Case) -> Result<[u8; N], Invalid> {
    if digits.len() != 2 * N {
        return Err(Invalid);
    }
    padded(digits, case)
}

/// 1 to `2 * N` hexadecimal digits, as if zeros stood before them.
pub(super) fn padded<const N: usize>(digits: &[u8], case: Case) -> Result<[u8; N], Invalid> {
    if digits.is_empty() || digits.len() > 2 * N {
        return Err(Invalid);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().rev().zip(digits.rchunks(2)) {
        for &digit in pair {
            *byte = *byte << 4 | nibble(digit, case)?;
        }
    }
    Ok(bytes)
}

/// 1 or more decimal digits, at most [`u64::MAX`].
pub(super) fn decimal(digits: &[u8]) -> Result<u64, Invalid> {
    if digits.is_empty() {
        return Err(Invalid);
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        if !digit.is_ascii_digit() {
            return Err(Invalid);
        }
        number
            .checked_mul(10)
            .and_then(|number| number.checked_add(u64::from(digit - b'0')))
            .ok_or(Invalid)
    })
}

/// A trace id, unless all zero.
pub(super) fn trace_id(bytes: [u8; 16]) -> Result<TraceId, Invalid> {
    if bytes == [0; 16] {
        return Err(Invalid);
    }
    Ok(TraceId(bytes))
}

/// A span id, unless all zero.
pub(super) fn span_id(bytes: [u8; 8]) -> Result<SpanId, Invalid> {
    if bytes == [0; 8] {
        return Err(Invalid);
    }
    Ok(SpanId(bytes))
}

/// A span id from a number where 0 means "none".
pub(super) fn optional_span_id(number: u64) -> Option<SpanId> {
    (number != 0).then(|| SpanId(number.to_be_bytes()))
}

/// The sampling decision `0`, `1`, `false` or `true`, the words in any case.
pub(super) fn boolean(value: &[u8]) -> Result<bool, Invalid> {
    if value == b"1" || value.eq_ignore_ascii_case(b"true") {
        Ok(true)
    } else if value == b"0" || value.eq_ignore_ascii_case(b"false") {
        Ok(false)
    } else {
        Err(Invalid)
    }
}

/// `text` as exactly `N` pieces between `separator`s.
pub(super) fn pieces<const N: usize>(text: &[u8], separator: u8) -> Result<[&[u8]; N], Invalid> {
    let mut split = text.split(|&byte| byte == separator);
    let mut pieces = [&text[..0]; N];
    for piece in &mut pieces {
        *piece = split.next().ok_or(Invalid)?;
    }
    match split.next() {
        None => Ok(pieces),
        Some(_) => Err(Invalid),
    }
}

fn nibble(digit: u8, case: Case) -> Result<u8, Invalid> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' if case == Case::Any => Ok(digit - b'A' + 10),
        _ => Err(Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        assert_eq!(padded(b"1", Case::Lower), Ok([0, 1]));
        assert_eq!(padded(b"a1b", Case::Lower), Ok([0x0a, 0x1b]));
        assert_eq!(padded(b"a1b2", Case::Lower), Ok([0xa1, 0xb2]));
        assert_eq!(padded(b"A1B2", Case::Any), Ok([0xa1, 0xb2]));
        assert_eq!(padded::<2>(b"A1B2", Case::Lower), Err(Invalid));
        assert_eq!(padded::<2>(b"", Case::Any), Err(Invalid));
        assert_eq!(padded::<2>(b"12345", Case::Any), Err(Invalid));
        assert_eq!(padded::<2>(b"0x1", Case::Any), Err(Invalid));
        assert_eq!(padded::<2>(b"+1", Case::Any), Err(Invalid));
        assert_eq!(exact::<2>(b"123", Case::Any), Err(Invalid));
        assert_eq!(exact(b"0123", Case::Any), Ok([0x01, 0x23]));
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal(b"0"), Ok(0));
        assert_eq!(decimal(b"007"), Ok(7));
        assert_eq!(decimal(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), Err(Invalid));
        assert_eq!(decimal(b""), Err(Invalid));
        assert_eq!(decimal(b"-1"), Err(Invalid));
        assert_eq!(decimal(b"1 "), Err(Invalid));
    }

    #[test]
    fn splitting() {
        assert_eq!(pieces(b"a-b", b'-'), Ok([&b"a"[..], b"b"]));
        assert_eq!(pieces(b"-", b'-'), Ok([&b""[..], b""]));
        assert_eq!(pieces::<2>(b"a", b'-'), Err(Invalid));
        assert_eq!(pieces::<2>(b"a-b-c", b'-'), Err(Invalid));
    }
}
