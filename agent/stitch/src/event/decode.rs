//! Bytes of one record of the kernel side in, what it tells out.
//!
//! Payloads stay where they are: they become slices of the buffer that the
//! record is in, so nothing is allocated for an event of bytes. A record that
//! does not hold together is an error for the reader to count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;
use wirespan_ebpf::record::{self, Lifecycle, Transfer};
use zerocopy::FromBytes;

use super::{
    Closed, Connection, Data, Direction, Event, Opened, Opener, Shortfall, SocketId, Source, Task,
};
use crate::time::Timestamp;

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Something the engine takes as it is.
    Event(Event),
    /// A process became another program; the agent adds what `/proc` knows.
    Executed(Executed),
    /// A process was forked.
    Forked(Forked),
}

/// A process became another program (`execve`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// When.
    pub time: Timestamp,
    /// Process id.
    pub pid: u32,
    /// Parent's process id.
    pub parent_pid: u32,
    /// When the process started, in ns after boot.
    pub start_time: u64,
    /// As given to `execve`: may be relative; cut off after 255 bytes.
    pub path: String,
    /// Command line; cut off after 512 bytes.
    pub arguments: Vec<String>,
}

/// A process was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// When.
    pub time: Timestamp,
    /// The new process.
    pub pid: u32,
    /// Parent's process id.
    pub parent_pid: u32,
    /// When the new process started, in ns after boot.
    pub start_time: u64,
}

/// Why a record tells nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// It ends before its own end.
    #[error("record of {0} bytes is cut off")]
    Short(usize),
    /// A field holds a value that the format does not know.
    #[error("record has {value} as its {field}")]
    Unknown {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u8,
    },
}

/// How many bytes of `record` mean something: the ring buffer hands out a few
/// sizes only.
pub fn significant_length(record: &[u8]) -> usize {
    match record.first() {
        Some(&record::DATA) => {
            Transfer::read_from_prefix(record).map_or(record.len(), |(head, _)| {
                record
                    .len()
                    .min(size_of::<Transfer>() + head.copied as usize)
            })
        }
        _ => record.len(),
    }
}

/// What `record` tells.
pub fn decode(record: &Bytes) -> Result<Decoded, DecodeError> {
    decode_in(record, 0..record.len())
}

/// What the record tells that lies at `place` of `chunk`.
pub fn decode_in(chunk: &Bytes, place: Range<usize>) -> Result<Decoded, DecodeError> {
    let start = place.start;
    let record = chunk.get(place).unwrap_or_default();
    let short = DecodeError::Short(record.len());
    match *record.first().ok_or(short)? {
        record::DATA => data(chunk, start, record).map(|data| Decoded::Event(Event::Data(data))),
        record::OPENED => opened(record).map(|opened| Decoded::Event(Event::Opened(opened))),
        record::CLOSED => closed(record).map(|closed| Decoded::Event(Event::Closed(closed))),
        record::EXECUTED => executed(record).map(Decoded::Executed),
        record::FORKED => forked(record).map(Decoded::Forked),
        record::EXITED => exited(record).map(Decoded::Event),
        value => Err(DecodeError::Unknown {
            field: "kind",
            value,
        }),
    }
}

fn head<T: FromBytes>(record: &[u8]) -> Result<T, DecodeError> {
    T::read_from_prefix(record)
        .map(|(head, _)| head)
        .map_err(|_| DecodeError::Short(record.len()))
}

fn data(chunk: &Bytes, at: usize, record: &[u8]) -> Result<Data, DecodeError> {
    let head: Transfer = head(record)?;
    let start = size_of::<Transfer>();
    let end = start + head.copied as usize;
    if end > record.len() {
        return Err(DecodeError::Short(record.len()));
    }
    Ok(Data {
        time: Timestamp(head.time),
        socket: SocketId(head.cookie),
        source: Source::Socket,
        direction: direction(head.direction)?,
        task: task(&head),
        connection: connection(&head)?,
        offset: head.offset,
        length: u64::from(head.length),
        payload: chunk.slice(at + start..at + end),
        shortfall: shortfall(head.shortfall)?,
    })
}

