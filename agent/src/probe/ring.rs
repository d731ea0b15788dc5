//! The reading end of the kernel's ring buffer (`kernel/bpf/ringbuf.c`).
//!
//! In: the map. Out: its records, in the order in which their places were
//! reserved, and how far that order is known: a record that its writer has not
//! finished holds back all behind it, which looks like an empty ring to those
//! who ask for the next record only.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

use wirespan_ebpf::record::{PAYLOAD_CLASSES, Transfer};

use super::kernel::page_size;
use super::mapped::Mapped;

/// In front of each record: its length with the bits below, and the kernel's own.
const HEADER: usize = 8;
/// The record is being written.
const BUSY: u32 = 1 << 31;
/// The record was given up.
const DISCARDED: u32 = 1 << 30;
const WORD: usize = size_of::<u64>();
/// The longest record, with its header.
const LONGEST: usize = HEADER + size_of::<Transfer>() + PAYLOAD_CLASSES[PAYLOAD_CLASSES.len() - 1];

/// A ring buffer map in this process's memory. Positions count bytes since the
/// map was made and never wrap.
#[derive(Debug)]
pub(crate) struct Ring {
    map: OwnedFd,
    /// One word: how far user space has come. The kernel reads it.
    consumed: Mapped,
    /// One word: how far places are reserved; a page later the records, and the
    /// first of them again behind the last, so that none is ever in two pieces.
    produced: Mapped,
    data_start: usize,
    mask: u64,
    position: u64,
}

impl Ring {
    /// Maps the ring, which has room for `size` bytes; what is in it can be read.
    pub(crate) fn new(map: BorrowedFd<'_>, size: u32) -> io::Result<Self> {
        let page = page_size();
        let consumed = Mapped::new(map, 1)?;
        // All of them twice would count twice as memory of this process.
        let again = LONGEST.next_multiple_of(page).min(size as usize);
        let words = (page + size as usize + again) / WORD;
        let produced = Mapped::read_only(map, page, words)?;
        let position = consumed.words()[0].load(Ordering::Relaxed);
        Ok(Self {
            map: map.try_clone_to_owned()?,
            consumed,
            produced,
            data_start: page,
            mask: u64::from(size) - 1,
            position,
        })
    }

    /// How far places are reserved by now.
    pub(crate) fn reserved(&self) -> u64 {
        self.produced.words()[0].load(Ordering::Acquire)
    }

    /// How far records have been taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next record, if it begins before `end` and is finished. It stays
    /// valid until [`Ring::release`].
    pub(crate) fn next(&mut self, end: u64) -> Option<&[u8]> {
        while self.position < end {
            let at = self.data_start + (self.position & self.mask) as usize;
            // Pairs with the kernel's exchange of the length at the end of writing.
            let header = self
                .produced
                .words()
                .get(at / WORD)?
                .load(Ordering::Acquire);
            let [a, b, c, d, ..] = header.to_ne_bytes();
            let length = u32::from_ne_bytes([a, b, c, d]);
            if length & BUSY != 0 {
                return None;
            }
            let size = (length & !DISCARDED) as usize;
            self.position += (HEADER + size).next_multiple_of(WORD) as u64;
            if length & DISCARDED == 0 {
                return self.produced.bytes(at + HEADER, size);
            }
        }
        None
    }

    /// Gives the room of the records taken so far back to the kernel.
    pub(crate) fn release(&self) {
        self.consumed.words()[0].store(self.position, Ordering::Release);
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.map.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;

    use super::*;

    const SIZE: usize = 4096;

    /// A file laid out like a ring buffer, the second copy of the data included.
    struct Fake {
        file: File,
        reserved: u64,
    }

    impl Fake {
        fn new() -> (Self, Ring) {
            let file = tempfile::tempfile().unwrap();
            file.set_len((2 * page_size() + 2 * SIZE) as u64).unwrap();
            let ring = Ring::new(file.as_fd(), SIZE as u32).unwrap();
            (Self { file, reserved: 0 }, ring)
        }

        fn put(&mut self, at: u64, bytes: &[u8]) {
            let data = 2 * page_size();
            for (index, byte) in bytes.iter().enumerate() {
                let place = (at as usize + index) % SIZE;
                for copy in [data + place, data + SIZE + place] {
                    self.file.write_all_at(&[*byte], copy as u64).unwrap();
                }
            }
        }

        /// Says where the record begins.
        fn reserve(&mut self, length: u32) -> u64 {
            let at = self.reserved;
            self.put(at, &(length | BUSY).to_ne_bytes());
            self.reserved += u64::from(length).next_multiple_of(8) + HEADER as u64;
            let producer = page_size() as u64;
            self.file
                .write_all_at(&self.reserved.to_ne_bytes(), producer)
                .unwrap();
            at
        }

        fn submit(&mut self, at: u64, bytes: &[u8], flags: u32) {
            self.put(at + HEADER as u64, bytes);
            self.put(at, &(bytes.len() as u32 | flags).to_ne_bytes());
        }
    }

    #[test]
    fn an_unfinished_record_holds_back_those_behind_it() {
        let (mut fake, mut ring) = Fake::new();
        let first = fake.reserve(5);
        let second = fake.reserve(3);
        fake.submit(second, b"two", 0);
        let end = ring.reserved();
        assert_eq!(ring.next(end), None);
        assert!(ring.position() < end);
        fake.submit(first, b"first", 0);
        assert_eq!(ring.next(end), Some(&b"first"[..]));
        assert_eq!(ring.next(end), Some(&b"two"[..]));
        assert_eq!(ring.next(end), None);
        assert_eq!(ring.position(), end);
    }

    #[test]
    fn records_go_round_the_end_and_discarded_ones_are_stepped_over() {
        let (mut fake, mut ring) = Fake::new();
        for round in 0..100_u32 {
            let bytes = vec![round as u8; 90 + round as usize];
            let (given_up, kept) = (fake.reserve(9), fake.reserve(bytes.len() as u32));
            fake.submit(given_up, b"discarded", DISCARDED);
            fake.submit(kept, &bytes, 0);
            let end = ring.reserved();
            assert_eq!(ring.next(end), Some(&bytes[..]));
            assert_eq!(ring.next(end), None);
            ring.release();
        }
        assert!(ring.position() > 3 * SIZE as u64);
    }
}
