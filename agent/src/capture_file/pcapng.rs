//! The pcapng format (draft-ietf-opsawg-pcapng): sections, each with its byte
//! order and its interfaces, each with its link type and its unit of time.

use pcap_parser::pcapng::{Block, OptionCode, parse_block_be, parse_block_le};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{EnhancedPacketBlock, IDB_MAGIC, InterfaceDescriptionBlock, SimplePacketBlock};
use wirespan_stitch::packet::LinkType;
use wirespan_stitch::time::Timestamp;

use super::reader::{Record, Span};

/// Bytes that tell a block's size: type, length, and the byte-order magic of a
/// section header.
pub(super) const BLOCK_START: usize = 12;

/// More interfaces than this in a section are not believed.
const INTERFACES_MAX: usize = 1 << 16;

const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// The Packet Block that the Enhanced Packet Block replaced.
const OLD_PACKET: u32 = 2;

/// The current section.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap_length: usize,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

/// What a block is to the reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Packet(Record),
    /// Nothing that packets depend on.
    Other,
    /// A packet, or something packets depend on, that makes no sense.
    Bad,
}

pub(super) fn is_pcapng(start: &[u8]) -> bool {
    start.starts_with(&SECTION_HEADER)
}

impl Pcapng {
    /// Bytes of the block that begins with `bytes`; `None` if it cannot be one.
    /// Enters the section if it is a section header.
    pub(super) fn block_size(&mut self, bytes: &[u8; BLOCK_START]) -> Option<usize> {
        if is_pcapng(bytes) {
            let magic = [bytes[8], bytes[9], bytes[10], bytes[11]];
            self.big_endian = match BYTE_ORDER_MAGIC {
                magic_number if magic == magic_number.to_be_bytes() => true,
                magic_number if magic == magic_number.to_le_bytes() => false,
                _ => return None,
            };
        }
        let size = self.u32_at(bytes, 4)? as usize;
        (size >= BLOCK_START).then_some(size)
    }

    /// Takes in a whole block.
    pub(super) fn block(&mut self, bytes: &[u8]) -> Content {
        let kind = self.u32_at(bytes, 0);
        if kind == Some(OLD_PACKET) {
            return packet(self.old_packet(bytes));
        }
        let parse = if self.big_endian {
            parse_block_be
        } else {
            parse_block_le
        };
        match parse(bytes) {
            Ok((_, Block::SectionHeader(_))) => self.interfaces.clear(),
            Ok((_, Block::InterfaceDescription(block))) => {
                return self.add(Interface::new(&block, self.big_endian));
            }
            Ok((_, Block::EnhancedPacket(block))) => return packet(self.enhanced(&block)),
            Ok((_, Block::SimplePacket(block))) => return packet(self.simple(&block)),
            Ok(_) => {}
            Err(_) => {
                if kind == Some(IDB_MAGIC) {
                    self.add(Interface::UNKNOWN);
                }
                return Content::Bad;
            }
        }
        Content::Other
    }

    fn add(&mut self, interface: Interface) -> Content {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Content::Bad;
        }
        self.interfaces.push(interface);
        Content::Other
    }

    fn enhanced(&self, block: &EnhancedPacketBlock<'_>) -> Option<Record> {
        let interface = self.interfaces.get(block.if_id as usize)?;
        Some(Record {
            link: interface.link,
            time: Some(interface.time(block.ts_high, block.ts_low)),
            data: Span {
                start: 28,
                length: block.packet_data().len(),
            },
            original: block.origlen as usize,
        })
    }

    fn simple(&self, block: &SimplePacketBlock<'_>) -> Option<Record> {
        let interface = self.interfaces.first()?;
        let length = block.packet_data().len().min(interface.snap_length);
        Some(Record {
            link: interface.link,
            time: None,
            data: Span { start: 12, length },
            original: block.origlen as usize,
        })
    }

    fn old_packet(&self, bytes: &[u8]) -> Option<Record> {
        let number = self.u32_at(bytes, 8)?;
        let number = if self.big_endian {
            number >> 16
        } else {
            number & 0xffff
        };
        let interface = self.interfaces.get(number as usize)?;
        let length = self.u32_at(bytes, 20)? as usize;
        bytes.get(28..28 + length)?;
        Some(Record {
            link: interface.link,
            time: Some(interface.time(self.u32_at(bytes, 12)?, self.u32_at(bytes, 16)?)),
            data: Span { start: 28, length },
            original: self.u32_at(bytes, 24)? as usize,
        })
    }

    fn u32_at(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }
}

fn packet(record: Option<Record>) -> Content {
    record.map_or(Content::Bad, Content::Packet)
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        Self {
            link: LinkType(block.linktype.0.cast_unsigned() as u16),
            snap_length: if block.snaplen == 0 {
                usize::MAX
            } else {
                block.snaplen as usize
            },
            resolution: units_per_second(block.if_tsresol),
            offset: time_offset(block, big_endian),
        }
    }

    /// Holds the place of one that could not be read, as packets name
    /// interfaces by their number.
    const UNKNOWN: Self = Self {
        link: LinkType(u16::MAX),
        snap_length: usize::MAX,
        resolution: 1_000_000,
        offset: 0,
    };

    fn time(&self, high: u32, low: u32) -> Timestamp {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.resolution);
        let nanos = nanos.cast_signed() + i128::from(self.offset) * 1_000_000_000;
        Timestamp(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

/// `if_tsresol` (section 4.2): a power of ten, or of two if the top bit is set.
/// What is out of range is taken for the default, microseconds.
fn units_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let units = if resolution & 0x80 == 0 {
        10u64.checked_pow(exponent)
    } else {
        1u64.checked_shl(exponent)
    };
    units.unwrap_or(1_000_000)
}

/// `if_tsoffset`, which the crate reads as little-endian in every section.
fn time_offset(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> i64 {
    let option = block
        .options
        .iter()
        .find(|option| option.code == OptionCode::IfTsoffset);
    let bytes = option.and_then(|option| option.value().first_chunk().copied());
    let read = if big_endian {
        i64::from_be_bytes
    } else {
        i64::from_le_bytes
    };
    bytes.map_or(0, read)
}
