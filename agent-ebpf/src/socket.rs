//! What is remembered of a socket. It lives in the kernel's socket storage: no
//! hash, no capacity of ours, gone with the socket.

use core::ffi::c_void;
use core::ptr::null_mut;

use aya_ebpf::bindings::BPF_SK_STORAGE_GET_F_CREATE;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sk_storage_get};
use wirespan_ebpf::loss;

use crate::fields::{Structure, load};
use crate::maps::SOCKETS;
use crate::{admission, ring};

/// `SOCK_DONE` in `sk_flags`: the peer's FIN arrived (`include/net/sock.h`).
const SOCK_DONE: u64 = 1 << 1;

/// With what the kernel adds, 56 bytes fill 128 of its memory, and more would 192.
#[repr(C)]
pub(crate) struct Socket {
    pub(crate) cookie: u64,
    /// Goroutine that called `connect`, and the one that created it.
    pub(crate) connect_coroutine: u64,
    pub(crate) connect_coroutine_parent: u64,
    /// Low half of the offset after the last byte sent, once nothing more can be.
    sent: u32,
    pub(crate) sent_base: u32,
    pub(crate) received_base: u32,
    /// Bytes copied in this turn.
    pub(crate) copied: u32,
    /// Who called `connect`; 0: nobody.
    pub(crate) connect_pid: u32,
    pub(crate) connect_tid: u32,
    /// Direction of the turn.
    pub(crate) turn: u8,
    pub(crate) opener: u8,
    /// Whether `cookie`, the bases and `traced` are set.
    pub(crate) settled: u8,
    /// Whether its ports are traced.
    pub(crate) traced: u8,
    /// Whether a record of it was sent.
    pub(crate) told: u8,
    /// Whether it ended by RST or another error.
    pub(crate) reset: u8,
    /// Whether `sent` is set.
    pub(crate) sent_known: u8,
    reserved: u8,
}

const _: () = assert!(size_of::<Socket>() == 56);

impl Socket {
    /// What is remembered of a `struct sock`, if anything is.
    #[inline(always)]
    pub(crate) fn known<'a>(sk: Structure) -> Option<&'a mut Self> {
        unsafe { storage(sk, 0).as_mut() }
    }

    /// The same, from now on remembered. The loss is counted if it cannot be.
    #[inline(always)]
    pub(crate) fn remembered<'a>(sk: Structure) -> Option<&'a mut Self> {
        let socket = unsafe { storage(sk, u64::from(BPF_SK_STORAGE_GET_F_CREATE)).as_mut() };
        if socket.is_none() {
            ring::count(loss::MAP_FULL, 1);
        }
        socket
    }

    /// Finds out, once, what stays the same for the life of a connection.
    ///
    /// The kernel steps `bytes_received` and `rcv_nxt` one after the other, and
    /// may do so on another processor just now: the difference is taken as soon
    /// as it comes out the same twice, with a helper call between.
    #[inline(always)]
    pub(crate) fn settle(&mut self, sk: Structure, tcp: Structure) {
        if self.settled == 0 {
            self.find_out(sk, tcp);
        }
    }

    /// Apart, for it is seldom called.
    #[inline(never)]
    fn find_out(&mut self, sk: Structure, tcp: Structure) {
        let before = Bases::read(tcp);
        self.cookie = unsafe { bpf_get_socket_cookie(sk.pointer()) };
        let after = Bases::read(tcp);
        self.traced = u8::from(admission::ports(sk));
        // Where they differ, the second is right but for a second coincidence.
        self.sent_base = after.sent;
        self.received_base = after.received;
        if before.sent == after.sent && before.received == after.received {
            self.settled = 1;
        }
    }

    /// Offset of the sequence number after the last byte that the process wrote.
    #[inline(always)]
    pub(crate) fn written(&self, tcp: Structure) -> u64 {
        let near = load!(tcp, bytes_acked: u64);
        extend(
            load!(tcp, write_seq: u32).wrapping_sub(self.sent_base),
            near,
        )
    }

    /// Nothing more will be sent than was written so far.
    #[inline(always)]
    pub(crate) fn end_sending(&mut self, tcp: Structure) {
        self.sent = self.written(tcp) as u32;
        self.sent_known = 1;
    }

    /// Offset after the last byte sent, once [`Self::end_sending`] was called.
    #[inline(always)]
    pub(crate) fn sent(&self, tcp: Structure) -> u64 {
        extend(self.sent, load!(tcp, bytes_acked: u64))
    }

    /// Offset after the last byte that the process read. A read that meets the
    /// peer's FIN steps over its sequence number, too, which is not a byte.
    #[inline(always)]
    pub(crate) fn read(&self, sk: Structure, tcp: Structure) -> u64 {
        let near = load!(tcp, bytes_received: u64);
        let copied = load!(tcp, copied_seq: u32);
        let end = extend(copied.wrapping_sub(self.received_base), near);
        if load!(sk, socket_flags: u64) & SOCK_DONE != 0 && copied == load!(tcp, rcv_nxt: u32) {
            end.wrapping_sub(1)
        } else {
            end
        }
    }

    /// Offset after the last byte that arrived.
    #[inline(always)]
    pub(crate) fn arrived(&self, sk: Structure, tcp: Structure) -> u64 {
        let near = load!(tcp, bytes_received: u64);
        let end = extend(
            load!(tcp, rcv_nxt: u32).wrapping_sub(self.received_base),
            near,
        );
        let done = load!(sk, socket_flags: u64) & SOCK_DONE != 0;
        end.wrapping_sub(u64::from(done))
    }
}

/// The 64-bit offset that ends in `low` and is nearest to `near`.
#[inline(always)]
fn extend(low: u32, near: u64) -> u64 {
    let distance = low.wrapping_sub(near as u32) as i32;
    near.wrapping_add(distance as i64 as u64)
}

struct Bases {
    sent: u32,
    received: u32,
}

impl Bases {
    #[inline(always)]
    fn read(tcp: Structure) -> Self {
        let acked = load!(tcp, bytes_acked: u64) as u32;
        let received = load!(tcp, bytes_received: u64) as u32;
        Self {
            sent: load!(tcp, snd_una: u32).wrapping_sub(acked),
            received: load!(tcp, rcv_nxt: u32).wrapping_sub(received),
        }
    }
}

/// Helper since Linux 5.2, in tracing programs since 5.11.
#[inline(always)]
unsafe fn storage(sk: Structure, flags: u64) -> *mut Socket {
    let map = (&raw const SOCKETS).cast_mut().cast::<c_void>();
    unsafe { bpf_sk_storage_get(map, sk.pointer(), null_mut(), flags) }.cast()
}
