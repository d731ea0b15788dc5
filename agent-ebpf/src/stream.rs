//! One call that moved bytes through a TCP socket: whether to tell of it, at
//! which offset, and how many of its bytes to copy.

use wirespan_ebpf::record::{self, IPV4, IPV6, PAYLOAD_MAX, Transfer};
use wirespan_ebpf::verdict;

use crate::admission::{self, Admission};
use crate::fields::{Structure, config, load};
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
    let unwanted = unwanted(socket.cookie, direction);
    if end < unwanted {
        return;
    }
    socket.told = 1;
    let mut call = Call {
        sk,
        family,
        socket,
        direction,
        task,
        pid,
        goroutine: goroutine::current(task, pid),
        flags: flags(admission),
        offset: end.wrapping_sub(u64::from(length)),
        length,
    };
    let skipped = call.skip(unwanted);
    if skipped != length {
        let wanted = call.allow();
        payload::send(&call, skipped, wanted, reachable);
    }
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
    pub(crate) task: Structure,
    pid: u32,
    goroutine: Goroutine,
    flags: u8,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Call<'_> {
    /// Says in `record` what is told of it, but for the payload. To be called once
    /// the record has its place: this takes the time.
    #[inline(always)]
    pub(crate) fn describe(&self, record: *mut Transfer) {
        describe(record, self.sk, self.family, self.socket);
        let record = unsafe { &mut *record };
        record.kind = record::DATA;
        record.direction = self.direction;
        record.flags = self.flags;
        record.offset = self.offset;
        record.length = self.length;
        record.pid = self.pid;
        record.tid = load!(self.task, pid: u32);
        record.coroutine = self.goroutine.id;
        record.coroutine_parent = self.goroutine.parent;
    }

    /// Tells only the length of the bytes below offset `unwanted`, and leaves the
    /// others; says how many were below.
    #[inline(always)]
    fn skip(&mut self, unwanted: u64) -> u32 {
        if self.offset >= unwanted {
            return 0;
        }
        let skipped = unwanted.wrapping_sub(self.offset) as u32;
        let rest = self.length.wrapping_sub(skipped);
        self.length = skipped;
        payload::bare(self, record::SHORTFALL_UNWANTED);
        self.offset = unwanted;
        self.length = rest;
        skipped
    }

    /// How many of its bytes may be copied; they count for this turn.
    #[inline(always)]
    fn allow(&mut self) -> u32 {
        let left = config!(turn_limit).saturating_sub(self.socket.copied);
        let allowed = config!(call_limit).min(left).max(config!(beyond_limit));
        let wanted = self.length.min(allowed).min(PAYLOAD_MAX as u32);
        self.socket.copied = self.socket.copied.wrapping_add(wanted);
        wanted
    }
}

/// Says in `record` what every [`Transfer`] says of the socket, and the time.
/// Nothing is built elsewhere and then copied, and nothing filled with zeros: that
/// would cost more than all of this.
#[inline(always)]
pub(crate) fn describe(record: *mut Transfer, sk: Structure, family: u16, socket: &Socket) {
    let record = unsafe { &mut *record };
    record.time = ring::time();
    record.family = family as u8;
    record.shortfall = record::SHORTFALL_NONE;
    record.copied = 0;
    record.cookie = socket.cookie;
    record.sent_base = socket.sent_base;
    record.received_base = socket.received_base;
    record.local_port = load!(sk, local_port: u16);
    record.peer_port = u16::from_be(load!(sk, peer_port: u16));
    record.opener = socket.opener;
    record.reserved = 0;
    record.reserved_end = 0;
    if family == u16::from(IPV4) {
        record.local[0] = load!(sk, local_v4: u32);
        record.peer[0] = load!(sk, peer_v4: u32);
    } else {
        record.local = address_v6(sk, config!(offsets.local_v6));
        record.peer = address_v6(sk, config!(offsets.peer_v6));
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