fn opened(record: &[u8]) -> Result<Opened, DecodeError> {
    let head: Transfer = head(record)?;
    Ok(Opened {
        time: Timestamp(head.time),
        socket: SocketId(head.cookie),
        task: task(&head),
        connection: connection(&head)?,
    })
}

fn closed(record: &[u8]) -> Result<Closed, DecodeError> {
    let closed: record::Closed = head(record)?;
    let totals = closed.flags & record::TOTALS != 0;
    Ok(Closed {
        time: Timestamp(closed.time),
        socket: SocketId(closed.cookie),
        reset: closed.flags & record::RESET != 0,
        sent: totals.then_some(closed.sent),
        received: totals.then_some(closed.received),
    })
}

fn executed(record: &[u8]) -> Result<Executed, DecodeError> {
    let executed: record::Executed = head(record)?;
    let short = DecodeError::Short(record.len());
    let path = executed
        .path
        .get(..usize::from(executed.path_length))
        .ok_or(short)?;
    let arguments = executed
        .arguments
        .get(..usize::from(executed.arguments_length))
        .ok_or(short)?;
    Ok(Executed {
        time: Timestamp(executed.time),
        pid: executed.pid,
        parent_pid: executed.parent_pid,
        start_time: executed.start_time,
        path: String::from_utf8_lossy(path).into_owned(),
        arguments: split(arguments),
    })
}

fn forked(record: &[u8]) -> Result<Forked, DecodeError> {
    let forked: Lifecycle = head(record)?;
    Ok(Forked {
        time: Timestamp(forked.time),
        pid: forked.pid,
        parent_pid: forked.parent_pid,
        start_time: forked.start_time,
    })
}

fn exited(record: &[u8]) -> Result<Event, DecodeError> {
    let exited: Lifecycle = head(record)?;
    Ok(Event::Exited {
        time: Timestamp(exited.time),
        pid: exited.pid,
    })
}

fn task(head: &Transfer) -> Task {
    Task {
        pid: head.pid,
        tid: head.tid,
        coroutine: head.coroutine,
        coroutine_parent: head.coroutine_parent,
    }
}

fn connection(head: &Transfer) -> Result<Connection, DecodeError> {
    Ok(Connection {
        local: SocketAddr::new(address(head.family, head.local)?, head.local_port),
        peer: SocketAddr::new(address(head.family, head.peer)?, head.peer_port),
        sent_base: head.sent_base,
        received_base: head.received_base,
        opener: match head.opener {
            record::OPENER_UNKNOWN => None,
            record::OPENER_LOCAL => Some(Opener::Local),
            record::OPENER_PEER => Some(Opener::Peer),
            value => {
                return Err(DecodeError::Unknown {
                    field: "opener",
                    value,
                });
            }
        },
    })
}

/// An IPv4 address that a socket for IPv6 talks to is an IPv4 address.
fn address(family: u8, words: [u32; 4]) -> Result<IpAddr, DecodeError> {
    let mut bytes = [0; 16];
    for (target, word) in bytes.chunks_exact_mut(4).zip(words) {
        target.copy_from_slice(&word.to_ne_bytes());
    }
    let [a, b, c, d, ..] = bytes;
    match family {
        record::IPV4 => Ok(Ipv4Addr::new(a, b, c, d).into()),
        record::IPV6 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        value => Err(DecodeError::Unknown {
            field: "address family",
            value,
        }),
    }
}

fn direction(value: u8) -> Result<Direction, DecodeError> {
    match value {
        record::SEND => Ok(Direction::Send),
        record::RECEIVE => Ok(Direction::Receive),
        value => Err(DecodeError::Unknown {
            field: "direction",
            value,
        }),
    }
}

fn shortfall(value: u8) -> Result<Shortfall, DecodeError> {
    match value {
        record::SHORTFALL_NONE => Ok(Shortfall::None),
        record::SHORTFALL_LIMIT => Ok(Shortfall::Limit),
        record::SHORTFALL_UNWANTED => Ok(Shortfall::Unwanted),
        record::SHORTFALL_UNREACHABLE => Ok(Shortfall::Unreachable),
        record::SHORTFALL_FAULT => Ok(Shortfall::Fault),
        value => Err(DecodeError::Unknown {
            field: "shortfall",
            value,
        }),
    }
}

