//! Whole lines to a file or a pipe, also after a write that failed halfway: on
//! a full disk a line is lost, never the one behind it.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

/// Where lines go.
pub(super) struct Lines {
    output: Output,
    /// The output ends in the middle of a line.
    torn: bool,
}

enum Output {
    /// A regular file, ours alone: what is torn can be cut off.
    File(File),
    /// What has been written stays.
    Stream(Box<dyn Write + Send>),
}

impl Lines {
    /// To a file at `path`, created or emptied.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        if !file.metadata()?.is_file() {
            return Ok(Self::to(file));
        }
        Ok(Self {
            output: Output::File(file),
            torn: false,
        })
    }

    /// To what cannot be taken back, or is not ours alone.
    pub(super) fn to(stream: impl Write + Send + 'static) -> Self {
        Self {
            output: Output::Stream(Box::new(stream)),
            torn: false,
        }
    }

    /// Writes `line`, to which its end is added, and flushes it. After an error
    /// nothing of it is in a file; in a stream there may be a part of it, which
    /// the next line does not continue.
    pub(super) fn write(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        if self.torn {
            self.put(b"\n").map_err(|(_, error)| error)?;
            self.torn = false;
        }
        self.put(line).map_err(|(written, error)| {
            self.torn = written > 0 && !self.cut(written);
            error
        })
    }

    /// The error comes with how much was written before it.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let output: &mut dyn Write = match &mut self.output {
            Output::File(file) => file,
            Output::Stream(stream) => stream,
        };
        let mut written = 0;
        while !bytes.is_empty() {
            match output.write(bytes) {
                Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        output.flush().map_err(|error| (written, error))
    }

    /// Takes the last `written` bytes back; says whether that worked.
    fn cut(&mut self, written: usize) -> bool {
        let Output::File(file) = &mut self.output else {
            return false;
        };
        let cut = file.stream_position().and_then(|end| {
            let whole = end.saturating_sub(written as u64);
            file.set_len(whole)?;
            file.seek(SeekFrom::Start(whole))
        });
        cut.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes so many bytes, and no more until there is room again.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Disk {
        fn make_room(&self, bytes: usize) {
            self.0.lock().unwrap().0 = bytes;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, written) = &mut *self.0.lock().unwrap();
            if *room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(*room).min(3);
            *room -= count;
            written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn write(lines: &mut Lines, line: &str) -> io::Result<()> {
        lines.write(&mut line.as_bytes().to_vec())
    }

    #[test]
    fn a_torn_line_in_a_stream_is_ended_before_the_next() {
        let disk = Disk::default();
        let mut lines = Lines::to(disk.clone());
        disk.make_room(11);
        write(&mut lines, "first").unwrap();
        write(&mut lines, "second").unwrap_err();
        write(&mut lines, "third").unwrap_err();
        disk.make_room(1);
        write(&mut lines, "fourth").unwrap_err();
        disk.make_room(100);
        write(&mut lines, "fifth").unwrap();
        assert_eq!(disk.text(), "first\nsecon\nfifth\n");
    }

    #[test]
    fn a_line_that_only_lacks_its_end_gets_it() {
        let disk = Disk::default();
        let mut lines = Lines::to(disk.clone());
        disk.make_room(5);
        write(&mut lines, "first").unwrap_err();
        disk.make_room(100);
        write(&mut lines, "second").unwrap();
        assert_eq!(disk.text(), "first\nsecond\n");
    }

    #[test]
    fn a_torn_line_in_a_file_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let mut lines = Lines::create(&path).unwrap();
        write(&mut lines, "first").unwrap();
        lines.put(b"sec").unwrap();
        assert!(lines.cut(3));
        write(&mut lines, "third").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nthird\n");
    }
}
