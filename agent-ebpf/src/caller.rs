//! Who makes the system call, and where its user buffer is.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_task_pt_regs};
use wirespan_ebpf::config::{CALLS_MAX, FORM_BUFFER, FORM_MESSAGE, FORM_VECTOR};
use wirespan_ebpf::record::{SHORTFALL_FAULT, SHORTFALL_UNREACHABLE};
use zerocopy::FromBytes;

use crate::fields::{Structure, config, load};
use crate::vector::{Piece, Vector};

/// `PF_KTHREAD | PF_IO_WORKER` (`include/linux/sched.h`): threads whose saved
/// registers are not those of a system call.
const NOT_IN_CALL: u32 = 0x0020_0000 | 0x0000_0010;
/// -ENOSYS: what x86_64 keeps in the register of the result until there is one.
const ENOSYS: u64 = (-38_i64) as u64;

/// Where the bytes of a call are, in user memory.
#[derive(Clone, Copy)]
pub(crate) enum Buffer {
    /// Nowhere that can be reached, or nowhere that is of interest: why.
    Nowhere(u8),
    /// At this address.
    At(u64),
    /// In the pieces of the vector.
    Pieces,
}

/// The buffer of the system call that is under way, from its byte `skipped` on;
/// `wanted` bytes are of interest. If it is in pieces, `vector` says in which.
///
/// io_uring runs socket calls in its own workers, and in any thread as that
/// returns from any system call: there the registers tell of something else.
#[inline(always)]
pub(crate) fn buffer(task: Structure, skipped: u32, wanted: u32, vector: *mut Vector) -> Buffer {
    let Some(registers) = registers(task) else {
        return Buffer::Nowhere(SHORTFALL_UNREACHABLE);
    };
    let number = load!(registers, call_number: u32) as usize;
    if number >= CALLS_MAX || !in_call(registers) {
        return Buffer::Nowhere(SHORTFALL_UNREACHABLE);
    }
    let address = load!(registers, call_buffer: u64);
    let array = match config!(call_forms[number]) {
        FORM_BUFFER => return Buffer::At(address.wrapping_add(u64::from(skipped))),
        FORM_VECTOR => Some(Piece {
            address,
            length: load!(registers, call_count: u64),
        }),
        // `struct user_msghdr`: `msg_iov` and `msg_iovlen` follow a pointer and an `int`.
        FORM_MESSAGE => read(address.wrapping_add(16)),
        _ => return Buffer::Nowhere(SHORTFALL_UNREACHABLE),
    };
    match array.and_then(|array| Vector::begin(vector, array, skipped)) {
        None => Buffer::Nowhere(SHORTFALL_FAULT),
        // A vector whose first piece holds all that is wanted is a plain buffer.
        Some(first) if skipped == 0 && first.length >= u64::from(wanted) => {
            Buffer::At(first.address)
        }
        Some(_) => Buffer::Pieces,
    }
}

/// The registers with which the running thread `task` entered the kernel.
#[inline(always)]
pub(crate) fn registers(task: Structure) -> Option<Structure> {
    if load!(task, task_flags: u32) & NOT_IN_CALL != 0 {
        return None;
    }
    // Helper since Linux 5.15.
    Structure::new(unsafe { bpf_task_pt_regs(task.pointer().cast()) } as *const _)
}

#[inline(always)]
fn in_call(registers: Structure) -> bool {
    let value = load!(registers, in_call: u64);
    if config!(in_call_enosys) != 0 {
        value == ENOSYS
    } else {
        value == load!(registers, in_call_like: u64)
    }
}

/// A `T` in user memory.
#[inline(always)]
pub(crate) fn read<T: FromBytes>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    let size = size_of::<T>() as u32;
    let result =
        unsafe { bpf_probe_read_user(value.as_mut_ptr().cast(), size, address as *const _) };
    if result == 0 {
        Some(unsafe { value.assume_init() })
    } else {
        None
    }
}
