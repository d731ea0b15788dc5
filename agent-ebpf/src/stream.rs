//! One call that moved bytes through a TCP socket: whether to tell of it, at
//! which offset, and how many of its bytes to copy.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use wirespan_ebpf::record::{self, IPV4, IPV6, PAYLOAD_MAX, Transfer};
use wirespan_ebpf::verdict;

use crate::admission::{self, Admission};
use crate::caller::{self, Buffer};
use crate::fields::{Structure, config, load};
use crate::maps::VERDICTS;
use crate::payload;
use crate::socket::Socket;

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
    let caller = unsafe { bpf_get_current_pid_tgid() };
    let admission = admission::process((caller >> 32) as u32);
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
    let mut head = describe(sk, family, socket);
    head.kind = record::DATA;
    head.direction = direction;
    head.pid = (caller >> 32) as u32;
    head.tid = caller as u32;
    head.flags = if admission == Admission::Undecided {
        record::UNDECIDED
    } else {
        0
    };
    head.offset = start;
    head.length = length;
    socket.told = 1;
    tell(&mut head, socket, start, unwanted, reachable);
}

/// What every [`Transfer`] says of the socket.
#[inline(always)]
pub(crate) fn describe(sk: Structure, family: u16, socket: &Socket) -> Transfer {
    let (local, peer) = if family == u16::from(IPV4) {
        (
            [load!(sk, local_v4: u32), 0, 0, 0],
            [load!(sk, peer_v4: u32), 0, 0, 0],
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
        time: 0,
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
        coroutine: 0,
        coroutine_parent: 0,
    }
}

/// Sends the bytes from the first wanted one on, and the length of those before.
#[inline(always)]
fn tell(head: &mut Transfer, socket: &mut Socket, start: u64, unwanted: u64, reachable: bool) {
    let mut skipped = 0;
    if start < unwanted {
        skipped = unwanted.wrapping_sub(start) as u32;
        let rest = head.length.wrapping_sub(skipped);
        head.length = skipped;
        payload::bare(head, record::SHORTFALL_UNWANTED);
        if rest == 0 {
            return;
        }
        head.offset = unwanted;
        head.length = rest;
    }
    let wanted = allowance(socket, head.length);
    let buffer = if wanted == 0 || !reachable {
        Buffer::Unreachable
    } else {
        past(caller::buffer(wanted.wrapping_add(skipped)), skipped)
    };
    socket.copied = socket.copied.wrapping_add(wanted);
    payload::send(head, buffer, wanted);
}

/// How many bytes of a call of `length` may be copied.
#[inline(always)]
fn allowance(socket: &Socket, length: u32) -> u32 {
    let left = config!(turn_limit).saturating_sub(socket.copied);
    let allowed = config!(call_limit).min(left).max(config!(beyond_limit));
    length.min(allowed).min(PAYLOAD_MAX as u32)
}

/// The buffer without its first `skipped` bytes. A vector that begins with
/// unwanted bytes is not walked: that happens to pipelined bodies only.
#[inline(always)]
fn past(buffer: Buffer, skipped: u32) -> Buffer {
    match buffer {
        Buffer::At(address) => Buffer::At(address.wrapping_add(u64::from(skipped))),
        Buffer::Vector { .. } if skipped != 0 => Buffer::Unreachable,
        other => other,
    }
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
