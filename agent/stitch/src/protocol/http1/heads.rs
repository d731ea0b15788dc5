//! Heads that were read lately, so that the same bytes are read once.
//!
//! Where both ends of a connection are on this host, each head comes twice, soon
//! after one another; and clients that poll send the same one again and again. In:
//! bytes that may begin with such a head. Out: what [`head::parse`] says of them,
//! which depends on the bytes of the head and on nothing else.
//!
//! A head is found by the ports of its connection, which both ends have in common
//! unless they are translated, and compared byte by byte. What two connections
//! share a slot for is read again.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::head::{self, Head, Parsed, Start};
use crate::event::Connection;
use crate::exchange::{Anomalies, Field, Fields, Version};

/// How many heads are kept, of requests and of responses: a power of two.
const SLOTS: usize = 512;
/// Longer heads are not kept, in bytes: 1 MiB for all.
const LONGEST: usize = 1 << 10;

/// The heads that were read last.
#[derive(Debug, Default)]
pub struct Heads {
    /// Of requests and responses by turns; none before the first head.
    slots: Vec<Option<Box<Kept>>>,
    /// The place of the connection that is being read.
    place: usize,
}

/// A head and what was found in it.
#[derive(Debug, Default)]
struct Kept {
    raw: Vec<u8>,
    start: Line,
    index: SmallVec<[Field; 12]>,
    anomalies: Anomalies,
}

/// A [`Start`] without its bytes.
#[derive(Debug)]
enum Line {
    Request {
        /// One of those in use, which keeps no bytes.
        method: Bytes,
        target: Range<usize>,
        version: Version,
    },
    Response {
        status: u16,
        version: Version,
    },
}

impl Heads {
    /// What is read from now on comes from an end of this connection.
    pub fn of(&mut self, connection: &Connection) -> &mut Self {
        let ports = connection.local.port() ^ connection.peer.port();
        self.place = usize::from(ports) % SLOTS;
        self
    }

    /// As [`head::parse`].
    pub fn parse(&mut self, bytes: &Bytes) -> Parsed {
        if self.slots.is_empty() {
            self.slots.resize_with(2 * SLOTS, || None);
        }
        let slot = &mut self.slots[2 * self.place + usize::from(bytes.starts_with(b"HTTP/"))];
        if let Some(kept) = slot
            && bytes.starts_with(&kept.raw)
        {
            return Parsed::Whole(kept.head(bytes), kept.raw.len());
        }
        let parsed = head::parse(bytes);
        if let Parsed::Whole(head, size) = &parsed
            && *size <= LONGEST
            && let Some(start) = Line::of(&head.start, bytes)
        {
            let kept = slot.get_or_insert_default();
            kept.start = start;
            kept.raw.clear();
            kept.raw.extend_from_slice(&bytes[..*size]);
            kept.index.clear();
            kept.index.extend_from_slice(head.fields.index());
            kept.anomalies = head.anomalies;
        }
        parsed
    }
}

impl Kept {
    /// The same head in other bytes, which begin with it.
    fn head(&self, bytes: &Bytes) -> Head {
        let raw = bytes.slice(..self.raw.len());
        Head {
            start: match &self.start {
                Line::Request {
                    method,
                    target,
                    version,
                } => Start::Request {
                    method: method.clone(),
                    target: raw.slice(target.clone()),
                    version: *version,
                },
                Line::Response { status, version } => Start::Response {
                    status: *status,
                    version: *version,
                },
            },
            fields: Fields::new(raw, SmallVec::from_slice(&self.index)),
            anomalies: self.anomalies,
            whole: true,
        }
    }
}

impl Line {
    /// `None` where the method is none of those in use.
    fn of(start: &Start, bytes: &Bytes) -> Option<Self> {
        match start {
            Start::Request {
                method,
                target,
                version,
            } => {
                // An empty one would lie anywhere.
                let place = target.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
                let place = place..place + target.len();
                let known = head::is_usual(method) && bytes.get(place.clone())? == target;
                known.then(|| Self::Request {
                    method: method.clone(),
                    target: place,
                    version: *version,
                })
            }
            Start::Response { status, version } => Some(Self::Response {
                status: *status,
                version: *version,
            }),
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::Response {
            status: 0,
            version: Version::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const REQUEST: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: h\r\nAccept:  */* \r\n\r\n";
    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\nContent-Length: 4\n\n";

    /// What is found in `head` with `rest` behind it, by a table that has read
    /// `before` on the same connection.
    fn found(before: &[u8], head: &[u8], rest: &[u8]) -> (Parsed, Parsed) {
        let mut heads = Heads::default();
        heads.parse(&Bytes::copy_from_slice(before));
        let bytes = Bytes::from([head, rest].concat());
        (heads.parse(&bytes), head::parse(&bytes))
    }

    fn equal(parsed: (Parsed, Parsed)) -> bool {
        match parsed {
            (Parsed::Whole(head, size), Parsed::Whole(other, len)) => head == other && size == len,
            (Parsed::Partial, Parsed::Partial) | (Parsed::Refused, Parsed::Refused) => true,
            _ => false,
        }
    }

    #[test]
    fn a_head_that_comes_again_is_the_same() {
        for head in [REQUEST, RESPONSE] {
            for rest in [&b""[..], b"body", b"\r\n", head] {
                for before in [[head, rest].concat(), [head, b"other"].concat()] {
                    assert!(equal(found(&before, head, rest)), "{head:?}");
                }
            }
        }
    }

    #[test]
    fn any_other_head_is_read() {
        for head in [REQUEST, RESPONSE] {
            for at in 0..head.len() {
                let mut other = head.to_vec();
                other[at] ^= 1;
                assert!(equal(found(head, &other, b"")), "{at}");
                assert!(equal(found(&other, head, b"")), "{at}");
                assert!(equal(found(head, &head[..at], b"")), "{at}");
            }
        }
    }

    #[test]
    fn it_is_found_from_both_ends() {
        let end = |local: u16, peer: u16| Connection {
            local: SocketAddr::from(([127, 0, 0, 1], local)),
            peer: SocketAddr::from(([127, 0, 0, 1], peer)),
            sent_base: 0,
            received_base: 0,
            opener: None,
        };
        let mut heads = Heads::default();
        let client = heads.of(&end(40_000, 80)).place;
        assert_eq!(heads.of(&end(80, 40_000)).place, client);
        assert_ne!(heads.of(&end(40_001, 80)).place, client);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut heads = Heads::default();
        let long = [&b"GET / HTTP/1.1\r\nA: "[..], &[b'a'; LONGEST], b"\r\n\r\n"].concat();
        assert!(matches!(heads.parse(&long.into()), Parsed::Whole(..)));
        let odd = Bytes::from_static(b"BREW /pot HTTP/1.1\r\n\r\n");
        assert!(matches!(heads.parse(&odd), Parsed::Whole(..)));
        assert!(heads.slots.iter().all(Option::is_none));
    }
}
