//! Events into a recording.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use prost::Message;
use wirespan_proto::recording::v1::{Footer, Header, Record, record::Kind};
use wirespan_stitch::event::Event;
use zstd::stream::write::Encoder;

use super::{VERSION, convert};

/// Low: a recorder must keep up with the ring buffer.
const COMPRESSION_LEVEL: i32 = 1;

/// A frame ends once this much went into it: what a cut can cost at most.
const FRAME_SIZE: usize = 4 << 20;

/// A frame ends this long after it began, if anything goes into it then.
const FRAME_AGE: Duration = Duration::from_secs(1);

/// Writes a recording. Dropped without [`Writer::finish`], it leaves a
/// recording that was cut off.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: Option<W>,
    frame: Option<Frame<W>>,
    scratch: Vec<u8>,
    records: u64,
}

struct Frame<W: Write> {
    encoder: Encoder<'static, W>,
    began: Instant,
    size: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a recording with its header; `header.version` is set here.
    pub fn new(output: W, header: Header) -> io::Result<Self> {
        let mut writer = Self {
            output: Some(output),
            frame: None,
            scratch: Vec::with_capacity(4096),
            records: 0,
        };
        writer.put(Kind::Header(Header {
            version: VERSION,
            ..header
        }))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Adds an event.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        self.records += 1;
        self.put_record(&convert::record(event))?;
        if self.frame.as_ref().is_some_and(Frame::is_due) {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the frame that is open, if one is: a reader gets all up to here.
    /// To be called when nothing has been written for a while.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(frame) = self.frame.take() {
            let mut output = frame.encoder.finish()?;
            output.flush()?;
            self.output = Some(output);
        }
        Ok(())
    }

    /// Events written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Ends the recording as a whole one.
    pub fn finish(mut self) -> io::Result<()> {
        let records = self.records;
        self.put(Kind::Footer(Footer { records }))?;
        self.flush()
    }

    fn put(&mut self, kind: Kind) -> io::Result<()> {
        self.put_record(&Record { kind: Some(kind) })
    }

    fn put_record(&mut self, record: &Record) -> io::Result<()> {
        self.scratch.clear();
        record
            .encode_length_delimited(&mut self.scratch)
            .map_err(io::Error::other)?;
        if self.frame.is_none() {
            // Without an output a frame failed to end: what comes now would be
            // unreadable.
            let output = self.output.take().ok_or(io::ErrorKind::BrokenPipe)?;
            self.frame = Some(Frame {
                encoder: Encoder::new(output, COMPRESSION_LEVEL)?,
                began: Instant::now(),
                size: 0,
            });
        }
        if let Some(frame) = &mut self.frame {
            frame.size += self.scratch.len();
            frame.encoder.write_all(&self.scratch)?;
        }
        Ok(())
    }
}

impl<W: Write> Frame<W> {
    fn is_due(&self) -> bool {
        self.size >= FRAME_SIZE || self.began.elapsed() >= FRAME_AGE
    }
}

impl<W: Write> std::fmt::Debug for Frame<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
