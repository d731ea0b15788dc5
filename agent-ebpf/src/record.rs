//! The records in the ring buffer. Native byte order, 8-byte aligned; the first
//! byte tells the kind. A record may be followed by unused bytes: the ring
//! hands out a few sizes only (see [`PAYLOAD_CLASSES`]).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Kind of a [`Transfer`] that tells of bytes.
pub const DATA: u8 = 1;
/// Kind of a [`Transfer`] that tells of a connection which its owner opened.
pub const OPENED: u8 = 2;
/// Kind of [`Closed`].
pub const CLOSED: u8 = 3;
/// Kind of [`Executed`].
pub const EXECUTED: u8 = 4;
/// Kind of a [`Lifecycle`]: a process was forked.
pub const FORKED: u8 = 5;
/// Kind of a [`Lifecycle`]: a process ended.
pub const EXITED: u8 = 6;

/// [`Transfer::direction`]: the owner wrote the bytes.
pub const SEND: u8 = 0;
/// [`Transfer::direction`]: the owner read the bytes.
pub const RECEIVE: u8 = 1;

/// [`Transfer::opener`]: not seen.
pub const OPENER_UNKNOWN: u8 = 0;
/// [`Transfer::opener`]: the owner.
pub const OPENER_LOCAL: u8 = 1;
/// [`Transfer::opener`]: the other end.
pub const OPENER_PEER: u8 = 2;

/// [`Transfer::shortfall`]: every byte was copied.
pub const SHORTFALL_NONE: u8 = 0;
/// [`Transfer::shortfall`]: a limit of the configuration.
pub const SHORTFALL_LIMIT: u8 = 1;
/// [`Transfer::shortfall`]: a verdict asked for none.
pub const SHORTFALL_UNWANTED: u8 = 2;
/// [`Transfer::shortfall`]: no user buffer to read.
pub const SHORTFALL_UNREACHABLE: u8 = 3;
/// [`Transfer::shortfall`]: the user buffer was not in memory.
pub const SHORTFALL_FAULT: u8 = 4;

/// [`Transfer::flags`]: whether the process is to be traced is for user space to
/// say; see [`crate::process`].
pub const UNDECIDED: u8 = 1;

/// [`Closed::flags`]: by RST, or another error.
pub const RESET: u8 = 1;
/// [`Closed::flags`]: the two totals are known.
pub const TOTALS: u8 = 2;

/// Address family of [`Transfer`]: the kernel's `AF_INET`.
pub const IPV4: u8 = 2;
/// Address family of [`Transfer`]: the kernel's `AF_INET6`.
pub const IPV6: u8 = 10;

/// Room for payload in the records that the kernel side reserves, in bytes.
pub const PAYLOAD_CLASSES: [usize; 12] = [
    64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072,
];
/// No call has more of its bytes copied than this.
pub const PAYLOAD_MAX: usize = 65_536;
/// Room for the path of an executable, with its final NUL.
pub const PATH_MAX: usize = 256;
/// Room for the arguments of a program.
pub const ARGUMENTS_MAX: usize = 512;

/// Bytes that went through a socket ([`DATA`]; `copied` bytes of payload follow
/// at once), or the connection that its owner opened ([`OPENED`]).
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Transfer {
    /// [`DATA`] or [`OPENED`].
    pub kind: u8,
    /// [`SEND`] or [`RECEIVE`].
    pub direction: u8,
    /// [`IPV4`] or [`IPV6`].
    pub family: u8,
    /// Why `copied` is less than `length`.
    pub shortfall: u8,
    /// Bytes of payload that follow.
    pub copied: u32,
    /// `CLOCK_MONOTONIC`, in ns.
    pub time: u64,
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// Offset of the first byte in this direction of the connection.
    pub offset: u64,
    /// How many bytes went through.
    pub length: u32,
    /// Process id (tgid) of the caller.
    pub pid: u32,
    /// Thread id (pid) of the caller.
    pub tid: u32,
    /// `snd_una - bytes_acked`.
    pub sent_base: u32,
    /// `rcv_nxt - bytes_received`.
    pub received_base: u32,
    /// In host byte order.
    pub local_port: u16,
    /// In host byte order.
    pub peer_port: u16,
    /// Which end opened the connection.
    pub opener: u8,
    /// [`UNDECIDED`].
    pub flags: u8,
    /// Zero.
    pub reserved: u16,
    /// Zero.
    pub reserved_end: u32,
    /// In network byte order; IPv4 takes the first four bytes, and leaves the
    /// others as they were.
    pub local: [u32; 4],
    /// The same.
    pub peer: [u32; 4],
    /// The runtime's task on the thread; 0: none or unknown.
    pub coroutine: u64,
    /// The task that created `coroutine`; 0: none or unknown.
    pub coroutine_parent: u64,
}

/// A socket that no process can use any more.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Closed {
    /// [`CLOSED`].
    pub kind: u8,
    /// [`RESET`], [`TOTALS`].
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 6],
    /// `CLOCK_MONOTONIC`, in ns.
    pub time: u64,
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// Offset after the last byte sent.
    pub sent: u64,
    /// Offset after the last byte that arrived.
    pub received: u64,
}

/// A process became another program.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Executed {
    /// [`EXECUTED`].
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// Process id.
    pub pid: u32,
    /// `CLOCK_MONOTONIC`, in ns.
    pub time: u64,
    /// When the process started, in ns after boot.
    pub start_time: u64,
    /// Parent's process id.
    pub parent_pid: u32,
    /// Bytes of `path`, without its NUL.
    pub path_length: u16,
    /// Bytes of `arguments`.
    pub arguments_length: u16,
    /// As given to `execve`.
    pub path: [u8; PATH_MAX],
    /// NUL after each; cut off at the end of the array.
    pub arguments: [u8; ARGUMENTS_MAX],
}

/// A process was forked, or ended.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Lifecycle {
    /// [`FORKED`] or [`EXITED`].
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// The new process, or the one that ended.
    pub pid: u32,
    /// `CLOCK_MONOTONIC`, in ns.
    pub time: u64,
    /// When the process started, in ns after boot.
    pub start_time: u64,
    /// Parent's process id.
    pub parent_pid: u32,
    /// Zero.
    pub reserved_end: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_the_ring_aligned() {
        for size in [
            size_of::<Transfer>(),
            size_of::<Closed>(),
            size_of::<Executed>(),
            size_of::<Lifecycle>(),
        ] {
            assert_eq!(size % 8, 0);
        }
    }

    #[test]
    fn the_largest_class_takes_a_vector_of_the_largest_payload() {
        // A piece of a vector is at an offset below, and of a length up to, half the room.
        assert_eq!(PAYLOAD_CLASSES.last(), Some(&(2 * PAYLOAD_MAX)));
    }
}
