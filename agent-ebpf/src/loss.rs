//! Counters of what the kernel side could not tell: one array of `u64`,
//! [`COUNT`] for each processor, which user space maps into its memory.

/// The ring buffer was full.
pub const RING_FULL: u32 = 0;
/// Socket storage or the table of processes was full.
pub const MAP_FULL: u32 = 1;
/// Bytes of calls that were not told because of [`RING_FULL`].
pub const BYTES: u32 = 2;
/// How many counters there are.
pub const COUNT: u32 = 3;

/// Where the counter of `reason` on `processor` is.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the kernel side has no calls to spare"
)]
pub fn index(processor: u32, reason: u32) -> u32 {
    processor.wrapping_mul(COUNT).wrapping_add(reason)
}
