//! `inet_sock_set_state` and `tcp_destroy_sock`: a connection opens, stops
//! sending, breaks, and ends.
//!
//! ```c
//! TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)  /* sock.h, 4.16 */
//! TP_PROTO(struct sock *sk)                                                /* tcp.h, 4.15 */
//! ```
//!
//! The state of `sk` is still the old one. `CLOSE` is not the end: a process may
//! read what had arrived before. `tcp_destroy_sock` is: by then no process holds
//! the socket.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use wirespan_ebpf::record::{self, Closed, IPV4, IPV6, OPENER_LOCAL, OPENER_PEER, Transfer};

use crate::admission::{self, Admission};
use crate::fields::{Structure, load};
use crate::socket::Socket;
use crate::{goroutine, ring, stream};

// include/net/tcp_states.h
const ESTABLISHED: i32 = 1;
const SYN_SENT: i32 = 2;
const SYN_RECV: i32 = 3;
const FIN_WAIT1: i32 = 4;
const CLOSE: i32 = 7;
const CLOSE_WAIT: i32 = 8;
const LAST_ACK: i32 = 9;

#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    let (old, new): (i32, i32) = (context.arg(1), context.arg(2));
    if !admission::active() {
        return 0;
    }
    let Some(sk) = Structure::new(context.arg(0)) else {
        return 0;
    };
    let family = load!(sk, family: u16);
    if family != u16::from(IPV4) && family != u16::from(IPV6) {
        return 0;
    }
    let Some(tcp) = sk.tcp() else { return 0 };
    match new {
        SYN_SENT => connecting(sk),
        ESTABLISHED if old == SYN_SENT || old == SYN_RECV => established(sk, tcp, family, old),
        FIN_WAIT1 | LAST_ACK | CLOSE => finishing(sk, tcp, old, new),
        _ => {}
    }
    0
}

#[btf_tracepoint(function = "tcp_destroy_sock")]
pub(crate) fn tcp_destroy_sock(context: BtfTracePointContext) -> i32 {
    let Some(sk) = Structure::new(context.arg(0)) else {
        return 0;
    };
    let Some(socket) = Socket::known(sk) else {
        return 0;
    };
    let Some(tcp) = sk.tcp() else { return 0 };
    if socket.told == 0 {
        return 0;
    }
    let reset = if socket.reset != 0 { record::RESET } else { 0 };
    let totals = if socket.sent_known != 0 {
        record::TOTALS
    } else {
        0
    };
    if let Some(record) = ring::reserve::<Closed>(0) {
        let closed = Closed {
            kind: record::CLOSED,
            flags: reset | totals,
            reserved: [0; 6],
            time: ring::time(),
            cookie: socket.cookie,
            sent: socket.sent(tcp),
            received: socket.arrived(sk, tcp),
        };
        unsafe { record.write(closed) };
        ring::submit(record);
    }
    0
}

/// The caller of `connect` is still the current task, here and not later.
#[inline(always)]
fn connecting(sk: Structure) {
    if let Some(socket) = Socket::remembered(sk) {
        let Some(task) = Structure::current_task() else {
            return;
        };
        socket.connect_pid = load!(task, tgid: u32);
        socket.connect_tid = load!(task, pid: u32);
        let goroutine = goroutine::current(task, socket.connect_pid);
        socket.connect_coroutine = goroutine.id;
        socket.connect_coroutine_parent = goroutine.parent;
    }
}

/// The socket is locked, so the bases are read in peace.
#[inline(always)]
fn established(sk: Structure, tcp: Structure, family: u16, old: i32) {
    let Some(socket) = Socket::remembered(sk) else {
        return;
    };
    socket.settle(sk, tcp);
    if old == SYN_RECV {
        socket.opener = OPENER_PEER;
        return;
    }
    socket.opener = OPENER_LOCAL;
    let admission = admission::process(socket.connect_pid);
    if socket.traced == 0 || admission == Admission::Denied {
        return;
    }
    socket.told = 1;
    if let Some(record) = ring::reserve::<Transfer>(0) {
        stream::describe(record, sk, family, socket);
        let opened = unsafe { &mut *record };
        opened.kind = record::OPENED;
        opened.direction = record::SEND;
        opened.offset = 0;
        opened.length = 0;
        opened.pid = socket.connect_pid;
        opened.tid = socket.connect_tid;
        opened.coroutine = socket.connect_coroutine;
        opened.coroutine_parent = socket.connect_coroutine_parent;
        opened.flags = stream::flags(admission);
        ring::submit(record);
    }
}

/// Nothing is sent after a FIN, and it is not yet part of `write_seq` here.
#[inline(always)]
fn finishing(sk: Structure, tcp: Structure, old: i32, new: i32) {
    let Some(socket) = Socket::known(sk) else {
        return;
    };
    if socket.settled != 0 && socket.sent_known == 0 {
        socket.end_sending(tcp);
    }
    let abrupt = old == ESTABLISHED || old == CLOSE_WAIT || old == SYN_RECV;
    if new == CLOSE && (abrupt || load!(sk, error: i32) != 0) {
        socket.reset = 1;
    }
}
