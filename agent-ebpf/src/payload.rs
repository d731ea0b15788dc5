//! Copies what a call moved into a record of its own.
//!
//! The ring buffer hands out sizes that are constants only, so there is one
//! way through here for each of [`PAYLOAD_CLASSES`].

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use wirespan_ebpf::record::{
    PAYLOAD_CLASSES, SHORTFALL_FAULT, SHORTFALL_LIMIT, SHORTFALL_NONE, SHORTFALL_UNREACHABLE,
    Transfer,
};

use crate::caller::{self, Buffer};
use crate::ring;

/// At most so many pieces of a vector are copied.
const PIECES_MAX: u64 = 64;

#[repr(C)]
struct Record<const ROOM: usize> {
    head: Transfer,
    payload: [u8; ROOM],
}

/// Sends `head` with the first `wanted` bytes of `buffer`.
#[inline(always)]
pub(crate) fn send(head: &mut Transfer, buffer: Buffer, wanted: u32) {
    match buffer {
        Buffer::At(address) if address != 0 && wanted != 0 => from_buffer(head, address, wanted),
        Buffer::Vector { address, count } if wanted != 0 => {
            from_vector(head, address, count, wanted)
        }
        Buffer::Fault if wanted != 0 => bare(head, SHORTFALL_FAULT),
        _ if wanted != 0 => bare(head, SHORTFALL_UNREACHABLE),
        _ => bare(head, SHORTFALL_LIMIT),
    }
}

/// Sends `head` alone.
#[inline(always)]
pub(crate) fn bare(head: &mut Transfer, shortfall: u8) {
    head.copied = 0;
    head.shortfall = shortfall;
    if let Some(record) = ring::reserve::<Transfer>(head.length) {
        head.time = ring::time();
        unsafe { record.write(*head) };
        ring::submit(record);
    }
}

#[inline(always)]
fn from_buffer(head: &mut Transfer, address: u64, wanted: u32) {
    let room = wanted as usize;
    if room <= PAYLOAD_CLASSES[1] {
        copy_buffer::<{ PAYLOAD_CLASSES[1] }>(head, address, wanted);
    } else if room <= PAYLOAD_CLASSES[2] {
        copy_buffer::<{ PAYLOAD_CLASSES[2] }>(head, address, wanted);
    } else if room <= PAYLOAD_CLASSES[3] {
        copy_buffer::<{ PAYLOAD_CLASSES[3] }>(head, address, wanted);
    } else if room <= PAYLOAD_CLASSES[4] {
        copy_buffer::<{ PAYLOAD_CLASSES[4] }>(head, address, wanted);
    } else if room <= PAYLOAD_CLASSES[5] {
        copy_buffer::<{ PAYLOAD_CLASSES[5] }>(head, address, wanted);
    } else {
        copy_buffer::<{ PAYLOAD_CLASSES[6] }>(head, address, wanted);
    }
}

/// To the verifier, offset and length of a piece are two unknowns: twice the
/// room makes their sum fit.
#[inline(always)]
fn from_vector(head: &mut Transfer, address: u64, count: u64, wanted: u32) {
    let room = 2 * wanted as usize;
    if room <= PAYLOAD_CLASSES[1] {
        copy_vector::<{ PAYLOAD_CLASSES[1] }>(head, address, count, wanted);
    } else if room <= PAYLOAD_CLASSES[2] {
        copy_vector::<{ PAYLOAD_CLASSES[2] }>(head, address, count, wanted);
    } else if room <= PAYLOAD_CLASSES[3] {
        copy_vector::<{ PAYLOAD_CLASSES[3] }>(head, address, count, wanted);
    } else if room <= PAYLOAD_CLASSES[4] {
        copy_vector::<{ PAYLOAD_CLASSES[4] }>(head, address, count, wanted);
    } else if room <= PAYLOAD_CLASSES[5] {
        copy_vector::<{ PAYLOAD_CLASSES[5] }>(head, address, count, wanted);
    } else {
        copy_vector::<{ PAYLOAD_CLASSES[6] }>(head, address, count, wanted);
    }
}

#[inline(never)]
fn copy_buffer<const ROOM: usize>(head: &mut Transfer, address: u64, wanted: u32) {
    let Some(record) = ring::reserve::<Record<ROOM>>(head.length) else {
        return;
    };
    head.time = ring::time();
    let length = opaque(wanted).min(ROOM as u32);
    let payload = unsafe { &raw mut (*record).payload };
    let result = unsafe { bpf_probe_read_user(payload.cast(), length, address as *const _) };
    head.copied = if result == 0 { length } else { 0 };
    head.shortfall = shortfall(head, result != 0);
    unsafe { (&raw mut (*record).head).write(*head) };
    ring::submit(record);
}

/// Copies the pieces one after the other. What is copied so far stands in the
/// record, where the verifier does not follow it: so all its turns of the loop
/// look alike to it, but for their number.
#[inline(never)]
fn copy_vector<const ROOM: usize>(head: &mut Transfer, address: u64, count: u64, wanted: u32) {
    let Some(record) = ring::reserve::<Record<ROOM>>(head.length) else {
        return;
    };
    head.time = ring::time();
    let half = (ROOM / 2) as u64;
    let copied = unsafe { &raw mut (*record).head.copied };
    let payload = unsafe { &raw mut (*record).payload }.cast::<u8>();
    unsafe { copied.write_volatile(0) };
    let mut faulty = false;
    let mut index = 0;
    while index < PIECES_MAX {
        let so_far = u64::from(unsafe { copied.read_volatile() });
        if index >= count || so_far >= u64::from(wanted) || so_far >= half {
            break;
        }
        let Some(piece) = caller::read_pair(address.wrapping_add(index * 16)) else {
            faulty = true;
            break;
        };
        let length = opaque(piece.length.min(u64::from(wanted) - so_far) as u32);
        if u64::from(length) > half {
            break;
        }
        let target = unsafe { payload.add(so_far as usize) };
        let source = piece.address as *const _;
        if unsafe { bpf_probe_read_user(target.cast(), length, source) } != 0 {
            faulty = true;
            break;
        }
        unsafe { copied.write_volatile(so_far as u32 + length) };
        index += 1;
    }
    head.copied = unsafe { copied.read_volatile() };
    head.shortfall = shortfall(head, faulty);
    unsafe { (&raw mut (*record).head).write(*head) };
    ring::submit(record);
}

#[inline(always)]
fn shortfall(head: &Transfer, faulty: bool) -> u8 {
    if faulty {
        SHORTFALL_FAULT
    } else if head.copied < head.length {
        SHORTFALL_LIMIT
    } else {
        SHORTFALL_NONE
    }
}

/// The same number; the compiler forgets what it knew of it, so that it keeps
/// the check after this one, which the verifier needs.
#[inline(always)]
fn opaque(number: u32) -> u32 {
    unsafe { (&raw const number).read_volatile() }
}
