//! `wirespan record`: writes what the kernel side tells, without stitching it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wirespan_proto::recording::v1::{Attribute, Header};
use wirespan_stitch::event::Event;
use wirespan_stitch::time::Timestamp;

use crate::live::{self, Sink};
use crate::probe::{self, Capture};
use crate::process::host;
use crate::recording::Writer;
use crate::{cli, filters};

/// How long an event may wait to be readable in the file.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Records to `path`, replacing a file that is there.
pub fn record(path: &Path, wanted: &cli::Filters) -> Result<()> {
    let config = filters::config(wanted)?;
    let mut recording = Recording::create(path)?;
    let capture =
        live::watch(&config, &mut recording).with_context(|| path.display().to_string())?;
    let records = recording.finish()?;
    let losses = capture.losses();
    let lost = losses.ring_full + losses.map_full + losses.unreadable;
    eprintln!("wirespan: recorded {records} events, lost {lost}");
    Ok(())
}

/// A recording that is being written.
pub struct Recording {
    path: PathBuf,
    writer: Writer<File>,
    /// Since when there is something to flush.
    unflushed: Option<Timestamp>,
}

impl Recording {
    /// Begins one, replacing a file that is there.
    pub fn create(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = File::create(path).with_context(|| format!("cannot create {shown}"))?;
        let writer =
            Writer::new(file, header()).with_context(|| format!("cannot write {shown}"))?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            unflushed: None,
        })
    }

    /// Ends it; says how many events it has.
    pub fn finish(self) -> Result<u64> {
        let Self { path, writer, .. } = self;
        let records = writer.records();
        writer
            .finish()
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(records)
    }
}

impl Sink for Recording {
    fn take(&mut self, event: Event) -> Result<()> {
        self.writer
            .write(&event)
            .context("cannot write the recording")?;
        if self.unflushed.is_none() {
            self.unflushed = Some(probe::now());
        }
        Ok(())
    }

    fn settle(&mut self, _: &Capture, _: Option<Timestamp>) -> Result<Option<Timestamp>> {
        let due = self.unflushed.map(|since| since + FLUSH_AFTER);
        if due.is_some_and(|due| due <= probe::now()) {
            self.writer.flush().context("cannot write the recording")?;
            self.unflushed = None;
            return Ok(None);
        }
        Ok(due)
    }
}

fn header() -> Header {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let host = host::attributes().into_iter();
    Header {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_nano: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        host: host.map(|(key, value)| Attribute { key, value }).collect(),
        ..Header::default()
    }
}
