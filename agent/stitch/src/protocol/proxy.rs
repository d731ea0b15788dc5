//! The PROXY protocol, versions 1 and 2: one header in front of everything
//! else that a client sends, with the address it was proxied for.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// No PROXY protocol header.
    None,
    /// Perhaps the beginning of one.
    Partial,
    /// A header of so many bytes, and the client's address, if it tells it.
    Header(usize, Option<SocketAddr>),
    /// A line of so many bytes that begins like a header of version 1, but does
    /// not keep to the protocol: receivers must refuse it (section 2.1).
    Malformed(usize),
}

/// Section 2.1: the longest header of version 1, with its CRLF.
const MAX_V1: usize = 107;
/// Section 2.2.
const SIGNATURE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_V2: usize = 16;
/// Section 2.2: "an implementation should at least accept 216 bytes"; with
/// extensions (TLVs) there may be more.
const MAX_V2: usize = 4096;

/// Reads the header at the beginning of `first`.
pub fn parse(first: &[u8]) -> Preface {
    match first.first() {
        None => Preface::Partial,
        Some(b'P') => parse_v1(first),
        Some(b'\r') => parse_v2(first),
        Some(_) => Preface::None,
    }
}

fn parse_v1(first: &[u8]) -> Preface {
    let begins = |with: &[u8]| {
        let known = first.len().min(with.len());
        first[..known] == with[..known]
    };
    if ![&b"PROXY TCP4 "[..], b"PROXY TCP6 ", b"PROXY UNKNOWN"]
        .iter()
        .any(|with| begins(with))
    {
        return Preface::None;
    }
    let Some(end) = memchr::memchr(b'\n', first) else {
        return if first.len() < MAX_V1 {
            Preface::Partial
        } else {
            Preface::None
        };
    };
    let size = end + 1;
    parse_line(&first[..end], size).unwrap_or(Preface::Malformed(size))
}

/// Section 2.1; `None` if the line does not keep to it.
fn parse_line(line: &[u8], size: usize) -> Option<Preface> {
    let text = std::str::from_utf8(line.strip_suffix(b"\r")?).ok()?;
    let mut words = text.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(Preface::Header(size, None));
    }
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (client, server) = (address()?, address()?);
    let (client_port, _) = (port(words.next()?)?, port(words.next()?)?);
    let suits = |address: IpAddr| address.is_ipv4() == (family == "TCP4");
    let keeps = words.next().is_none() && suits(client) && suits(server);
    keeps.then(|| Preface::Header(size, Some((client, client_port).into())))
}

/// Decimal digits without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.starts_with(|first: char| matches!(first, '1'..='9')) || word == "0";
    plain.then(|| word.parse().ok())?
}

fn parse_v2(first: &[u8]) -> Preface {
    let known = first.len().min(SIGNATURE_V2.len());
    if first[..known] != SIGNATURE_V2[..known] {
        return Preface::None;
    }
    let &[
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        command,
        family,
        high,
        low,
        ref rest @ ..,
    ] = first
    else {
        return Preface::Partial;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 || length > MAX_V2 {
        return Preface::None;
    }
    let Some(addresses) = rest.get(..length) else {
        return Preface::Partial;
    };
    let client = match (command & 0xf, family) {
        (1, 0x11) => v4(addresses),
        (1, 0x21) => v6(addresses),
        _ => None,
    };
    Preface::Header(FIXED_V2 + length, client)
}

fn v4(addresses: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = addresses.split_first_chunk::<4>()?;
    let port = rest.get(4..)?.first_chunk::<2>()?;
    Some((Ipv4Addr::from(*source), u16::from_be_bytes(*port)).into())
}

fn v6(addresses: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = addresses.split_first_chunk::<16>()?;
    let port = rest.get(16..)?.first_chunk::<2>()?;
    Some((Ipv6Addr::from(*source), u16::from_be_bytes(*port)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_whole_and_are_partial_when_cut() {
        let mut v2 = SIGNATURE_V2.to_vec();
        v2.extend([
            0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0, 80,
        ]);
        let mut v2_v6 = SIGNATURE_V2.to_vec();
        v2_v6.extend([0x21, 0x21, 0, 39]);
        v2_v6.extend(Ipv6Addr::LOCALHOST.octets());
        v2_v6.extend([0; 16]);
        v2_v6.extend([0x1f, 0x90, 0, 80, 3, 0, 0]);
        let mut local = SIGNATURE_V2.to_vec();
        local.extend([0x20, 0, 0, 0]);
        let table: [(&[u8], Option<&str>); 7] = [
            (
                b"PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\n",
                Some("10.0.0.1:8080"),
            ),
            (b"PROXY TCP6 ::1 ::2 8080 80\r\n", Some("[::1]:8080")),
            (b"PROXY UNKNOWN\r\n", None),
            (b"PROXY UNKNOWN ::1 ::2 8080 80\r\n", None),
            (&v2, Some("10.0.0.1:8080")),
            (&v2_v6, Some("[::1]:8080")),
            (&local, None),
        ];
        for (header, client) in table {
            let client = client.map(|client| client.parse().unwrap());
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Preface::Partial, "cut at {end}");
            }
            let with_more = [header, b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(parse(&with_more), Preface::Header(header.len(), client));
        }
    }

    #[test]
    fn lines_that_receivers_must_refuse_tell_no_client() {
        for line in [
            "PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\n",
            "PROXY TCP4  10.0.0.1 10.0.0.2 8080 80\r\n",
            "PROXY TCP4 10.0.0.1 8080 80\r\n",
            "PROXY TCP4 10.0.0.1 10.0.0.2 8080\r\n",
            "PROXY TCP4 10.0.0.1 10.0.0.2 8080 80 1\r\n",
            "PROXY TCP4 10.0.0.01 10.0.0.2 8080 80\r\n",
            "PROXY TCP4 10.0.0.1 10.0.0.2 08080 80\r\n",
            "PROXY TCP4 10.0.0.1 10.0.0.2 +8080 80\r\n",
            "PROXY TCP4 10.0.0.1 10.0.0.2 8080 65536\r\n",
            "PROXY TCP4 ::1 ::2 8080 80\r\n",
            "PROXY TCP6 10.0.0.1 10.0.0.2 8080 80\r\n",
            "PROXY UNKNOWN8080\r\n",
        ] {
            let malformed = Preface::Malformed(line.len());
            assert_eq!(parse(line.as_bytes()), malformed, "{line}");
        }
    }

    #[test]
    fn other_beginnings_are_none() {
        for first in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY / HTTP/1.1\r\n",
            b"POST /",
            b"\r\nGET / HTTP/1.1\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\0\0\0",
        ] {
            assert_eq!(parse(first), Preface::None);
        }
    }
}
