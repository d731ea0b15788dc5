//! What proxies say of the request they pass on: `Forwarded` (RFC 7239) and
//! the `X-Forwarded-*` fields. The first, that is the client's, element counts.

use wirespan_stitch::exchange::Fields;

use super::target::split_port;

/// What the proxies before a server say; `None` where they say nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded<'a> {
    /// The client's address, without its port.
    pub(super) client: Option<&'a str>,
    /// Host (and port) that the client asked for.
    pub(super) host: Option<&'a str>,
    /// `http` or `https`.
    pub(super) scheme: Option<&'a str>,
}

impl<'a> Forwarded<'a> {
    /// Reads the fields of a request; `Forwarded` wins over the others.
    pub(super) fn of(fields: &'a Fields) -> Self {
        let mut forwarded = Self::default();
        let mut unofficial = Self::default();
        for (name, value) in fields.iter() {
            // Almost no field begins so: do not compare each with all names.
            let kept = match name.first() {
                Some(b'F' | b'f') if name.eq_ignore_ascii_case(b"forwarded") => {
                    if forwarded == Self::default() {
                        forwarded = standard(text(value));
                    }
                    continue;
                }
                Some(b'X' | b'x') if name.eq_ignore_ascii_case(b"x-forwarded-for") => {
                    &mut unofficial.client
                }
                Some(b'X' | b'x') if name.eq_ignore_ascii_case(b"x-forwarded-host") => {
                    &mut unofficial.host
                }
                Some(b'X' | b'x') if name.eq_ignore_ascii_case(b"x-forwarded-proto") => {
                    &mut unofficial.scheme
                }
                _ => continue,
            };
            let first = text(value).split(',').next().unwrap_or_default().trim();
            if kept.is_none() && !first.is_empty() {
                *kept = Some(first);
            }
        }
        Self {
            client: forwarded
                .client
                .or_else(|| unofficial.client.map(|client| split_port(client).0)),
            host: forwarded.host.or(unofficial.host),
            scheme: forwarded.scheme.or(unofficial.scheme),
        }
    }
}

fn standard(value: &str) -> Forwarded<'_> {
    let mut forwarded = Forwarded::default();
    let first = value.split(',').next().unwrap_or_default();
    for pair in first.split(';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        if value.is_empty() {
            continue;
        }
        let name = name.trim();
        if name.eq_ignore_ascii_case("for") {
            forwarded.client = Some(split_port(value).0);
        } else if name.eq_ignore_ascii_case("host") {
            forwarded.host = Some(value);
        } else if name.eq_ignore_ascii_case("proto") {
            forwarded.scheme = Some(value);
        }
    }
    forwarded
}

/// A value that is not text says nothing.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;

    #[test]
    fn the_client_side_element_counts() {
        type Said<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);
        let cases: [(&[(&str, &str)], Said<'_>); 7] = [
            (&[("accept", "x")], (None, None, None)),
            (
                &[
                    ("X-Forwarded-For", "1.2.3.4, 5.6.7.8"),
                    ("x-forwarded-proto", "https"),
                ],
                (Some("1.2.3.4"), None, Some("https")),
            ),
            (
                &[("X-Forwarded-For", "1.2.3.4:99")],
                (Some("1.2.3.4"), None, None),
            ),
            (&[("X-Forwarded-For", "")], (None, None, None)),
            (
                &[(
                    "forwarded",
                    "for=\"[2001:db8::1]:47\";Host=a:81;proto=https, for=2.2.2.2",
                )],
                (Some("2001:db8::1"), Some("a:81"), Some("https")),
            ),
            (
                &[("x-forwarded-for", "9.9.9.9"), ("Forwarded", "for=1.1.1.1")],
                (Some("1.1.1.1"), None, None),
            ),
            (
                &[("x-forwarded-host", "shop.example")],
                (None, Some("shop.example"), None),
            ),
        ];
        for (given, (client, host, scheme)) in cases {
            let fields = fields(given);
            let expected = Forwarded {
                client,
                host,
                scheme,
            };
            assert_eq!(Forwarded::of(&fields), expected, "{given:?}");
        }
    }
}
