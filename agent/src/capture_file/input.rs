//! The bytes of a capture: from a file or standard input, unpacked, with a
//! progress bar.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

use super::error::Error;

/// How much is read at once.
pub(super) const CHUNK: usize = 256 << 10;

/// Unpacked bytes.
pub(super) struct Input {
    pub bytes: Box<dyn BufRead>,
    pub compressed: bool,
    progress: ProgressBar,
}

impl Drop for Input {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

/// RFC 1952 section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&GZIP)
}

pub(super) fn open(path: &Path) -> Result<Input, Error> {
    if path.as_os_str() == "-" {
        return Input::new(io::stdin(), None).map_err(Error::Read);
    }
    let at_path = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at_path)?;
    let length = file.metadata().map_err(at_path)?.len();
    Input::new(file, (length > 0).then_some(length)).map_err(at_path)
}

impl Input {
    /// `length`: of all that can be read, if known.
    pub(super) fn new(raw: impl Read + 'static, length: Option<u64>) -> io::Result<Self> {
        let progress = progress_bar(length);
        let mut raw = progress.wrap_read(raw);
        // A pipe may have less than that at first.
        let mut start = Vec::new();
        raw.by_ref()
            .take(GZIP.len() as u64)
            .read_to_end(&mut start)?;
        let compressed = is_gzip(&start);
        let raw = BufReader::with_capacity(CHUNK, io::Cursor::new(start).chain(raw));
        let bytes: Box<dyn BufRead> = if compressed {
            Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self {
            bytes,
            compressed,
            progress,
        })
    }
}

/// Draws on standard error, and nothing if that is not a terminal.
fn progress_bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes}  {bytes_per_sec}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
