//! Rare words of a request: what an outgoing request has in common with the
//! incoming one that caused it, where nobody propagates a context.
//!
//! They come from the path (all of it, where it holds a number), the values of the query, and from header fields of
//! applications. Credentials, standard fields and trace contexts give none.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::propagation;

use super::target::Target;

/// Most tokens taken from one request.
pub const MAX_TOKENS: usize = 8;
/// Longer header values are documents, not ids. In bytes.
const MAX_VALUE: usize = 256;
/// Shorter words are too common. In bytes.
const MIN_LEN: usize = 6;
/// Fewest digits in a word of letters and digits.
const MIN_DIGITS: usize = 2;
/// Fewest digits of a number: what is shorter counts something, or is a date.
const MIN_NUMBER: usize = 9;

/// The tokens of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Distinct hashes, in the order they were met.
    pub hashes: SmallVec<[u64; 4]>,
    /// How many more there were than [`MAX_TOKENS`].
    pub dropped: u32,
}

/// The tokens of a request with this target and these header fields (names and
/// values). The values of query parameters named in `ignored` give none.
pub fn tokens<'a>(
    target: &'a [u8],
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ignored: &[String],
) -> Tokens {
    let mut tokens = Tokens::default();
    let target = Target::parse(target);
    if is_particular(target.path) {
        tokens.push(xxh3_64(target.path));
    }
    tokens.take_from(target.path);
    for (name, value) in target.parameters() {
        if !ignored.iter().any(|ignored| ignored.as_bytes() == name) {
            tokens.take_from(value);
        }
    }
    for (name, value) in fields {
        if value.len() <= MAX_VALUE && is_of_application(name) {
            tokens.take_from(value);
        }
    }
    tokens
}

impl Tokens {
    fn take_from(&mut self, text: &[u8]) {
        text.split(|&byte| !byte.is_ascii_alphanumeric() && byte != b'-' && byte != b'_')
            .filter(|word| is_distinctive(word))
            .for_each(|word| self.push(xxh3_64(word)));
    }

    fn push(&mut self, hash: u64) {
        if self.hashes.contains(&hash) {
            return;
        }
        if self.hashes.len() < MAX_TOKENS {
            self.hashes.push(hash);
        } else {
            self.dropped += 1;
        }
    }
}

/// Whether a path names one thing rather than a kind of things: a proxy that
/// passes it on is then seen to, though no word in it is rare by itself.
fn is_particular(path: &[u8]) -> bool {
    path.len() >= MIN_LEN && path.iter().any(u8::is_ascii_digit)
}

fn is_distinctive(word: &[u8]) -> bool {
    if word.len() < MIN_LEN {
        return false;
    }
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = word.iter().any(u8::is_ascii_alphabetic);
    digits >= MIN_NUMBER || letters && digits >= MIN_DIGITS
}

/// Whether the application made up this field, for something of its own.
fn is_of_application(name: &[u8]) -> bool {
    /// How names begin that proxies and tracers use.
    const NOT_PREFIXES: [&[u8]; 8] = [
        b"x-forwarded-",
        b"x-original-",
        b"x-real-",
        b"x-client-",
        b"x-envoy-",
        b"x-amz",
        b"x-b3-",
        b"x-datadog-",
    ];
    /// What names hold that stand for credentials.
    const NOT_WITHIN: [&[u8]; 6] = [b"auth", b"token", b"api-key", b"apikey", b"csrf", b"secret"];
    let like_ours = starts(name, b"x-") || ends(name, b"-id") || ends(name, b"-key");
    like_ours
        && !propagation::reads(name)
        && !NOT_PREFIXES.iter().any(|prefix| starts(name, prefix))
        && !NOT_WITHIN.iter().any(|part| holds(name, part))
}

