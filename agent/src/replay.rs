//! `wirespan replay`: stitches what was recorded, with the same engine and the
//! same outputs as `run`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail};
use wirespan_stitch::engine::{self, Engine};
use wirespan_stitch::span::Span;

use crate::account::Account;
use crate::cli;
use crate::outputs::Outputs;
use crate::recording::{MAGIC, ReadError, Reader};

/// Stitches the file; ends with the account on standard error.
pub fn replay(path: &Path, outputs: &cli::Outputs) -> Result<()> {
    let mut source = Source::open(path)?;
    let outputs = Outputs::start(outputs, false)?;
    let mut engine = Engine::new(engine::Config::default());
    let result = stitch(&mut source, &mut engine, |spans| outputs.give(spans));
    let account = Account {
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
#[derive(Debug)]
pub enum Source {
    /// Made by `wirespan record`.
    Recording(Box<Reader<File>>),
}

impl Source {
    /// Opens the file, and tells its kind by how it begins.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
        let mut start = Vec::new();
        file.by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut start)
            .with_context(|| format!("cannot read {shown}"))?;
        if start != MAGIC {
            bail!("{shown}: neither a wirespan recording nor a packet capture");
        }
        file.seek(SeekFrom::Start(0))
            .with_context(|| format!("cannot read {shown}"))?;
        let reader = Reader::new(file).with_context(|| shown.to_string())?;
        Ok(Self::Recording(Box::new(reader)))
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
        }
    }
}
