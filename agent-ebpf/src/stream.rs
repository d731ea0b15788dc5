//! One call that moved bytes through a TCP socket: whether to tell of it, at
//! which offset, and how many of its bytes to copy.

use wirespan_ebpf::record::{self, IPV4, IPV6, PAYLOAD_MAX, Transfer};
use wirespan_ebpf::verdict;

use crate::admission::{self, Admission};
use crate::caller::{self, Buffer};
use crate::fields::{self, Structure, config, load};
use crate::goroutine::{self, Goroutine};
use crate::maps::VERDICTS;
use crate::socket::Socket;
use crate::{payload, ring};

/// Tells of `length` bytes that went through `sk` just now, in this thread's call.
#[inline(always)]
pub(crate) fn moved(sk: Structure, length: u32, direction: u8, reachable: bool) {
    let family = load!(sk, family: u16);
    if family != u16::from(IPV4) && family != u16::from(IPV6) {
        return;
    }
    let Some(tcp) = sk.tcp() else { return };
    let Some(socket) = Socket::remembered(sk) else {
        return;
    };
    socket.settle(sk, tcp);
    if socket.traced == 0 {
        return;
    }
    let Some(task) = Structure::current_task() else {
        return;
    };
    let pid = load!(task, tgid: u32);
    let admission = admission::process(pid);
    if admission == Admission::Denied {
        return;
    }
    if socket.turn != direction {
        socket.turn = direction;
        socket.copied = 0;
    }
    let end = match direction {
        record::SEND => socket.written(tcp),
        _ => socket.read(sk, tcp),
    };
    let start = end.wrapping_sub(u64::from(length));
    let unwanted = unwanted(socket.cookie, direction);
    if end < unwanted {
        return;
    }
    socket.told = 1;
    let call = Call {
        sk,
        family,
        socket,
        direction,
        task,
        pid,
        goroutine: goroutine::current(task, pid),
        flags: flags(admission),
        offset: start,
        length,
    };
    tell(call, unwanted, reachable);
}

/// [`Transfer::flags`] of a process.
#[inline(always)]
pub(crate) fn flags(admission: Admission) -> u8 {
    if admission == Admission::Undecided {
        record::UNDECIDED
    } else {
        0
    }
}

/// A call that moved bytes.
pub(crate) struct Call<'a> {
    sk: Structure,
    family: u16,
    socket: &'a mut Socket,
    direction: u8,
    /// Who made it.
    task: Structure,
    pid: u32,
    goroutine: Goroutine,
    flags: u8,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Call<'_> {
    /// What is told of it, `copied` bytes of payload aside. To be called once the
    /// record has its place: this takes the time.
    #[inline(always)]
    pub(crate) fn describe(&self, copied: u32, shortfall: u8) -> Transfer {
        Transfer {
            kind: record::DATA,
            direction: self.direction,
            shortfall,
            copied,
            offset: self.offset,
            length: self.length,
            pid: self.pid,
            tid: load!(self.task, pid: u32),
            coroutine: self.goroutine.id,
            coroutine_parent: self.goroutine.parent,
            flags: self.flags,
            ..describe(self.sk, self.family, self.socket)
        }
    }
}

/// What every [`Transfer`] says of the socket, and the time.
#[inline(always)]
pub(crate) fn describe(sk: Structure, family: u16, socket: &Socket) -> Transfer {
    let time = ring::time();
    let zero = fields::zero();
    let (local, peer) = if family == u16::from(IPV4) {
        (
            [load!(sk, local_v4: u32), zero, zero, zero],
            [load!(sk, peer_v4: u32), zero, zero, zero],
        )
    } else {
        (
            address_v6(sk, config!(offsets.local_v6)),
            address_v6(sk, config!(offsets.peer_v6)),
        )
    };
    Transfer {
        kind: 0,
        direction: 0,
        family: family as u8,
        shortfall: 0,
        copied: 0,
        time,
        cookie: socket.cookie,
        offset: 0,
        length: 0,
        pid: 0,
        tid: 0,
        sent_base: socket.sent_base,
        received_base: socket.received_base,
        local_port: load!(sk, local_port: u16),
        peer_port: u16::from_be(load!(sk, peer_port: u16)),
        opener: socket.opener,
        flags: 0,
        reserved: [0; 6],
        local,
        peer,
        coroutine: u64::from(zero),
        coroutine_parent: u64::from(zero),
    }
}

/// Sends the bytes from the first wanted one on, and the length of those before.
#[inline(always)]
fn tell(mut call: Call<'_>, unwanted: u64, reachable: bool) {
    let mut skipped = 0;
    if call.offset < unwanted {
        skipped = unwanted.wrapping_sub(call.offset) as u32;
        let rest = call.length.wrapping_sub(skipped);
        call.length = skipped;
        payload::bare(&call, record::SHORTFALL_UNWANTED);
        if rest == 0 {
            return;
        }
        call.offset = unwanted;
        call.length = rest;
    }
    let wanted = allowance(call.socket, call.length);
    let buffer = if wanted == 0 || !reachable {
        Buffer::Unreachable
    } else {
        caller::buffer(call.task, skipped, wanted)
    };
    call.socket.copied = call.socket.copied.wrapping_add(wanted);
    payload::send(&call, buffer, wanted);
}

/// How many bytes of a call of `length` may be copied.
#[inline(always)]
fn allowance(socket: &Socket, length: u32) -> u32 {
    let left = config!(turn_limit).saturating_sub(socket.copied);
    let allowed = config!(call_limit).min(left).max(config!(beyond_limit));
    length.min(allowed).min(PAYLOAD_MAX as u32)
}

/// Bytes of this socket and direction below this offset are not wanted.
#[inline(always)]
fn unwanted(cookie: u64, direction: u8) -> u64 {
    let Some(slot) = VERDICTS.get_ptr(verdict::index(cookie, direction)) else {
        return 0;
    };
    let offset = unsafe { (&raw const (*slot).offset).read_volatile() };
    let check = unsafe { (&raw const (*slot).check).read_volatile() };
    if check == verdict::check(cookie, offset) {
        offset
    } else {
        0
    }
}

/// `struct in6_addr`: the verifier wants loads no wider than its `__be32`.
#[inline(always)]
fn address_v6(sk: Structure, offset: u32) -> [u32; 4] {
    unsafe {
        [
            sk.load(offset),
            sk.load(offset + 4),
            sk.load(offset + 8),
            sk.load(offset + 12),
        ]
    }
}
