//! A request target in the parts that matter here (RFC 9112 section 3.2).

/// Path and query of a target, as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// `/…`, or `*`; empty where there is none: in the authority-form.
    pub(super) path: &'a [u8],
    /// What follows the `?`.
    pub(super) query: &'a [u8],
}

impl<'a> Target<'a> {
    pub(super) fn parse(target: &'a [u8]) -> Self {
        let target = until(target, b'#').0;
        let (path, query) = until(target, b'?');
        Self {
            path: without_authority(path),
            query,
        }
    }

    /// Names and values of the query; the value is empty without a `=`.
    pub(super) fn parameters(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.query
            .split(|byte| matches!(byte, b'&' | b';'))
            .map(|pair| until(pair, b'='))
    }
}

/// The path of `scheme://authority/path`, of `/path` and of `*`.
fn without_authority(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") || target == b"*" {
        return target;
    }
    let after_scheme = target.windows(3).position(|three| three == b"://");
    let authority = after_scheme.map_or(target, |at| &target[at + 3..]);
    let path = authority.iter().position(|&byte| byte == b'/');
    path.map_or(&[], |at| &authority[at..])
}

/// What is before the first `separator`, and what is after it.
fn until(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        for (target, path, query) in [
            ("/a/b?c=d", "/a/b", "c=d"),
            ("/a?b?c", "/a", "b?c"),
            ("/a#b?c", "/a", ""),
            ("//a", "//a", ""),
            ("*", "*", ""),
            ("", "", ""),
            ("http://h:80/a?b=http://x/y", "/a", "b=http://x/y"),
            ("http://h?b", "", "b"),
            ("h:443", "", ""),
        ] {
            let found = Target::parse(target.as_bytes());
            assert_eq!(found.path, path.as_bytes(), "{target}");
            assert_eq!(found.query, query.as_bytes(), "{target}");
        }
    }

    #[test]
    fn parameters() {
        let of = |query| Target { path: b"", query }.parameters().collect::<Vec<_>>();
        assert_eq!(
            of(b"a=1&b=&c;d=x=y"),
            [
                (&b"a"[..], &b"1"[..]),
                (b"b", b""),
                (b"c", b""),
                (b"d", b"x=y")
            ]
        );
    }
}
