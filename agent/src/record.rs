//! `wirespan record`: writes what the kernel side tells, without stitching it.

use std::fs::File;
use std::path::Path;
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
    let filter = filters::resolve(wanted)?;
    let shown = path.display();
    let file = File::create(path).with_context(|| format!("cannot create {shown}"))?;
    let mut recording = Recording {
        writer: Writer::new(file, header()).with_context(|| format!("cannot write {shown}"))?,
        unflushed: None,
    };
    let capture = live::watch(filter, &mut recording).with_context(|| format!("{shown}"))?;
    let records = recording.writer.records();
    recording
        .writer
        .finish()
        .with_context(|| format!("cannot write {shown}"))?;
    let losses = capture.losses();
    let lost = losses.ring_full + losses.map_full + losses.unreadable;
    eprintln!("wirespan: recorded {records} events, lost {lost}");
    Ok(())
}

struct Recording {
    writer: Writer<File>,
    /// Since when there is something to flush.
    unflushed: Option<Timestamp>,
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
