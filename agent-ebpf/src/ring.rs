//! The way into the ring buffer, the only place where the kernel side loses
//! anything, and the count of it.

use core::ffi::c_void;

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_reserve, bpf_ringbuf_submit,
};
use wirespan_ebpf::{loss, switch};

use crate::maps::{LOSSES, RECORDS, SWITCHES};

/// Room for a `T`, or `None` and a loss of `bytes` bytes of traffic counted.
/// What is returned must be given to [`submit`].
#[inline(always)]
pub(crate) fn reserve<T>(bytes: u32) -> Option<*mut T> {
    reserve_more(0, bytes)
}

/// The same, with room for `more` bytes behind the `T`. The verifier must know
/// the number: a constant on each way here.
#[inline(always)]
pub(crate) fn reserve_more<T>(more: usize, bytes: u32) -> Option<*mut T> {
    let map = (&raw const RECORDS).cast_mut().cast::<c_void>();
    let size = size_of::<T>().wrapping_add(more) as u64;
    let record = unsafe { bpf_ringbuf_reserve(map, size, 0) }.cast::<T>();
    if record.is_null() {
        count(loss::RING_FULL, 1);
        count(loss::BYTES, u64::from(bytes));
        return None;
    }
    Some(record)
}

/// The time of a record, to be taken once its place is reserved: so whatever
/// user space finds reserved later is later, and once all up to a place is
/// there, nothing earlier will come.
#[inline(always)]
pub(crate) fn time() -> u64 {
    unsafe { bpf_ktime_get_ns() }
}

/// Hands the record to user space, and wakes it if it sleeps.
#[inline(always)]
pub(crate) fn submit<T>(record: *mut T) {
    let mut flags = BPF_RB_NO_WAKEUP;
    if let Some(dozing) = SWITCHES.get_ptr_mut(switch::DOZING) {
        if unsafe { dozing.read_volatile() } != 0 {
            unsafe { dozing.write_volatile(0) };
            flags = BPF_RB_FORCE_WAKEUP;
        }
    }
    unsafe { bpf_ringbuf_submit(record.cast(), u64::from(flags)) };
}

/// The same, for what can wait until user space wakes by itself.
#[inline(always)]
pub(crate) fn submit_quietly<T>(record: *mut T) {
    unsafe { bpf_ringbuf_submit(record.cast(), u64::from(BPF_RB_NO_WAKEUP)) };
}

/// Counts a loss, on this processor.
#[inline(always)]
pub(crate) fn count(reason: u32, by: u64) {
    let processor = unsafe { bpf_get_smp_processor_id() };
    if let Some(counter) = LOSSES.get_ptr_mut(loss::index(processor, reason)) {
        unsafe { counter.write_volatile(counter.read_volatile().wrapping_add(by)) };
    }
}
