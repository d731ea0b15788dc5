//! A user buffer in pieces: an array of `iovec`, read [`WINDOW`] at a time.
//!
//! Out: the bytes of the pieces behind a record. Which call it is, and how much
//! of it is wanted, is left to others.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user};
use wirespan_ebpf::record::{SHORTFALL_FAULT, Transfer};
use zerocopy::FromBytes;

/// As many pieces as a vector can have (`UIO_MAXIOV`, `include/uapi/linux/uio.h`).
const PIECES_MAX: u32 = 1024;
/// So many are read at once: nearly all vectors have no more.
const WINDOW: usize = 4;

/// `struct iovec`.
#[derive(Clone, Copy, FromBytes)]
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) address: u64,
    pub(crate) length: u64,
}

/// On its way through a vector.
#[repr(C)]
pub(crate) struct Vector {
    /// The pieces at hand; after them, whatever was there.
    window: [Piece; WINDOW],
    /// How many pieces are at hand.
    held: u64,
    /// Address of the piece after these.
    next: u64,
    /// Pieces from there on.
    left: u64,
    /// Bytes that are passed over yet.
    skip: u64,
    /// Bytes that are wanted behind these.
    wanted: u64,
    /// Where they go.
    record: *mut Transfer,
    /// Half of the room that is there.
    half: u64,
}

impl Vector {
    /// Begins with the bytes behind the first `skipped` ones of a vector; returns
    /// its first piece. `None` if it has none, or they are not in memory.
    #[inline(always)]
    pub(crate) fn begin(vector: *mut Self, array: Piece, skipped: u32) -> Option<Piece> {
        unsafe {
            (&raw mut (*vector).next).write(array.address);
            (&raw mut (*vector).left).write(array.length);
            (&raw mut (*vector).skip).write(u64::from(skipped));
            if advance(vector) {
                Some((&raw const (*vector).window[0]).read())
            } else {
                None
            }
        }
    }

    /// Copies `wanted` bytes behind `record`, which has `room` for twice as
    /// many: to the verifier, offset and length of a piece are two unknowns, and
    /// so their sum fits. Says in the record how many it copied, and whether
    /// there was a fault.
    #[inline(always)]
    pub(crate) fn copy(vector: *mut Self, record: *mut Transfer, room: usize, wanted: u32) {
        unsafe {
            (&raw mut (*vector).record).write(record);
            (&raw mut (*vector).half).write(room as u64 / 2);
            (&raw mut (*vector).wanted).write(u64::from(wanted));
            // Helper since Linux 5.17.
            let turns = PIECES_MAX.div_ceil(WINDOW as u32);
            bpf_loop(turns, copy_window as *mut c_void, vector.cast(), 0);
        }
    }
}

/// Takes the next pieces in hand, if there are any.
#[inline(always)]
unsafe fn advance(vector: *mut Vector) -> bool {
    unsafe {
        let (next, left) = ((*vector).next, (*vector).left);
        let held = left.min(WINDOW as u64);
        let bytes = held.wrapping_mul(size_of::<Piece>() as u64);
        (*vector).held = held;
        (*vector).next = next.wrapping_add(bytes);
        (*vector).left = left.wrapping_sub(held);
        let window = (&raw mut (*vector).window).cast();
        held != 0 && bpf_probe_read_user(window, bytes as u32, next as *const _) == 0
    }
}

/// Copies the pieces at hand and takes the next ones; 1 says that there is no
/// more to do. How much was copied stands in the record, where the verifier does
/// not follow it: so all turns look alike to it.
extern "C" fn copy_window(_: u64, vector: *mut Vector) -> i64 {
    let walk = unsafe { &mut *vector };
    for index in 0..WINDOW {
        if index as u64 >= walk.held {
            return 1;
        }
        let piece = walk.window[index];
        if piece.length <= walk.skip {
            walk.skip = walk.skip.wrapping_sub(piece.length);
        } else if !unsafe { copy_piece(walk, piece) } {
            return 1;
        }
    }
    if walk.left == 0 {
        return 1;
    }
    if unsafe { advance(vector) } {
        0
    } else {
        unsafe { fault(walk.record) };
        1
    }
}

/// Whether there is more to do.
#[inline(always)]
unsafe fn copy_piece(walk: &mut Vector, piece: Piece) -> bool {
    let record = walk.record;
    let copied = unsafe { &raw mut (*record).copied };
    let so_far = u64::from(unsafe { copied.read_volatile() });
    let missing = walk.wanted.wrapping_sub(so_far);
    let length = piece.length.wrapping_sub(walk.skip).min(missing);
    let source = piece.address.wrapping_add(walk.skip);
    walk.skip = 0;
    let length = unsafe { (&raw const length).read_volatile() };
    if so_far > walk.half || length > walk.half {
        return false;
    }
    let target = unsafe { record.add(1).cast::<u8>().add(so_far as usize) };
    if unsafe { bpf_probe_read_user(target.cast(), length as u32, source as *const _) } != 0 {
        unsafe { fault(record) };
        return false;
    }
    unsafe { copied.write_volatile((so_far + length) as u32) };
    length < missing
}

unsafe fn fault(record: *mut Transfer) {
    unsafe { (&raw mut (*record).shortfall).write_volatile(SHORTFALL_FAULT) };
}
