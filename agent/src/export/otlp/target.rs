//! A request target in its parts (RFC 9112 section 3.2), and what becomes of
//! its query.

use std::borrow::Cow;

/// What is told of a query (`--query`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum QueryPolicy {
    /// All of it.
    Keep,
    /// The keys; values become `REDACTED`.
    #[default]
    Redact,
    /// Nothing.
    Drop,
}

/// A request target in its parts; none is decoded or normalised.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Of the absolute-form.
    pub(super) scheme: Option<&'a str>,
    /// Host and port, of the absolute-form (without user information) and the
    /// authority-form.
    pub(super) authority: Option<&'a str>,
    /// User information stood before the host.
    pub(super) credentials: bool,
    /// Empty for the authority-form, `*` for the asterisk-form.
    pub(super) path: &'a str,
    /// After the `?`.
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// `connect`: the method is CONNECT, so this is the authority-form.
    pub(super) fn parse(target: &'a str, connect: bool) -> Self {
        if connect {
            return Self {
                authority: Some(target),
                ..Self::default()
            };
        }
        if target.starts_with('/') {
            return Self::default().with_path(target);
        }
        let Some((scheme, rest)) = target.split_once("://") else {
            return Self::default().with_path(target);
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((_, host)) => (true, host),
            None => (false, authority),
        };
        Self {
            scheme: Some(scheme),
            authority: Some(authority),
            credentials,
            ..Self::default()
        }
        .with_path(if path.is_empty() { "/" } else { path })
    }

    fn with_path(self, target: &'a str) -> Self {
        let find = |text: &str, mark| text.bytes().position(|byte| byte == mark);
        let target = &target[..find(target, b'#').unwrap_or(target.len())];
        let (path, query) = match find(target, b'?') {
            Some(at) => (&target[..at], Some(&target[at + 1..])),
            None => (target, None),
        };
        Self {
            path,
            query,
            ..self
        }
    }
}

/// What is told of `query`; `None` if nothing.
pub(super) fn shown_query(query: &str, policy: QueryPolicy) -> Option<Cow<'_, str>> {
    match policy {
        QueryPolicy::Keep => Some(query.into()),
        QueryPolicy::Drop => None,
        QueryPolicy::Redact if !query.contains('=') => Some(query.into()),
        QueryPolicy::Redact => Some(redacted(query).into()),
    }
}

/// `host` and `port` of `host[:port]`, with or without brackets round an IPv6
/// address.
pub(super) fn split_port(authority: &str) -> (&str, Option<u16>) {
    if let Some(rest) = authority.strip_prefix('[')
        && let Some((host, rest)) = rest.split_once(']')
    {
        return (
            host,
            rest.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    // Several times as fast as to search for a `char`, and for nearly every span.
    match authority.bytes().rposition(|byte| byte == b':') {
        Some(colon) if !authority[..colon].bytes().any(|byte| byte == b':') => {
            (&authority[..colon], authority[colon + 1..].parse().ok())
        }
        _ => (authority, None),
    }
}

fn redacted(query: &str) -> String {
    let mut shown = String::with_capacity(query.len() + 16);
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) => {
                shown.push_str(key);
                shown.push_str("=REDACTED");
            }
            None => shown.push_str(pair),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_parted() {
        type Parts<'a> = (Option<&'a str>, Option<&'a str>, &'a str, Option<&'a str>);
        let cases: [(&str, bool, Parts<'_>); 9] = [
            ("/a/b?c=d&e", false, (None, None, "/a/b", Some("c=d&e"))),
            ("/", false, (None, None, "/", None)),
            ("/a?", false, (None, None, "/a", Some(""))),
            ("//x/y", false, (None, None, "//x/y", None)),
            ("*", false, (None, None, "*", None)),
            (
                "http://h:81/p?q",
                false,
                (Some("http"), Some("h:81"), "/p", Some("q")),
            ),
            ("http://h", false, (Some("http"), Some("h"), "/", None)),
            (
                "http://u:p@h/x",
                false,
                (Some("http"), Some("h"), "/x", None),
            ),
            ("h:443", true, (None, Some("h:443"), "", None)),
        ];
        for (target, connect, expected) in cases {
            let parts = Target::parse(target, connect);
            let found = (parts.scheme, parts.authority, parts.path, parts.query);
            assert_eq!(found, expected, "{target}");
            assert_eq!(parts.credentials, target.contains('@'), "{target}");
        }
    }

    #[test]
    fn values_of_a_query_are_redacted() {
        let cases = [
            ("a=1&b=2", "a=REDACTED&b=REDACTED"),
            ("a&b=x=y&", "a&b=REDACTED&"),
            ("", ""),
        ];
        for (query, expected) in cases {
            let shown = shown_query(query, QueryPolicy::Redact).unwrap();
            assert_eq!(shown, expected, "{query}");
        }
        assert_eq!(shown_query("a=1", QueryPolicy::Keep).unwrap(), "a=1");
        assert_eq!(shown_query("a=1", QueryPolicy::Drop), None);
    }

    #[test]
    fn ports_are_split_off() {
        let cases = [
            ("h", ("h", None)),
            ("h:80", ("h", Some(80))),
            ("[::1]:80", ("::1", Some(80))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
            ("h:", ("h", None)),
            ("h:99999", ("h", None)),
        ];
        for (authority, expected) in cases {
            assert_eq!(split_port(authority), expected, "{authority}");
        }
    }
}
