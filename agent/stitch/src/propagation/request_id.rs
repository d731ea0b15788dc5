//! Ids that a proxy or a service gave to a request and that are passed on:
//! `X-Request-Id`, `X-Correlation-Id` and the `Request-Id` of .NET's hierarchical
//! protocol. They name no trace; two requests that carry the same one belong
//! together.

use smallvec::SmallVec;

use super::context::Invalid;
use super::headers::Headers;

/// Most distinct ids of one request that are kept.
pub const MAX_REQUEST_IDS: usize = 4;
/// Longest id, in bytes; what is longer is none.
const MAX_LEN: usize = 256;
/// What is written where there is no id to write.
const PLACEHOLDERS: [&[u8]; 6] = [b"-", b"null", b"nil", b"none", b"undefined", b"unknown"];

/// The distinct ids in the order they were sent.
pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<SmallVec<[&'a [u8]; 2]>, Invalid> {
    let mut ids: SmallVec<[&[u8]; 2]> = SmallVec::new();
    for value in &headers.request_ids {
        let id = parse(value)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > MAX_REQUEST_IDS {
        return Err(Invalid);
    }
    Ok(ids)
}

fn parse(value: &[u8]) -> Result<&[u8], Invalid> {
    let id = root(value);
    let printable = id.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let placeholder = PLACEHOLDERS
        .iter()
        .any(|none| none.eq_ignore_ascii_case(id));
    if id.is_empty() || id.len() > MAX_LEN || !printable || placeholder {
        return Err(Invalid);
    }
    Ok(id)
}

/// A hierarchical id grows by a piece at every hop (`|root.1.da4e9679_`); what
/// the requests of one operation share is what stands before the first dot.
fn root(value: &[u8]) -> &[u8] {
    match value.strip_prefix(b"|") {
        Some(path) => path.split(|&byte| byte == b'.').next().unwrap_or_default(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(fields: &[(&str, &str)]) -> Result<Vec<String>, Invalid> {
        let ids = read(&Headers::of(fields))?;
        let text = |id: &&[u8]| String::from_utf8_lossy(id).into_owned();
        Ok(ids.iter().map(text).collect())
    }

    #[test]
    fn valid() {
        for (value, expected) in [
            (
                "f058ebd6-02f7-4d3f-942e-904344e8cde5",
                "f058ebd6-02f7-4d3f-942e-904344e8cde5",
            ),
            (" 42\t", "42"),
            ("1-67a8;Root=x, y", "1-67a8;Root=x, y"),
            ("|a000b421-5d183ab6.1.", "a000b421-5d183ab6"),
            ("|a000b421-5d183ab6.1.8e2d4c28_1.", "a000b421-5d183ab6"),
            ("|a000b421", "a000b421"),
            ("a.b.c", "a.b.c"),
        ] {
            for name in ["X-Request-ID", "x-correlation-id", "Request-Id"] {
                assert_eq!(ids(&[(name, value)]), Ok(vec![expected.to_owned()]));
            }
        }
    }

    #[test]
    fn invalid() {
        let long = "x".repeat(MAX_LEN + 1);
        for value in [
            "-",
            "NULL",
            "undefined",
            "|",
            "|.1.",
            "a\u{1}b",
            "\u{e9}",
            &long,
        ] {
            assert_eq!(ids(&[("X-Request-Id", value)]), Err(Invalid), "{value}");
        }
        assert!(ids(&[("X-Request-Id", &long[1..])]).is_ok());
    }

    #[test]
    fn distinct_in_order() {
        let found = ids(&[
            ("X-Correlation-Id", "b"),
            ("X-Request-Id", "a"),
            ("Request-Id", "|b.1."),
            ("X-Request-Id", ""),
        ]);
        assert_eq!(found, Ok(vec!["b".to_owned(), "a".to_owned()]));
        assert_eq!(ids(&[("X-Request-Id", "")]), Ok(vec![]));

        let many = ["a", "b", "c", "d", "e"].map(|id| ("X-Request-Id", id));
        assert_eq!(
            ids(&many[..MAX_REQUEST_IDS]).map(|ids| ids.len()),
            Ok(MAX_REQUEST_IDS)
        );
        assert_eq!(ids(&many), Err(Invalid));
    }
}
