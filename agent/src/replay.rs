//! `wirespan replay`: stitches what was recorded, with the same engine and the
//! same outputs as `run`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail};
use wirespan_stitch::engine::Engine;
use wirespan_stitch::packet::{self, Decoder};
use wirespan_stitch::span::Span;

use crate::account::Account;
use crate::capture_file;
use crate::cli;
use crate::outputs::Outputs;
use crate::recording::{MAGIC, ReadError, Reader};
use crate::state::{self, Keeper};

/// Stitches the file; ends with the account on standard error.
pub fn replay(path: &Path, outputs: &cli::Outputs, stitching: &cli::Stitching) -> Result<()> {
    let mut source = Source::open(path)?;
    let outputs = Outputs::start(outputs, false)?;
    let mut engine = Engine::new(stitching.config());
    let keeper = stitching.state_dir.clone().map(|directory| {
        let audited = state::recall(&directory, &mut engine);
        Keeper::start(directory, audited)
    });
    let keeper = keeper.transpose()?;
    let result = stitch(&mut source, &mut engine, |spans| outputs.give(spans));
    if let Some(keeper) = keeper {
        keeper.finish(&engine);
    }
    let account = Account {
        self_audit: engine.self_audit(),
        engine: engine.account(),
        exported: outputs.finish(),
        source: source.remarks(),
    };
    eprint!("{account}");
    result.with_context(|| path.display().to_string())
}

/// Feeds the source to the engine, and the engine's spans to `give`. The spans
/// of all that could be read are given even if there is an error.
pub fn stitch(
    source: &mut Source,
    engine: &mut Engine,
    mut give: impl FnMut(&mut dyn Iterator<Item = Span>),
) -> Result<()> {
    let result = loop {
        match source.feed(engine) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
        while engine.poll_verdict().is_some() {}
        give(&mut std::iter::from_fn(|| engine.poll_span()));
    };
    engine.finish();
    give(&mut std::iter::from_fn(|| engine.poll_span()));
    result
}

/// A file to replay.
pub enum Source {
    /// Made by `wirespan record`.
    Recording(Box<Reader<File>>),
    /// Made by tcpdump and its like.
    Capture(Box<Capture>),
}

/// A packet capture, and the connections in it.
pub struct Capture {
    reader: capture_file::Reader,
    decoder: Decoder,
    /// The file has ended, and the decoder was told so.
    ended: bool,
}

impl Source {
    /// Opens the file, and tells its kind by how it begins; `-` is a packet
    /// capture on standard input.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        if path == Path::new("-") {
            return Self::capture(path);
        }
        let mut file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
        let mut start = Vec::new();
        file.by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut start)
            .with_context(|| format!("cannot read {shown}"))?;
        if start == MAGIC {
            file.seek(SeekFrom::Start(0))
                .with_context(|| format!("cannot read {shown}"))?;
            let reader = Reader::new(file).with_context(|| shown.to_string())?;
            Ok(Self::Recording(Box::new(reader)))
        } else if capture_file::is_capture(&start) {
            Self::capture(path)
        } else {
            bail!("{shown}: neither a wirespan recording nor a packet capture");
        }
    }

    fn capture(path: &Path) -> Result<Self> {
        let reader = capture_file::open(path).with_context(|| path.display().to_string())?;
        let decoder = Decoder::new(packet::Limits::default());
        Ok(Self::Capture(Box::new(Capture {
            reader,
            decoder,
            ended: false,
        })))
    }

    /// Hands some events to the engine; whether more may follow.
    fn feed(&mut self, engine: &mut Engine) -> Result<bool> {
        match self {
            Self::Recording(reader) => match reader.next_event() {
                Ok(Some(event)) => engine.handle_event(event),
                Ok(None) => return Ok(false),
                Err(cut @ ReadError::Cut { .. }) => {
                    log::warn!("{cut}; what follows is of all before");
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            },
            Self::Capture(capture) => return capture.feed(engine),
        }
        Ok(true)
    }

    /// What the account should tell of the file itself.
    fn remarks(&self) -> Vec<(String, u64)> {
        match self {
            Self::Recording(reader) => {
                let skipped = reader.skipped();
                vec![("unknown records".to_owned(), skipped)]
            }
            Self::Capture(capture) => capture.remarks(),
        }
    }
}

impl Capture {
    /// Hands the events of one packet to the engine; whether more may follow.
    fn feed(&mut self, engine: &mut Engine) -> Result<bool> {
        match self.reader.next_packet()? {
            Some(packet) => {
                let (link, time, original) = (packet.link, packet.time, packet.original);
                self.decoder
                    .handle_packet(link, time, &packet.data, original);
            }
            None if self.ended => return Ok(false),
            None => {
                if let Some(note) = self.reader.note() {
                    log::warn!("{note}; what follows is of all before");
                }
                self.decoder.finish();
                self.ended = true;
            }
        }
        while let Some(event) = self.decoder.poll_event() {
            engine.handle_event(event);
        }
        Ok(true)
    }

    fn remarks(&self) -> Vec<(String, u64)> {
        let bad = [("damaged blocks", self.reader.bad_blocks())];
        self.decoder
            .counters()
            .iter()
            .chain(bad)
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }
}
