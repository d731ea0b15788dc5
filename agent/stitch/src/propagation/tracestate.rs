//! W3C `tracestate` (Trace Context section 3.3): up to 32 `key=value` members,
//! over any number of lines. The grammar of keys is that of level 2, which
//! takes all that level 1 does.

use std::borrow::Cow;

use super::context::Invalid;
use super::headers::Headers;

/// Section 3.3.1.1. Longer lists are discarded whole.
const MAX_MEMBERS: usize = 32;
/// Section 3.3.1.3.1, in bytes.
const MAX_KEY: usize = 256;
/// Section 3.3.1.3.2, in bytes.
const MAX_VALUE: usize = 256;

/// The lines as they were sent, joined with commas; empty if there is none.
pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Cow<'a, [u8]>, Invalid> {
    let lines = headers.states.as_slice();
    let mut members = 0;
    for line in lines {
        for member in line.split(|&byte| byte == b',') {
            members += usize::from(check_member(member.trim_ascii())?);
        }
    }
    if members > MAX_MEMBERS {
        return Err(Invalid);
    }
    Ok(match lines {
        [] => Cow::Borrowed(&[]),
        [line] => Cow::Borrowed(line),
        lines => Cow::Owned(lines.join(&b',')),
    })
}

/// Whether there is a member, rather than nothing between two commas.
fn check_member(member: &[u8]) -> Result<bool, Invalid> {
    if member.is_empty() {
        return Ok(false);
    }
    let equals = member
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or(Invalid)?;
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    if is_key(key) && is_value(value) {
        Ok(true)
    } else {
        Err(Invalid)
    }
}

fn is_key(key: &[u8]) -> bool {
    let starts_well = key
        .first()
        .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    starts_well
        && key.len() <= MAX_KEY
        && key.iter().all(
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'),
        )
}

/// White space at the end has gone with what is around the member.
fn is_value(value: &[u8]) -> bool {
    !value.is_empty()
        && value.len() <= MAX_VALUE
        && value
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(lines: &[&str]) -> Result<String, Invalid> {
        let fields: Vec<_> = lines.iter().map(|line| ("tracestate", *line)).collect();
        read(&Headers::of(&fields)).map(|state| String::from_utf8_lossy(&state).into_owned())
    }

    #[test]
    fn valid() {
        for line in [
            "foo=1",
            "foo=1,bar=2",
            "foo=1 \t , \t bar=2, \t baz=3",
            "foo=1,",
            "foo=1,,bar=2",
            ",",
            "fw529a3039@dt=FfQ3kQ",
            "0tenant@vendor=1",
            "a_-*/b=1",
            "foo= 1",
            "foo=a b",
            "foo=!#~\"\\",
            // To keep both is one of the choices that the specification gives.
            "foo=1,foo=1",
        ] {
            assert_eq!(state(&[line]), Ok(line.to_owned()));
        }
    }

    #[test]
    fn invalid() {
        for line in [
            "foo",
            "=",
            "=1",
            "foo=",
            "foo=1,bar=",
            "foo=bar=baz",
            "foo =1",
            "FOO=1",
            "foo.bar=1",
            "@foo=1",
            "_foo=1",
            "foo=1;bar=2",
            "foo=\u{7f}",
            "foo=\u{e9}",
            "foo=a\tb",
        ] {
            assert_eq!(state(&[line]), Err(Invalid), "{line}");
        }
    }

    #[test]
    fn lines_are_joined_in_order() {
        assert_eq!(state(&[]), Ok(String::new()));
        assert_eq!(state(&[""]), Ok(String::new()));
        assert_eq!(state(&["foo=1", "bar=2"]), Ok("foo=1,bar=2".to_owned()));
        assert_eq!(
            state(&["foo=1", "", " bar=2,baz=3 "]),
            Ok("foo=1,bar=2,baz=3".to_owned())
        );
        assert_eq!(state(&["foo=1", "BAR=2"]), Err(Invalid));
    }

    #[test]
    fn limits() {
        let members = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!("k{n}=v")).collect();
            members.join(",")
        };
        assert!(state(&[&members(MAX_MEMBERS)]).is_ok());
        assert_eq!(state(&[&members(MAX_MEMBERS + 1)]), Err(Invalid));
        assert_eq!(state(&[&members(20), &members(13)]), Err(Invalid));
        assert!(state(&[&members(20), ",,", &members(12)]).is_ok());

        let key = "k".repeat(MAX_KEY);
        let value = "v".repeat(MAX_VALUE);
        assert!(state(&[&format!("{key}={value}")]).is_ok());
        assert_eq!(state(&[&format!("{key}k=v")]), Err(Invalid));
        assert_eq!(state(&[&format!("k={value}v")]), Err(Invalid));
    }

    #[test]
    fn one_line_is_not_copied() {
        let headers = Headers::of(&[("tracestate", "foo=1")]);
        assert!(matches!(read(&headers), Ok(Cow::Borrowed(_))));
    }
}
