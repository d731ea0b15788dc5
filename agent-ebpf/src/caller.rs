//! Who makes the system call, and where its user buffer is.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user, bpf_task_pt_regs};
use wirespan_ebpf::config::{CALLS_MAX, FORM_BUFFER, FORM_MESSAGE, FORM_NONE, FORM_VECTOR};

use crate::fields::{Structure, config, load};

/// `PF_KTHREAD | PF_IO_WORKER` (`include/linux/sched.h`): threads whose saved
/// registers are not those of a system call.
const NOT_IN_CALL: u32 = 0x0020_0000 | 0x0000_0010;
/// -ENOSYS: what x86_64 keeps in the register of the result until there is one.
const ENOSYS: u64 = (-38_i64) as u64;

/// As many pieces as a vector can have (`UIO_MAXIOV`, `include/uapi/linux/uio.h`).
pub(crate) const PIECES_MAX: u32 = 1024;

/// Where the bytes of a call are, in user memory.
#[derive(Clone, Copy)]
pub(crate) enum Buffer {
    /// Nowhere that can be reached.
    Unreachable,
    /// Not in memory.
    Fault,
    /// At this address.
    At(u64),
    /// In pieces: this one, and `count` others that an array of `iovec` at `rest` names.
    Vector { first: Piece, rest: u64, count: u64 },
}

/// `struct iovec`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) address: u64,
    pub(crate) length: u64,
}

/// The buffer of the system call that is under way. Of interest are its `wanted`
/// bytes after the first `skipped` ones.
///
/// io_uring runs socket calls in its own workers, and in any thread as that
/// returns from any system call: there the registers tell of something else.
#[inline(always)]
pub(crate) fn buffer(task: Structure, skipped: u32, wanted: u32) -> Buffer {
    let Some(registers) = registers(task) else {
        return Buffer::Unreachable;
    };
    let number = load!(registers, call_number: u32) as usize;
    if number >= CALLS_MAX || !in_call(registers) {
        return Buffer::Unreachable;
    }
    let address = load!(registers, call_buffer: u64);
    match config!(call_forms[number]) {
        FORM_NONE => Buffer::Unreachable,
        FORM_BUFFER => Buffer::At(address.wrapping_add(u64::from(skipped))),
        FORM_VECTOR => vector(address, load!(registers, call_count: u64), skipped, wanted),
        FORM_MESSAGE => message(address, skipped, wanted),
        _ => Buffer::Unreachable,
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

/// `struct user_msghdr`: `msg_iov` and `msg_iovlen` follow a pointer and an `int`.
#[inline(always)]
fn message(address: u64, skipped: u32, wanted: u32) -> Buffer {
    match read_pair(address.wrapping_add(16)) {
        Some(Piece { address, length }) => vector(address, length, skipped, wanted),
        None => Buffer::Fault,
    }
}

/// A vector one of whose pieces holds all that is wanted is a plain buffer.
#[inline(always)]
fn vector(address: u64, count: u64, skipped: u32, wanted: u32) -> Buffer {
    let mut search = Search {
        piece: Piece {
            address: 0,
            length: 0,
        },
        next: address,
        left: count,
        skip: u64::from(skipped),
        found: 0,
    };
    if skipped == 0 {
        next_piece(0, &mut search);
    } else {
        // Helper since Linux 5.17.
        let context = (&raw mut search).cast();
        unsafe { bpf_loop(PIECES_MAX, next_piece as *mut c_void, context, 0) };
    }
    if search.found == 0 {
        Buffer::Fault
    } else if search.piece.length >= u64::from(wanted) {
        Buffer::At(search.piece.address)
    } else {
        Buffer::Vector {
            first: search.piece,
            rest: search.next,
            count: search.left,
        }
    }
}

/// Looks for the first piece of a vector that is not skipped altogether.
#[repr(C)]
struct Search {
    piece: Piece,
    next: u64,
    left: u64,
    skip: u64,
    found: u64,
}

/// Takes the next piece; 1 says that the search is over.
extern "C" fn next_piece(_: u64, search: *mut Search) -> i64 {
    let search = unsafe { &mut *search };
    if search.left == 0 {
        return 1;
    }
    let Some(piece) = read_pair(search.next) else {
        return 1;
    };
    search.next = search.next.wrapping_add(size_of::<Piece>() as u64);
    search.left -= 1;
    if search.skip != 0 && piece.length <= search.skip {
        search.skip = search.skip.wrapping_sub(piece.length);
        return 0;
    }
    search.piece = Piece {
        address: piece.address.wrapping_add(search.skip),
        length: piece.length.wrapping_sub(search.skip),
    };
    search.found = 1;
    1
}

/// Two words of user memory.
#[inline(always)]
pub(crate) fn read_pair(address: u64) -> Option<Piece> {
    let mut pair = Piece {
        address: 0,
        length: 0,
    };
    let size = size_of::<Piece>() as u32;
    let result = unsafe { bpf_probe_read_user((&raw mut pair).cast(), size, address as *const _) };
    if result == 0 { Some(pair) } else { None }
}

/// A word of user memory.
#[inline(always)]
pub(crate) fn read_word(address: u64) -> Option<u64> {
    let mut word = 0_u64;
    let size = size_of::<u64>() as u32;
    let result = unsafe { bpf_probe_read_user((&raw mut word).cast(), size, address as *const _) };
    if result == 0 { Some(word) } else { None }
}
