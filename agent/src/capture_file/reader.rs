//! Cuts a capture into packets without copying them out of the read buffer.

use std::io::BufRead;

use bytes::{Bytes, BytesMut};
use wirespan_stitch::packet::LinkType;
use wirespan_stitch::time::Timestamp;

use super::error::{Error, Note};
use super::input::{CHUNK, Input};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Content, Pcapng};

/// A packet as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What its first header is.
    pub link: LinkType,
    /// When, in ns since the Unix epoch.
    pub time: Timestamp,
    /// The captured part of it.
    pub data: Bytes,
    /// Its length on the wire, in bytes.
    pub original: usize,
}

/// A packet's place in its record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub link: LinkType,
    /// `None` if the format has none here.
    pub time: Option<Timestamp>,
    pub data: Span,
    pub original: usize,
}

/// Bytes within a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub length: usize,
}

/// Reads the packets of one capture.
pub struct Reader {
    input: Input,
    buffer: BytesMut,
    /// Where `buffer` begins in the (unpacked) file.
    position: u64,
    format: Format,
    last: Timestamp,
    bad_blocks: u64,
    note: Option<Note>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// No record is longer than this. (libpcap: packets of 128 MiB on USB, of 256
/// KiB elsewhere.)
const RECORD_MAX: usize = 16 << 20;

/// So many first bytes of what is no capture are shown.
const SHOWN: usize = 8;

impl Reader {
    pub(super) fn new(input: Input) -> Result<Self, Error> {
        let mut reader = Self {
            input,
            buffer: BytesMut::new(),
            position: 0,
            format: Format::Pcapng(Pcapng::default()),
            last: Timestamp::default(),
            bad_blocks: 0,
            note: None,
        };
        reader.fill(SHOWN)?;
        if pcap::is_pcap(&reader.buffer) {
            if !reader.fill(pcap::FILE_HEADER)? {
                return Err(Error::HeaderCut);
            }
            let header = reader.take(pcap::FILE_HEADER);
            reader.format = Format::Pcap(Pcap::from_header(&header).ok_or(Error::HeaderCut)?);
        } else if !pcapng::is_pcapng(&reader.buffer) {
            let start = reader
                .buffer
                .iter()
                .copied()
                .take(SHOWN)
                .collect::<Vec<_>>();
            return Err(if start.is_empty() {
                Error::Empty
            } else {
                Error::Unknown { start }
            });
        }
        Ok(reader)
    }

    /// The next packet; `None` at the end, after which [`Self::note`] tells
    /// whether that was the end of the capture too.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            let Some(bytes) = self.next_record()? else {
                return Ok(None);
            };
            let content = match &mut self.format {
                Format::Pcap(pcap) => pcap.record(&bytes).map_or(Content::Bad, Content::Packet),
                Format::Pcapng(pcapng) => pcapng.block(&bytes),
            };
            match content {
                Content::Packet(record) => {
                    self.last = record.time.unwrap_or(self.last);
                    let end = record.data.start + record.data.length;
                    return Ok(Some(Packet {
                        link: record.link,
                        time: self.last,
                        data: bytes.slice(record.data.start..end),
                        original: record.original.max(record.data.length),
                    }));
                }
                Content::Other => {}
                Content::Bad => self.bad_blocks += 1,
            }
        }
    }

    /// Why the end of the input is not the end of the capture, if so.
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// How many blocks of a pcapng file made no sense and were passed over.
    pub fn bad_blocks(&self) -> u64 {
        self.bad_blocks
    }

    /// The bytes of one record or block.
    fn next_record(&mut self) -> Result<Option<Bytes>, Error> {
        if self.note.is_some() {
            return Ok(None);
        }
        let start = match &self.format {
            Format::Pcap(pcap) => pcap.header_size(),
            Format::Pcapng(_) => pcapng::BLOCK_START,
        };
        if !self.fill(start)? {
            return Ok(self.end());
        }
        let size = match &mut self.format {
            Format::Pcap(pcap) => pcap.record_size(&self.buffer),
            Format::Pcapng(pcapng) => self
                .buffer
                .first_chunk()
                .and_then(|start| pcapng.block_size(start)),
        };
        let Some(size) = size.filter(|size| *size <= RECORD_MAX) else {
            let reason = "a packet or block of a length that cannot be".to_owned();
            self.note = Some(Note::Damaged {
                at: self.position,
                reason,
            });
            return Ok(None);
        };
        if !self.fill(size)? {
            return Ok(self.end());
        }
        Ok(Some(self.take(size)))
    }

    /// The input has ended; what is left, if anything, is no whole record.
    fn end(&mut self) -> Option<Bytes> {
        if self.note.is_none() && !self.buffer.is_empty() {
            self.note = Some(Note::CutOff { at: self.position });
        }
        None
    }

    fn take(&mut self, size: usize) -> Bytes {
        self.position += size as u64;
        self.buffer.split_to(size).freeze()
    }

    /// Reads until there are `wanted` bytes; false if the input ends before.
    fn fill(&mut self, wanted: usize) -> Result<bool, Error> {
        while self.buffer.len() < wanted {
            let bytes = match self.input.bytes.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) if self.input.compressed => {
                    let at = self.position + self.buffer.len() as u64;
                    self.note = Some(Note::Compression {
                        at,
                        reason: error.to_string(),
                    });
                    return Ok(false);
                }
                Err(error) => return Err(Error::Read(error)),
            };
            let length = bytes.len();
            // Takes the old buffer again if no packet in it is in use any more.
            self.buffer.reserve(length.max(CHUNK));
            self.buffer.extend_from_slice(bytes);
            self.input.bytes.consume(length);
        }
        Ok(true)
    }
}
