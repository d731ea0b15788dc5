//! The capture on this very kernel: real sockets, every I/O call, every byte.
//!
//! Needs root. Each test traces one port of its own, so they may run together.
#![expect(unsafe_code, reason = "the calls under test are those of libc")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod connections;
mod limits;
mod live;
mod payload;

const HEAD: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\ntraceparent: 00-1-2-01\r\n\r\n";
