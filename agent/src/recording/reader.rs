//! A recording into events.

use std::io::{self, BufReader, Read};

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use thiserror::Error;
use wirespan_proto::recording::v1::{Header, Record, record::Kind};
use wirespan_stitch::event::Event;
use zstd::stream::read::Decoder;

use super::{MAX_RECORD, VERSION, convert};

/// How much is unpacked at a time.
const CHUNK: usize = 256 << 10;

/// The longest length prefix: a varint of 64 bits.
const MAX_PREFIX: usize = 10;

/// Reads a recording.
pub struct Reader<R: Read> {
    input: Decoder<'static, BufReader<R>>,
    buffer: Bytes,
    header: Header,
    records: u64,
    skipped: u64,
    ended: bool,
}

/// Why a recording could not be read (on).
#[derive(Debug, Error)]
pub enum ReadError {
    /// Its beginning is not that of a recording.
    #[error("not a wirespan recording: {0}")]
    NotARecording(&'static str),
    /// A newer agent made it.
    #[error("the recording has version {0}; this wirespan reads up to version {VERSION}")]
    Version(u32),
    /// It ends without its footer. All events before were good.
    #[error("the recording was cut off after {records} events")]
    Cut {
        /// How many events were read.
        records: u64,
    },
    /// A record makes no sense. All events before were good.
    #[error("the recording is damaged after {records} events: {what}")]
    Damaged {
        /// How many events were read.
        records: u64,
        /// What is wrong.
        what: String,
    },
    /// The file cannot be read.
    #[error("cannot read the recording: {0}")]
    Io(#[source] io::Error),
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input: Decoder::new(input).map_err(ReadError::Io)?,
            buffer: Bytes::new(),
            header: Header::default(),
            records: 0,
            skipped: 0,
            ended: false,
        };
        let first = reader.record().map_err(|error| match error {
            ReadError::Io(error) => ReadError::Io(error),
            _ => ReadError::NotARecording("it does not unpack to records"),
        })?;
        let Some(Kind::Header(header)) = first else {
            return Err(ReadError::NotARecording("it has no header"));
        };
        if header.version > VERSION {
            return Err(ReadError::Version(header.version));
        }
        reader.header = header;
        Ok(reader)
    }

    /// How and where the recording was made.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Records of kinds this reader does not know.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next event; `None` after the last one.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        while !self.ended {
            match self.record()? {
                None => self.skipped += 1,
                Some(Kind::Footer(footer)) => {
                    self.ended = true;
                    if footer.records != self.records + self.skipped {
                        return Err(self.damaged("the footer counts other records"));
                    }
                }
                Some(kind) => {
                    let event = convert::event(kind).map_err(|what| self.damaged(what))?;
                    self.records += 1;
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    /// The next record; `None` for a kind that is not known.
    fn record(&mut self) -> Result<Option<Kind>, ReadError> {
        let length = self.length()?;
        self.fill(length)?;
        let bytes = self.buffer.split_to(length);
        Record::decode(bytes)
            .map(|record| record.kind)
            .map_err(|error| self.damaged(error))
    }

    fn length(&mut self) -> Result<usize, ReadError> {
        for size in 1..=MAX_PREFIX {
            self.fill(size)?;
            if self.buffer[size - 1] < 0x80 {
                let mut prefix = self.buffer.slice(..size);
                let length = prost::decode_length_delimiter(&mut prefix)
                    .ok()
                    .filter(|length| *length <= MAX_RECORD);
                self.buffer.advance(size);
                return length.ok_or_else(|| self.damaged("a record too long"));
            }
        }
        Err(self.damaged("a length that does not end"))
    }

    /// Unpacks until at least `size` bytes are there.
    fn fill(&mut self, size: usize) -> Result<(), ReadError> {
        if self.buffer.len() >= size {
            return Ok(());
        }
        let mut buffer = BytesMut::with_capacity(size.max(CHUNK) + self.buffer.len());
        buffer.extend_from_slice(&self.buffer);
        while buffer.len() < size {
            let start = buffer.len();
            buffer.resize(start + CHUNK, 0);
            let result = self.input.read(&mut buffer[start..]);
            buffer.truncate(start + *result.as_ref().unwrap_or(&0));
            match result {
                Ok(0) => return Err(self.cut()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.input_error(error)),
            }
        }
        self.buffer = buffer.freeze();
        Ok(())
    }

    /// The zstd crate tells a cut-off frame and a damaged one by the kind.
    fn input_error(&mut self, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.cut(),
            _ if error.raw_os_error().is_some() => ReadError::Io(error),
            _ => self.damaged(error),
        }
    }

    fn cut(&mut self) -> ReadError {
        self.ended = true;
        ReadError::Cut {
            records: self.records,
        }
    }

    fn damaged(&mut self, what: impl std::fmt::Display) -> ReadError {
        self.ended = true;
        ReadError::Damaged {
            records: self.records,
            what: what.to_string(),
        }
    }
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("header", &self.header)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
