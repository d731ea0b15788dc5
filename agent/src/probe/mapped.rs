//! A map of the kernel's in this process's memory: what is written here a
//! program sees at once, and the other way round, with no system call.
#![expect(unsafe_code, reason = "mmap is not known to Rust")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// The words of a ring buffer, or of an array made with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub(crate) struct Mapped {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the memory is shared with the kernel anyhow, and reached by atomics only.
unsafe impl Send for Mapped {}

impl Mapped {
    /// Maps the first `words` 64-bit words.
    pub(crate) fn new(map: BorrowedFd<'_>, words: usize) -> io::Result<Self> {
        Self::map(map, 0, words, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Maps `words` 64-bit words from `offset` on, which is in bytes and whole
    /// pages. They must not be stored to.
    pub(crate) fn read_only(map: BorrowedFd<'_>, offset: usize, words: usize) -> io::Result<Self> {
        Self::map(map, offset, words, libc::PROT_READ)
    }

    fn map(map: BorrowedFd<'_>, offset: usize, words: usize, protection: i32) -> io::Result<Self> {
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping, at an address of the kernel's choice. The kernel
        // refuses a length beyond the end of the map.
        let start = unsafe {
            let length = words * size_of::<u64>();
            let (null, fd) = (std::ptr::null_mut(), map.as_raw_fd());
            libc::mmap(null, length, protection, libc::MAP_SHARED, fd, offset)
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

    /// `length` bytes from byte `offset` on, which nobody may write meanwhile;
    /// `None` beyond the end.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        let end = offset.checked_add(length)?;
        if end > self.words * size_of::<u64>() {
            return None;
        }
        // SAFETY: mapped until drop, as for `words`; the caller sees to the rest.
        Some(unsafe {
            std::slice::from_raw_parts(self.start.as_ptr().cast::<u8>().add(offset), length)
        })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: this is what `new` mapped, and `words` borrows from `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * size_of::<u64>()) };
    }
}
