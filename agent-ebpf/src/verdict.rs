//! What user space says of the bytes it does not want, as a table in memory
//! that both sides map: no system call for a verdict, no look-up by hash for a
//! question, nothing to clean up.
//!
//! Each direction of a socket has one slot, by its cookie. Two sockets may
//! share a slot; the later verdict wins, and the other socket is told in full
//! again, which is always safe. A slot holds the offset twice, once mixed with
//! the cookie, so that neither a torn nor a foreign slot is ever believed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many slots there are: a power of two.
pub const SLOTS: u32 = 65_536;

/// The offset that no stream reaches: ignore the socket.
pub const IGNORE: u64 = u64::MAX;

/// One direction of one socket.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Slot {
    /// Bytes below this offset are not wanted.
    pub offset: u64,
    /// [`check`] of the same offset.
    pub check: u64,
}

/// The slot of `direction` ([`crate::record::SEND`] or
/// [`crate::record::RECEIVE`]) of the socket with this cookie.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the kernel side has no calls to spare"
)]
pub fn index(cookie: u64, direction: u8) -> u32 {
    (cookie as u32)
        .wrapping_mul(2)
        .wrapping_add(u32::from(direction))
        & (SLOTS - 1)
}

/// What the slot of this cookie holds beside `offset`.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the kernel side has no calls to spare"
)]
pub fn check(cookie: u64, offset: u64) -> u64 {
    offset ^ cookie.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_of_a_socket_have_slots_of_their_own() {
        assert_ne!(index(7, 0), index(7, 1));
        assert_eq!(index(7, 1), index(7 + u64::from(SLOTS / 2), 1));
    }

    #[test]
    fn an_empty_slot_is_nobodys() {
        for cookie in 0..100_000 {
            assert_ne!(check(cookie, 0), 0);
        }
    }

    #[test]
    fn a_torn_slot_is_nobodys() {
        for (old, new) in [(6, 7), (1, 1 << 32), (0, u64::MAX / 3)] {
            for offset in [0, 1, 80, 1 << 33] {
                assert_ne!(check(old, offset), check(new, offset + 1));
                assert_ne!(check(old, offset + 1), check(new, offset));
            }
        }
    }
}
