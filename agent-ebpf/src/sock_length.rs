//! `sock_send_length` and `sock_recv_length`: bytes went through a socket.
//!
//! ```c
//! TP_PROTO(struct sock *sk, int ret, int flags)  /* include/trace/events/sock.h */
//! ```
//!
//! Since Linux 6.3. Called by `sock_sendmsg` and `sock_recvmsg` at their end, in
//! the context of the caller, for whatever call led there (`sendfile` and
//! `splice` into a socket since 6.5). `ret` is the result: a count of bytes, 0
//! at the end of the stream, or an error. `flags` are those of the call;
//! always 0 for sending.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use wirespan_ebpf::record::{RECEIVE, SEND};

use crate::fields::Structure;
use crate::{admission, stream};

/// `MSG_OOB | MSG_PEEK | MSG_ERRQUEUE` (`include/linux/socket.h`): what such a
/// call reads is not taken from the stream.
const NOT_THE_STREAM: i32 = 0x1 | 0x2 | 0x2000;
/// `MSG_TRUNC`: bytes of the stream are thrown away, the buffer is not written.
const THROWN_AWAY: i32 = 0x20;

#[btf_tracepoint(function = "sock_send_length")]
pub(crate) fn sock_send_length(context: BtfTracePointContext) -> i32 {
    let length: i32 = context.arg(1);
    if length > 0 && admission::active() {
        if let Some(sk) = Structure::new(context.arg(0)) {
            stream::moved(sk, length as u32, SEND, true);
        }
    }
    0
}

#[btf_tracepoint(function = "sock_recv_length")]
pub(crate) fn sock_recv_length(context: BtfTracePointContext) -> i32 {
    let length: i32 = context.arg(1);
    let flags: i32 = context.arg(2);
    if length > 0 && flags & NOT_THE_STREAM == 0 && admission::active() {
        if let Some(sk) = Structure::new(context.arg(0)) {
            stream::moved(sk, length as u32, RECEIVE, flags & THROWN_AWAY == 0);
        }
    }
    0
}
