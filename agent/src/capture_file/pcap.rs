//! The classic pcap format (draft-ietf-opsawg-pcap): one link type, one unit
//! of time, and packets one after another. A few fixed fields, which the crate for
//! pcapng would read in three of the six kinds only.

use wirespan_stitch::packet::LinkType;
use wirespan_stitch::time::Timestamp;

use super::reader::{Record, Span};

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;

/// What the file header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    link: LinkType,
    big_endian: bool,
    modified: bool,
    nanoseconds: bool,
}

/// Of either byte order, with micro- or nanoseconds; and the format of patched
/// Linux 2.2 kernels, whose record headers are 8 bytes longer.
pub(super) fn is_pcap(start: &[u8]) -> bool {
    start
        .first_chunk()
        .is_some_and(|magic| kind(*magic).is_some())
}

/// Whether it is big-endian, and the magic number of which kind.
fn kind(magic: [u8; 4]) -> Option<(bool, u32)> {
    let known = |magic: &u32| [MICROSECONDS, NANOSECONDS, MODIFIED].contains(magic);
    let little = Some(u32::from_le_bytes(magic)).filter(known);
    let big = Some(u32::from_be_bytes(magic)).filter(known);
    little
        .map(|kind| (false, kind))
        .or(big.map(|kind| (true, kind)))
}

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

impl Pcap {
    pub(super) fn from_header(bytes: &[u8]) -> Option<Self> {
        let (big_endian, kind) = kind(*bytes.first_chunk()?)?;
        let header = Self {
            link: LinkType(0),
            big_endian,
            modified: kind == MODIFIED,
            nanoseconds: kind == NANOSECONDS,
        };
        // The upper bits tell of frame check sequences.
        let link = LinkType(header.u32_at(bytes, 20)? as u16);
        Some(Self { link, ..header })
    }

    /// Bytes of a record's header.
    pub(super) fn header_size(self) -> usize {
        if self.modified { 24 } else { 16 }
    }

    /// Bytes of the record whose header is in `bytes`.
    pub(super) fn record_size(self, bytes: &[u8]) -> Option<usize> {
        Some(self.header_size() + self.u32_at(bytes, 8)? as usize)
    }

    /// The packet in a whole record.
    pub(super) fn record(self, bytes: &[u8]) -> Option<Record> {
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let seconds = u64::from(self.u32_at(bytes, 0)?);
        let time = seconds * 1_000_000_000 + u64::from(self.u32_at(bytes, 4)?) * unit;
        Some(Record {
            link: self.link,
            time: Some(Timestamp(time)),
            data: Span {
                start: self.header_size(),
                length: bytes.len().checked_sub(self.header_size())?,
            },
            original: self.u32_at(bytes, 12)? as usize,
        })
    }

    fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }
}