fn starts(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn ends(name: &[u8], suffix: &[u8]) -> bool {
    let start = name.len().saturating_sub(suffix.len());
    name[start..].eq_ignore_ascii_case(suffix)
}

fn holds(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: [(&[u8], &[u8]); 0] = [];

    fn of_target(target: &str) -> Tokens {
        tokens(target.as_bytes(), NONE, &[])
    }

    fn of_field(name: &str, value: &str) -> Tokens {
        tokens(b"/", [(name.as_bytes(), value.as_bytes())], &[])
    }

    fn hashes(words: &[&str]) -> Vec<u64> {
        words.iter().map(|word| xxh3_64(word.as_bytes())).collect()
    }

    #[test]
    fn targets() {
        for (target, expected) in [
            ("/", &[][..]),
            ("*", &[]),
            ("h:443", &[]),
            ("/users/17?id=17&parent=9", &[]),
            ("/users/12345678", &[]),
            ("/d/2024-11-05", &[]),
            ("/oauth2/v1/profile", &[]),
            ("/ip/10.20.30.40", &[]),
            ("/users/123456789", &["123456789"]),
            ("/o/order-8f3a", &["order-8f3a"]),
            ("/o/cus_9s6XKzkN.json", &["cus_9s6XKzkN"]),
            (
                "/o/f058ebd6-02f7-4d3f-942e-904344e8cde5",
                &["f058ebd6-02f7-4d3f-942e-904344e8cde5"],
            ),
            ("/o?key=8f3a9c&b=x,4d5e6f", &["8f3a9c", "4d5e6f"]),
            ("/o/8f3a9c?key=8f3a9c", &["8f3a9c"]),
            ("http://host12345:80/o/8f3a9c", &["8f3a9c"]),
        ] {
            let found = of_target(target);
            let path = Target::parse(target.as_bytes()).path;
            let whole = is_particular(path).then(|| xxh3_64(path));
            let expected: Vec<_> = whole.into_iter().chain(hashes(expected)).collect();
            assert_eq!(found.hashes.as_slice(), expected, "{target}");
            assert_eq!(found.dropped, 0);
        }
    }

    #[test]
    fn a_path_with_a_number_counts_as_a_whole() {
        for (path, is) in [
            ("/users/17", true),
            ("/r/1", false),
            ("/users", false),
            ("/r/10000", true),
        ] {
            let found = of_target(path).hashes;
            assert_eq!(found.contains(&xxh3_64(path.as_bytes())), is, "{path}");
        }
    }

    #[test]
    fn parameters_can_be_ignored() {
        let ignored = ["id".to_owned(), "parent".to_owned()];
        let target = b"/o?id=abc123def&x=8f3a9c&parent=000000000009&ID=fed321cba";
        let found = tokens(target, NONE, &ignored);
        assert_eq!(found.hashes.as_slice(), hashes(&["8f3a9c", "fed321cba"]));
        assert_eq!(tokens(target, NONE, &[]).hashes.len(), 4);
    }

    #[test]
    fn fields_of_applications() {
        for name in ["X-Order-Id", "order-id", "Idempotency-Key", "X-Tenant"] {
            let found = of_field(name, "8f3a9c21");
            assert_eq!(found.hashes.as_slice(), hashes(&["8f3a9c21"]), "{name}");
        }
    }

    #[test]
    fn fields_that_give_none() {
        for name in [
            "Cookie",
            "Authorization",
            "Host",
            "User-Agent",
            "If-None-Match",
            "ETag",
            "Date",
            "Sec-WebSocket-Key1",
            "X-Api-Key",
            "X-Auth-Request-User",
            "X-CSRF-Token",
            "X-Forwarded-For",
            "X-Real-IP",
            "X-Request-Id",
            "X-Correlation-ID",
            "Request-Id",
            "traceparent",
            "X-B3-TraceId",
            "x-datadog-trace-id",
            "X-Amzn-Trace-Id",
            "uber-trace-id",
            "X-Cloud-Trace-Context",
            "",
            "x",
        ] {
            assert_eq!(of_field(name, "8f3a9c21"), Tokens::default(), "{name}");
        }
        let document = "8f3a9c21 ".repeat(40);
        assert_eq!(of_field("X-Order-Id", &document), Tokens::default());
    }

    #[test]
    fn the_number_is_bounded_and_the_rest_counted() {
        let words: Vec<_> = (0..MAX_TOKENS + 3).map(|n| format!("abc{n:03}")).collect();
        let found = of_target(&format!("/{}", words.join("/")));
        assert_eq!((found.hashes.len(), found.dropped), (MAX_TOKENS, 4));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(
            target in prop::collection::vec(any::<u8>(), 0..200),
            name in prop::collection::vec(any::<u8>(), 0..20),
            value in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let found = tokens(&target, [(&name[..], &value[..])], &[]);
            prop_assert!(found.hashes.len() <= MAX_TOKENS);
        }
    }
}
