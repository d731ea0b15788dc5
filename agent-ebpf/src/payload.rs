//! Sends a [`Transfer`], with what a call moved behind it.
//!
//! The kernel reserves sizes only that the verifier knows, so a record gets one
//! of [`PAYLOAD_CLASSES`]: the verifier follows the code below once for each.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use wirespan_ebpf::record::{
    PAYLOAD_CLASSES, SHORTFALL_FAULT, SHORTFALL_LIMIT, SHORTFALL_NONE, SHORTFALL_UNREACHABLE,
    Transfer,
};

use crate::caller::{self, Buffer};
use crate::ring;
use crate::stream::Call;
use crate::vector::Vector;

/// Sends `call` with its first `wanted` bytes, which are those of the system
/// call from byte `skipped` on.
#[inline(always)]
pub(crate) fn send(call: &Call<'_>, skipped: u32, wanted: u32, reachable: bool) {
    let mut vector = MaybeUninit::uninit();
    let vector: *mut Vector = vector.as_mut_ptr();
    let buffer = if wanted == 0 {
        Buffer::Nowhere(SHORTFALL_LIMIT)
    } else if reachable {
        caller::buffer(call.task, skipped, wanted, vector)
    } else {
        Buffer::Nowhere(SHORTFALL_UNREACHABLE)
    };
    let room = match buffer {
        Buffer::Nowhere(_) => 0,
        Buffer::At(_) => class(wanted),
        Buffer::Pieces => class(wanted.wrapping_mul(2)),
    };
    let Some(record) = ring::reserve_more::<Transfer>(room, call.length) else {
        return;
    };
    call.describe(record);
    match buffer {
        Buffer::Nowhere(why) => unsafe { (*record).shortfall = why },
        Buffer::At(address) => copy(call, record, room, address, wanted),
        Buffer::Pieces => copy_pieces(call, record, room, vector, wanted),
    }
    ring::submit(record);
}

/// Sends `call` alone, and says why.
#[inline(always)]
pub(crate) fn bare(call: &Call<'_>, shortfall: u8) {
    if let Some(record) = ring::reserve::<Transfer>(call.length) {
        call.describe(record);
        unsafe { (*record).shortfall = shortfall };
        ring::submit(record);
    }
}

#[inline(always)]
fn copy(call: &Call<'_>, record: *mut Transfer, room: usize, address: u64, wanted: u32) {
    let length = opaque(wanted).min(room as u32);
    unsafe {
        let payload = record.add(1).cast();
        if bpf_probe_read_user(payload, length, address as *const _) == 0 {
            (*record).copied = length;
            (*record).shortfall = shortfall(length, call.length);
        } else {
            (*record).shortfall = SHORTFALL_FAULT;
        }
    }
}

#[inline(always)]
fn copy_pieces(
    call: &Call<'_>,
    record: *mut Transfer,
    room: usize,
    vector: *mut Vector,
    wanted: u32,
) {
    Vector::copy(vector, record, room, wanted);
    unsafe {
        let faulty = (&raw const (*record).shortfall).read_volatile() != SHORTFALL_NONE;
        let copied = (&raw const (*record).copied).read_volatile();
        if !faulty {
            (*record).shortfall = shortfall(copied, call.length);
        }
    }
}

#[inline(always)]
fn shortfall(copied: u32, length: u32) -> u8 {
    if copied < length {
        SHORTFALL_LIMIT
    } else {
        SHORTFALL_NONE
    }
}

/// The smallest class with room for `wanted` bytes, or the largest of all. Most
/// calls move little: those are done first.
#[inline(always)]
fn class(wanted: u32) -> usize {
    let mut index = 0;
    while index + 1 < PAYLOAD_CLASSES.len() {
        if wanted as usize <= PAYLOAD_CLASSES[index] {
            return PAYLOAD_CLASSES[index];
        }
        index += 1;
    }
    PAYLOAD_CLASSES[index]
}

/// The same number; the compiler forgets what it knew of it, so that it keeps
/// the check after this one, which the verifier needs.
#[inline(always)]
fn opaque(number: u32) -> u32 {
    unsafe { (&raw const number).read_volatile() }
}
