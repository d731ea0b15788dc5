//! A TCP conversation as the two ends would have it, one segment at a time.

use std::net::SocketAddr;

use crate::wire::{CLIENT, SERVER, Segment};

/// Both ends of a connection, and what they have sent so far.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) ends: [SocketAddr; 2],
    next: [u32; 2],
    pub(crate) segments: Vec<Segment>,
}

/// The end that connects.
pub(crate) const C: usize = 0;
/// The end that accepts.
pub(crate) const S: usize = 1;

impl Conversation {
    /// Nothing sent yet; `isns`: of the client and the server.
    pub(crate) fn new(isns: [u32; 2]) -> Self {
        Self::between(CLIENT, SERVER, isns)
    }

    /// Nothing sent yet.
    pub(crate) fn between(client: &str, server: &str, isns: [u32; 2]) -> Self {
        let ends = [client.parse().unwrap(), server.parse().unwrap()];
        Self {
            ends,
            next: isns,
            segments: Vec::new(),
        }
    }

    /// The three-way handshake.
    pub(crate) fn handshake(mut self) -> Self {
        self.next[C] = self.next[C].wrapping_add(1);
        self.push(C, -1, false, "S", b"");
        self.next[S] = self.next[S].wrapping_add(1);
        self.push(S, -1, true, "S", b"");
        self.push(C, 0, true, "", b"");
        self
    }

    /// The handshake with data in its SYN (RFC 7413).
    pub(crate) fn fast_open(mut self, payload: &str) -> Self {
        self.push(C, 0, false, "S", payload.as_bytes());
        self.next[C] = self.next[C].wrapping_add(1 + payload.len() as u32);
        self.next[S] = self.next[S].wrapping_add(1);
        self.push(S, -1, true, "S", b"");
        self
    }

    /// `from` sends bytes.
    pub(crate) fn send(mut self, from: usize, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref();
        self.push(from, 0, true, "", payload);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32);
        self
    }

    /// `from` acknowledges what the other end sent.
    pub(crate) fn ack(self, from: usize) -> Self {
        self.send(from, b"")
    }

    /// `from` sends `payload`, `back` bytes before (or, if negative, after)
    /// the place it has come to; which does not change that place.
    pub(crate) fn again(mut self, from: usize, back: i32, payload: &[u8]) -> Self {
        self.push(from, -back, true, "", payload);
        self
    }

    /// `from` says that it has no more to send.
    pub(crate) fn fin(mut self, from: usize) -> Self {
        self.push(from, 0, true, "F", b"");
        self.next[from] = self.next[from].wrapping_add(1);
        self
    }

    /// `from` resets, `off` bytes after the place it has come to.
    pub(crate) fn rst(mut self, from: usize, off: i32) -> Self {
        self.push(from, off, true, "R", b"");
        self
    }

    /// Both ends close.
    pub(crate) fn close(self) -> Self {
        self.fin(C).fin(S).ack(C)
    }

    /// Without the segments at these places.
    pub(crate) fn without(mut self, places: &[usize]) -> Self {
        let mut place = 0;
        self.segments.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        self
    }

    /// With two segments swapped.
    pub(crate) fn swapped(mut self, a: usize, b: usize) -> Self {
        self.segments.swap(a, b);
        self
    }

    fn push(&mut self, from: usize, off: i32, ack: bool, flags: &'static str, payload: &[u8]) {
        self.segments.push(Segment {
            from: self.ends[from],
            to: self.ends[1 - from],
            sequence: self.next[from].wrapping_add_signed(off),
            ack: ack.then_some(self.next[1 - from]),
            flags,
            payload: payload.to_vec(),
        });
    }
}
