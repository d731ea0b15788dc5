//! What kind of request a target is: its path without what varies.
//!
//! Nothing of the query is in it: optional parameters would scatter one kind
//! of request, whose times are learnt together, over many.

use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::target::Target;

/// Segments of a path that are told apart; deeper ones are cut off.
const MAX_SEGMENTS: usize = 16;
/// Longest part of a segment that may be a word.
const MAX_WORD: usize = 40;
/// Fewest hexadecimal digits that are an id, if one of them is a digit.
const MIN_HEX: usize = 8;
/// Fewest letters of `a-f` alone that are an id.
const MIN_HEX_LETTERS: usize = 16;
/// Fewest bytes of a random token in upper and lower case.
const MIN_MIXED: usize = 12;
const ID: &[u8] = b"{id}";

/// Hash of the method and the [`template`] of the target.
pub fn route(method: &[u8], target: &[u8]) -> u64 {
    xxh3_64_with_seed(&template(target), xxh3_64(method))
}

/// The path of `target` with what varies replaced: `/users/{id}/orders`.
pub fn template(target: &[u8]) -> SmallVec<[u8; 128]> {
    let path = Target::parse(target).path;
    if is_plain(path) {
        return SmallVec::from_slice(path);
    }
    let mut template = SmallVec::new();
    for (index, segment) in path.split(|&byte| byte == b'/').enumerate() {
        if index > 0 {
            template.push(b'/');
        }
        if index > MAX_SEGMENTS {
            template.extend_from_slice("…".as_bytes());
            break;
        }
        write_segment(segment, &mut template);
    }
    template
}

/// Whether a path is its own template at first sight, as most are: no digits, and
/// no word so long that it may be anything else.
fn is_plain(path: &[u8]) -> bool {
    let (mut word, mut depth) = (0, 0);
    path.iter().all(|byte| {
        word = if byte.is_ascii_alphabetic() {
            word + 1
        } else {
            0
        };
        depth += usize::from(*byte == b'/');
        let may_vary = byte.is_ascii_digit() || matches!(byte, b'%' | b'@');
        !may_vary && word < MIN_MIXED && depth <= MAX_SEGMENTS
    })
}

/// UUIDs, mail addresses and free text vary as a whole; else the parts between
/// punctuation marks are looked at one by one (`order-17`, `app.1f2e3d4c.js`).
fn write_segment(segment: &[u8], template: &mut SmallVec<[u8; 128]>) {
    let free_text = segment.contains(&b'%') || segment.iter().skip(1).any(|&byte| byte == b'@');
    if free_text || is_uuid(segment) {
        template.extend_from_slice(ID);
        return;
    }
    let mut rest = segment;
    while !rest.is_empty() {
        let len = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let (part, after) = rest.split_at(len.unwrap_or(rest.len()));
        write_part(part, template);
        let marks = after.iter().position(u8::is_ascii_alphanumeric);
        let (marks, after) = after.split_at(marks.unwrap_or(after.len()));
        template.extend_from_slice(marks);
        rest = after;
    }
}

/// One digit within or after a word is left alone (`v1`, `oauth2`, `p2p`): it
/// makes ten routes of one at most.
fn write_part(part: &[u8], template: &mut SmallVec<[u8; 128]>) {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let word = part
        .iter()
        .position(u8::is_ascii_digit)
        .unwrap_or(part.len());
    if is_version(part) {
        template.extend_from_slice(part);
    } else if varies(part, digits) {
        template.extend_from_slice(ID);
    } else if digits < 2 {
        template.extend_from_slice(part);
    } else if word + digits == part.len() {
        // Letters, then a number: the letters are a word.
        template.extend_from_slice(&part[..word]);
        template.extend_from_slice(ID);
    } else {
        template.extend_from_slice(ID);
    }
}

fn varies(part: &[u8], digits: usize) -> bool {
    let number = digits > 0 && digits == part.len();
    number || part.len() > MAX_WORD || is_hex(part, digits) || is_mixed(part)
}

/// Where words are joined, most letters are small and follow a small one; where
/// letters are random, a quarter of them.
fn is_mixed(part: &[u8]) -> bool {
    let pairs = || part.windows(2);
    let small = |byte: &u8| byte.is_ascii_lowercase();
    let rises = pairs().filter(|pair| small(&pair[0]) && pair[1].is_ascii_uppercase());
    let within_words = pairs().filter(|pair| pair.iter().all(small)).count();
    part.len() >= MIN_MIXED && within_words * 3 < part.len() && rises.count() >= 2
}

fn is_version(part: &[u8]) -> bool {
    matches!(part, [b'v' | b'V', number @ ..]
        if matches!(number.len(), 1 | 2) && number.iter().all(u8::is_ascii_digit))
}