/// The arguments, each of which ends with a NUL but perhaps the last.
fn split(arguments: &[u8]) -> Vec<String> {
    let arguments = arguments.strip_suffix(&[0]).unwrap_or(arguments);
    if arguments.is_empty() {
        return Vec::new();
    }
    arguments
        .split(|&byte| byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    fn transfer(payload: &[u8]) -> Vec<u8> {
        let mut head = Transfer::new_zeroed();
        head.kind = record::DATA;
        head.family = record::IPV4;
        head.direction = record::RECEIVE;
        head.copied = payload.len() as u32;
        head.length = head.copied + 7;
        head.shortfall = record::SHORTFALL_LIMIT;
        head.local = [u32::from_ne_bytes([127, 0, 0, 1]), 0, 0, 0];
        head.local_port = 80;
        head.offset = 1 << 40;
        [head.as_bytes(), payload].concat()
    }

    fn event(bytes: Vec<u8>) -> Data {
        match decode(&bytes.into()) {
            Ok(Decoded::Event(Event::Data(data))) => data,
            other => panic!("not bytes: {other:?}"),
        }
    }

    #[test]
    fn payload_is_a_slice_of_the_record() {
        let bytes = Bytes::from(transfer(b"GET / HTTP/1.1\r\n"));
        let Ok(Decoded::Event(Event::Data(data))) = decode(&bytes) else {
            panic!("not bytes");
        };
        assert_eq!(data.payload, b"GET / HTTP/1.1\r\n"[..]);
        assert_eq!(
            data.payload.as_ptr(),
            bytes[size_of::<Transfer>()..].as_ptr()
        );
        assert_eq!((data.offset, data.length), (1 << 40, 23));
        assert_eq!(data.connection.local, "127.0.0.1:80".parse().unwrap());
        assert_eq!(data.direction, Direction::Receive);
        assert_eq!(data.shortfall, Shortfall::Limit);
    }

    #[test]
    fn unused_room_is_not_significant() {
        let mut bytes = transfer(b"abc");
        let significant = bytes.len();
        bytes.resize(significant + 500, 0xff);
        assert_eq!(significant_length(&bytes), significant);
        assert_eq!(event(bytes).payload, b"abc"[..]);
    }

    #[test]
    fn mapped_addresses_become_ipv4() {
        let mut bytes = transfer(b"");
        let mut head = Transfer::read_from_bytes(&bytes).unwrap();
        head.family = record::IPV6;
        head.peer = [
            0,
            0,
            u32::from_ne_bytes([0, 0, 255, 255]),
            u32::from_ne_bytes([10, 0, 0, 9]),
        ];
        bytes = head.as_bytes().to_vec();
        let connection = event(bytes).connection;
        assert_eq!(connection.peer.ip(), IpAddr::from([10, 0, 0, 9]));
        assert!(connection.local.is_ipv6());
    }

    #[test]
    fn arguments_are_split_at_nul() {
        assert_eq!(split(b"python3\0app.py\0"), ["python3", "app.py"]);
        assert_eq!(split(b"a\0\0cut"), ["a", "", "cut"]);
        assert!(split(b"").is_empty());
    }

    #[test]
    fn a_record_that_ends_too_soon_is_an_error() {
        let whole = transfer(b"abc");
        for length in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..length]);
            assert_eq!(decode(&cut), Err(DecodeError::Short(length)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
            let _ = significant_length(&bytes);
            let _ = decode(&bytes.into());
        }

        #[test]
        fn any_record_of_a_known_kind_is_decoded_or_refused(
            kind in 1..=6_u8,
            mut bytes in proptest::collection::vec(any::<u8>(), 1..900),
        ) {
            bytes[0] = kind;
            let _ = decode(&bytes.into());
        }
    }
}
