//! An array map of the kernel's in this process's memory: what is written here
//! a program sees at once, and the other way round, with no system call.
#![expect(unsafe_code, reason = "mmap is not known to Rust")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// The words of an array map that was made with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub(crate) struct Mapped {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the memory is shared with the kernel anyhow, and reached by atomics only.
unsafe impl Send for Mapped {}

impl Mapped {
    /// Maps the first `words` 64-bit words of the array.
    pub(crate) fn new(map: BorrowedFd<'_>, words: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address of the kernel's choice. The kernel
        // refuses a length beyond the end of the array.
        let start = unsafe {
            let length = words * size_of::<u64>();
            let null = std::ptr::null_mut();
            libc::mmap(
                null,
                length,
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, words })
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: mapped until drop, page-aligned, and any bytes are an AtomicU64.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: this is what `new` mapped, and `words` borrows from `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * size_of::<u64>()) };
    }
}
