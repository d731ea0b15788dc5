//! Where runtimes that multiplex tasks of their own on threads keep what they
//! know of the running one: a table in memory that both sides map, with one slot
//! for each process id, modulo [`SLOTS`]. Of two processes that share a slot the
//! later one has it; the other's tasks are not told.
//!
//! So far: Go. While a goroutine is in a system call its `runtime.g` is in a
//! register (`R14` on `x86_64` since Go 1.17, `R28` on arm64), and the stack
//! pointer is within the stack that `g` begins with. Code that is not Go's, in
//! the same process, does not meet both.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many slots there are: a power of two.
pub const SLOTS: u32 = 16_384;

/// Where the runtime of one process keeps its fields.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Slot {
    /// The process (tgid); 0: none.
    pub pid: u32,
    /// Offset of `goid` (`uint64`) in `runtime.g`.
    pub id: u32,
    /// Offset of `parentGoid` (`uint64`) in `runtime.g`; 0: there is none.
    pub parent: u32,
    /// Zero.
    pub reserved: u32,
}

/// The slot of the process with this id.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the kernel side has no calls to spare"
)]
pub fn index(pid: u32) -> u32 {
    pid & (SLOTS - 1)
}
