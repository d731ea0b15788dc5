//! `X-Request-Start` and `X-Queue-Start`: when a proxy took the request in.
//!
//! There is no specification. nginx writes `t=1700000000.123` (seconds),
//! `HAProxy` and Heroku's router milliseconds with or without `t=`, Apache
//! microseconds (`t=1700000000123456`); the magnitude tells the unit.

use crate::time::WallTime;

use super::context::Invalid;
use super::digits;
use super::headers::Headers;

const SECOND: u64 = 1_000_000_000;
/// Units by what numbers in them are smaller than: in each, a moment from
/// 1973 to 5138, so that no moment of ours can be taken in two ways.
const UNITS: [(u64, u64); 4] = [
    (100_000_000_000, SECOND),
    (100_000_000_000_000, 1_000_000),
    (100_000_000_000_000_000, 1_000),
    (u64::MAX, 1),
];
/// 2000-01-01: what is before it is no time at which a request came.
const EARLIEST: WallTime = WallTime(946_684_800 * SECOND);

/// The earliest, where several proxies tell.
pub(super) fn read(headers: &Headers<'_>) -> Result<Option<WallTime>, Invalid> {
    let mut earliest = None;
    for value in &headers.queue_starts {
        let time = parse(value)?;
        earliest = Some(earliest.map_or(time, |earliest: WallTime| earliest.min(time)));
    }
    Ok(earliest)
}

fn parse(value: &[u8]) -> Result<WallTime, Invalid> {
    let number = value.strip_prefix(b"t=").unwrap_or(value).trim_ascii();
    let (whole, fraction) = match number.iter().position(|&byte| byte == b'.') {
        Some(point) => (&number[..point], &number[point + 1..]),
        None => (number, &b"0"[..]),
    };
    let whole = digits::decimal(whole)?;
    let unit = UNITS
        .into_iter()
        .find_map(|(limit, unit)| (whole < limit).then_some(unit))
        .ok_or(Invalid)?;
    let nanos = whole.checked_mul(unit).ok_or(Invalid)?;
    let nanos = nanos.checked_add(part_of(unit, fraction)?).ok_or(Invalid)?;
    let time = WallTime(nanos);
    if time < EARLIEST {
        return Err(Invalid);
    }
    Ok(time)
}

/// The decimal places `fraction` of a unit of that many nanoseconds.
fn part_of(unit: u64, fraction: &[u8]) -> Result<u64, Invalid> {
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(Invalid);
    }
    let mut place = unit;
    Ok(fraction.iter().fold(0, |nanos, digit| {
        place /= 10;
        nanos + u64::from(digit - b'0') * place
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid() {
        const WHOLE: u64 = 1_700_000_000 * SECOND;
        for (value, expected) in [
            ("t=1700000000", WHOLE),
            ("1700000000", WHOLE),
            ("t=1700000000.123", WHOLE + 123_000_000),
            ("t=1700000000.123456789123", WHOLE + 123_456_789),
            ("t=1700000000123", WHOLE + 123_000_000),
            ("1700000000123", WHOLE + 123_000_000),
            ("1700000000123.5", WHOLE + 123_500_000),
            ("t=1700000000123456", WHOLE + 123_456_000),
            ("t=1700000000123456.7", WHOLE + 123_456_700),
            ("t=1700000000123456789", WHOLE + 123_456_789),
            ("t=1700000000123456789.9", WHOLE + 123_456_789),
            ("t= 1700000000", WHOLE),
            ("t=946684800", EARLIEST.0),
        ] {
            for name in ["X-Request-Start", "X-QUEUE-START"] {
                let headers = Headers::of(&[(name, value)]);
                assert_eq!(read(&headers), Ok(Some(WallTime(expected))), "{value}");
            }
        }
    }

    #[test]
    fn invalid() {
        for value in [
            "t=",
            "t=0",
            "t=946684799.999",
            "t=99999999999",
            "t=-1700000000",
            "t=1700000000.",
            "t=.5",
            "t=1700000000.1.2",
            "t=1700000000,5",
            "t=1.7e9",
            "t=18446744073709551616",
            "t=18446744073709551615",
            "x=1700000000",
            "Tue, 14 Nov 2023 22:13:20 GMT",
        ] {
            let headers = Headers::of(&[("x-request-start", value)]);
            assert_eq!(read(&headers), Err(Invalid), "{value}");
        }
    }

    #[test]
    fn the_earliest_counts() {
        let headers = Headers::of(&[
            ("X-Request-Start", "t=1700000002"),
            ("X-Queue-Start", "t=1700000001"),
            ("X-Request-Start", "t=1700000003"),
        ]);
        assert_eq!(read(&headers), Ok(Some(WallTime(1_700_000_001 * SECOND))));
        assert_eq!(read(&Headers::of(&[])), Ok(None));
    }
}