fn is_hex(part: &[u8], digits: usize) -> bool {
    let enough = if digits > 0 { MIN_HEX } else { MIN_HEX_LETTERS };
    part.len() >= enough && part.iter().all(u8::is_ascii_hexdigit)
}

/// RFC 9562 section 4.
fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(target: &str) -> String {
        String::from_utf8_lossy(&template(target.as_bytes())).into_owned()
    }

    #[test]
    fn templates() {
        for (target, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("", ""),
            ("/users", "/users"),
            ("/users/", "/users/"),
            ("/users/17", "/users/{id}"),
            (
                "/users/7/orders/123456?id=17&parent=9",
                "/users/{id}/orders/{id}",
            ),
            ("http://shop:80/users/17?x", "/users/{id}"),
            ("shop:443", ""),
            // Ids of many kinds.
            ("/a/f058ebd6-02f7-4d3f-942e-904344e8cde5/b", "/a/{id}/b"),
            ("/a/F058EBD6-02F7-4D3F-942E-904344E8CDE5", "/a/{id}"),
            ("/c/1f2e3d4c", "/c/{id}"),
            ("/c/9e107d9d372bb6826bd81d3542a419d6", "/c/{id}"),
            ("/c/deadbeefdeadbeef", "/c/{id}"),
            ("/o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/o/{id}"),
            ("/o/order-17", "/o/order-{id}"),
            ("/o/user42", "/o/user{id}"),
            ("/o/cus_NffrFeUfNVHibQ", "/o/cus_{id}"),
            ("/o/cus_9s6XKzkNRiz8i3", "/o/cus_{id}"),
            ("/o/17,18,19", "/o/{id},{id},{id}"),
            ("/u/ann@example.com", "/u/{id}"),
            ("/u/@ann", "/u/@ann"),
            ("/s/free%20text", "/s/{id}"),
            ("/d/2024-11-05", "/d/{id}-{id}-{id}"),
            ("/static/app.1f2e3d4c.js", "/static/app.{id}.js"),
            // Words.
            ("/api/v1/users", "/api/v1/users"),
            ("/api/v12/users", "/api/v12/users"),
            ("/oauth2/token", "/oauth2/token"),
            ("/s3/p2p/ipv6", "/s3/p2p/ipv6"),
            ("/facade/decade", "/facade/decade"),
            ("/get-user_profile.json", "/get-user_profile.json"),
            ("/getUserProfileInformation", "/getUserProfileInformation"),
            ("/findAllByUserIdAndState", "/findAllByUserIdAndState"),
            ("/getHTTPServerURL", "/getHTTPServerURL"),
            ("/LATEST-RELEASE_NOTES", "/LATEST-RELEASE_NOTES"),
            ("//a//b", "//a//b"),
        ] {
            assert_eq!(shown(target), expected, "{target}");
        }
    }

    #[test]
    fn long_and_deep_paths() {
        assert_eq!(
            shown(&format!("/{}", "x".repeat(MAX_WORD))).len(),
            1 + MAX_WORD
        );
        assert_eq!(shown(&format!("/{}", "x".repeat(MAX_WORD + 1))), "/{id}");
        let deep = "/a".repeat(MAX_SEGMENTS);
        assert_eq!(shown(&deep), deep);
        assert_eq!(shown(&format!("{deep}/b/c")), format!("{deep}/…"));
    }

    #[test]
    fn routes_are_told_apart_by_method_and_template() {
        let of = |method: &str, target: &str| route(method.as_bytes(), target.as_bytes());
        assert_eq!(of("GET", "/users/17?a=1"), of("GET", "/users/18"));
        assert_ne!(of("GET", "/users/17"), of("PUT", "/users/17"));
        assert_ne!(of("GET", "/users/17"), of("GET", "/items/17"));
        assert_ne!(of("GET", "/users"), of("GET", "/users/17"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(target in prop::collection::vec(any::<u8>(), 0..200)) {
            template(&target);
        }

        #[test]
        fn what_is_plain_is_its_own_template(path in "(/|[a-zA-Z-]{1,14}|[0-9@%.]){0,24}") {
            let mut template = SmallVec::new();
            for (index, segment) in path.as_bytes().split(|&byte| byte == b'/').enumerate() {
                if index > 0 {
                    template.push(b'/');
                }
                write_segment(segment, &mut template);
            }
            prop_assert!(!is_plain(path.as_bytes()) || template[..] == *path.as_bytes());
        }

        #[test]
        fn numbers_never_make_routes(a: u64, b: u64) {
            let of = |id| route(b"GET", format!("/users/{id}/item-{id}").as_bytes());
            prop_assert_eq!(of(a), of(b));
        }
    }
}
