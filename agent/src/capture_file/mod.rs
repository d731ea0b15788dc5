//! Reads packet capture files: pcap and pcapng, plain or in gzip, from a file
//! or from standard input.
//!
//! In: a path. Out: [`Packet`]s with the time and the link type of each; their
//! bytes are slices of the read buffer. What is in them is left to
//! [`wirespan_stitch::packet`]. A file that is cut off or damaged is read up to
//! there, and [`Reader::note`] says so.

mod error;
mod input;
mod pcap;
mod pcapng;
mod reader;

use std::io::Read;
use std::path::Path;

use self::input::Input;

pub use error::{Error, Note};
pub use reader::{Packet, Reader};

/// Opens a capture file; `-` is standard input. Shows the progress on standard
/// error if that is a terminal.
pub fn open(path: &Path) -> Result<Reader, Error> {
    Reader::new(input::open(path)?)
}

/// Reads a capture from anywhere.
pub fn read(raw: impl Read + 'static) -> Result<Reader, Error> {
    Reader::new(Input::new(raw, None).map_err(Error::Read)?)
}

/// Whether a file that begins with `start` (4 bytes are enough) may be a
/// capture: pcap, pcapng, or something in gzip.
pub fn is_capture(start: &[u8]) -> bool {
    input::is_gzip(start) || pcap::is_pcap(start) || pcapng::is_pcapng(start)
}

#[cfg(test)]
mod tests;
