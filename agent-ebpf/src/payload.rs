//! Sends a [`Transfer`], with what a call moved behind it.
//!
//! The kernel reserves sizes only that the verifier knows, so a record gets one
//! of [`PAYLOAD_CLASSES`]: the verifier follows the code below once for each.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user};
use wirespan_ebpf::record::{
    PAYLOAD_CLASSES, SHORTFALL_FAULT, SHORTFALL_LIMIT, SHORTFALL_NONE, SHORTFALL_UNREACHABLE,
    Transfer,
};

use crate::caller::{self, Buffer, PIECES_MAX, Piece};
use crate::ring;
use crate::stream::Call;

/// Sends `call` with the first `wanted` bytes of `buffer`.
#[inline(always)]
pub(crate) fn send(call: &Call<'_>, buffer: Buffer, wanted: u32) {
    match buffer {
        _ if wanted == 0 => bare(call, SHORTFALL_LIMIT),
        Buffer::Unreachable => bare(call, SHORTFALL_UNREACHABLE),
        Buffer::Fault => bare(call, SHORTFALL_FAULT),
        Buffer::At(address) => copy_buffer(call, address, wanted),
        Buffer::Vector { first, rest, count } => copy_vector(call, first, rest, count, wanted),
    }
}

/// Sends `call` alone.
#[inline(always)]
pub(crate) fn bare(call: &Call<'_>, shortfall: u8) {
    if let Some(record) = ring::reserve::<Transfer>(call.length) {
        unsafe { record.write(call.describe(0, shortfall)) };
        ring::submit(record);
    }
}

#[inline(always)]
fn copy_buffer(call: &Call<'_>, address: u64, wanted: u32) {
    let room = class(wanted);
    let Some(record) = ring::reserve_more::<Transfer>(room, call.length) else {
        return;
    };
    let length = opaque(wanted).min(room as u32);
    unsafe { record.write(call.describe(length, shortfall(length, call.length))) };
    let payload = unsafe { record.add(1) };
    if unsafe { bpf_probe_read_user(payload.cast(), length, address as *const _) } != 0 {
        unsafe {
            (&raw mut (*record).copied).write(0);
            (&raw mut (*record).shortfall).write(SHORTFALL_FAULT);
        }
    }
    ring::submit(record);
}

/// On its way through a vector.
#[repr(C)]
struct Walk {
    record: *mut Transfer,
    /// The piece to copy next.
    piece: Piece,
    /// Address of the one after it.
    next: u64,
    /// Pieces from there on.
    left: u64,
    wanted: u64,
    /// Half the room of the record.
    half: u64,
}

/// To the verifier, offset and length of a piece are two unknowns: twice the
/// room makes their sum fit.
#[inline(always)]
fn copy_vector(call: &Call<'_>, piece: Piece, next: u64, left: u64, wanted: u32) {
    let room = class(wanted.wrapping_mul(2));
    let Some(record) = ring::reserve_more::<Transfer>(room, call.length) else {
        return;
    };
    unsafe { record.write(call.describe(0, SHORTFALL_NONE)) };
    let mut walk = Walk {
        record,
        piece,
        next,
        left,
        wanted: u64::from(wanted),
        half: room as u64 / 2,
    };
    // Helper since Linux 5.17.
    unsafe {
        bpf_loop(
            PIECES_MAX,
            copy_piece as *mut c_void,
            (&raw mut walk).cast(),
            0,
        );
    }
    let copied = unsafe { (&raw const (*record).copied).read_volatile() };
    let faulty = unsafe { (&raw const (*record).shortfall).read_volatile() } != SHORTFALL_NONE;
    if !faulty {
        let shortfall = shortfall(copied, call.length);
        unsafe { (&raw mut (*record).shortfall).write(shortfall) };
    }
    ring::submit(record);
}

/// Copies one piece and gets hold of the next one; 1 says that there is no more
/// to do. How much was copied stands in the record, where the verifier does not
/// follow it: so all turns look alike to it.
extern "C" fn copy_piece(_: u64, walk: *mut Walk) -> i64 {
    let walk = unsafe { &mut *walk };
    let copied = unsafe { &raw mut (*walk.record).copied };
    let so_far = u64::from(unsafe { copied.read_volatile() });
    if so_far >= walk.wanted || so_far > walk.half {
        return 1;
    }
    let length = opaque(walk.piece.length.min(walk.wanted.wrapping_sub(so_far)) as u32);
    if u64::from(length) > walk.half {
        return 1;
    }
    let target = unsafe { walk.record.add(1).cast::<u8>().add(so_far as usize) };
    let source = walk.piece.address as *const _;
    if unsafe { bpf_probe_read_user(target.cast(), length, source) } != 0 {
        return fault(walk);
    }
    unsafe { copied.write_volatile(so_far as u32 + length) };
    if walk.left == 0 {
        return 1;
    }
    let Some(piece) = caller::read_pair(walk.next) else {
        return fault(walk);
    };
    walk.piece = piece;
    walk.next = walk.next.wrapping_add(size_of::<Piece>() as u64);
    walk.left -= 1;
    0
}

#[inline(always)]
fn fault(walk: &Walk) -> i64 {
    unsafe { (&raw mut (*walk.record).shortfall).write_volatile(SHORTFALL_FAULT) };
    1
}

#[inline(always)]
fn shortfall(copied: u32, length: u32) -> u8 {
    if copied < length {
        SHORTFALL_LIMIT
    } else {
        SHORTFALL_NONE
    }
}

/// The smallest class with room for `wanted` bytes, or the largest of all.
#[inline(always)]
fn class(wanted: u32) -> usize {
    let mut room = PAYLOAD_CLASSES[PAYLOAD_CLASSES.len() - 1];
    let mut index = PAYLOAD_CLASSES.len() - 1;
    while index > 0 {
        index -= 1;
        if wanted as usize <= PAYLOAD_CLASSES[index] {
            room = PAYLOAD_CLASSES[index];
        }
    }
    room
}

/// The same number; the compiler forgets what it knew of it, so that it keeps
/// the check after this one, which the verifier needs.
#[inline(always)]
fn opaque(number: u32) -> u32 {
    unsafe { (&raw const number).read_volatile() }
}
