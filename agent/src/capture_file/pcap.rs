//! The classic pcap format (draft-ietf-opsawg-pcap): one link type, one unit
//! of time, and packets one after another.

use pcap_parser::{
    PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};
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
    const MAGICS: [u32; 5] = [
        0xa1b2_c3d4,
        0xd4c3_b2a1,
        0xa1b2_3c4d,
        0x4d3c_b2a1,
        0xa1b2_cd34,
    ];
    start
        .first_chunk()
        .is_some_and(|magic| MAGICS.contains(&u32::from_le_bytes(*magic)))
}

impl Pcap {
    pub(super) fn from_header(bytes: &[u8]) -> Option<Self> {
        let (_, header) = parse_pcap_header(bytes).ok()?;
        Some(Self {
            link: link_type(&header),
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
            nanoseconds: header.is_nanosecond_precision(),
        })
    }

    /// Bytes of a record's header.
    pub(super) fn header_size(self) -> usize {
        if self.modified { 24 } else { 16 }
    }

    /// Bytes of the record whose header is in `bytes`.
    pub(super) fn record_size(self, bytes: &[u8]) -> Option<usize> {
        let captured = *bytes.get(8..)?.first_chunk()?;
        let captured = if self.big_endian {
            u32::from_be_bytes(captured)
        } else {
            u32::from_le_bytes(captured)
        };
        Some(self.header_size() + captured as usize)
    }

    /// The packet in a whole record.
    pub(super) fn record(self, bytes: &[u8]) -> Option<Record> {
        let parse = match (self.modified, self.big_endian) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        let (_, frame) = parse(bytes).ok()?;
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let time = u64::from(frame.ts_sec) * 1_000_000_000 + u64::from(frame.ts_usec) * unit;
        Some(Record {
            link: self.link,
            time: Some(Timestamp(time)),
            data: Span {
                start: self.header_size(),
                length: frame.data.len(),
            },
            original: frame.origlen as usize,
        })
    }
}

/// The upper bits tell of frame check sequences.
fn link_type(header: &PcapHeader) -> LinkType {
    LinkType(header.network.0.cast_unsigned() as u16)
}
