//! `wirespan run`: traces this host until interrupted.

use std::path::{Path, PathBuf};

use anyhow::Result;
use wirespan_stitch::engine::Engine;
use wirespan_stitch::event::Event;
use wirespan_stitch::time::Timestamp;

use crate::account::Account;
use crate::live::{self, Sink};
use crate::outputs::Outputs;
use crate::probe::Capture;
use crate::record::Recording;
use crate::state::{self, Keeper};
use crate::{cli, filters};

/// Traces what was asked for; ends with the account on standard error.
pub fn run(
    wanted: &cli::Filters,
    outputs: &cli::Outputs,
    stitching: &cli::Stitching,
    record: Option<&Path>,
) -> Result<()> {
    let config = filters::config(wanted)?;
    let mut engine = Engine::new(stitching.config());
    let keeper = directory(stitching, record.is_some()).map(|directory| {
        let audited = state::recall(&directory, &mut engine);
        Keeper::start(directory, audited)
    });
    let mut stitcher = Stitcher {
        engine,
        keeper: keeper.transpose()?,
        outputs: Outputs::start(outputs, true)?,
        recording: record.map(Recording::create).transpose()?,
    };
    let capture = live::watch(&config, &mut stitcher)?;
    let Stitcher {
        mut engine,
        keeper,
        outputs,
        recording,
    } = stitcher;
    if let Some(recording) = recording {
        recording.finish()?;
    }
    engine.finish();
    outputs.give(std::iter::from_fn(|| engine.poll_span()));
    if let Some(keeper) = keeper {
        keeper.finish(&engine);
    }
    let losses = capture.losses();
    let account = Account {
        self_audit: engine.self_audit(),
        engine: engine.account(),
        exported: outputs.finish(),
        source: vec![
            ("events lost: ring full".to_owned(), losses.ring_full),
            ("events lost: map full".to_owned(), losses.map_full),
            ("events lost: unreadable".to_owned(), losses.unreadable),
        ],
    };
    eprint!("{account}");
    Ok(())
}

/// Where state is kept. A recording is to give the very spans of the run when it
/// is replayed: such a run begins with nothing learnt, unless it is asked for.
fn directory(stitching: &cli::Stitching, recorded: bool) -> Option<PathBuf> {
    let wanted = stitching.state_dir.as_deref();
    let off = stitching.no_state || recorded && wanted.is_none();
    (!off).then(|| state::directory(wanted)).flatten()
}

struct Stitcher {
    engine: Engine,
    keeper: Option<Keeper>,
    outputs: Outputs,
    recording: Option<Recording>,
}

impl Sink for Stitcher {
    fn take(&mut self, event: Event) -> Result<()> {
        if let Some(recording) = &mut self.recording {
            recording.take(event.clone())?;
        }
        self.engine.handle_event(event);
        Ok(())
    }

    fn settle(
        &mut self,
        capture: &Capture,
        complete: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        if let Some(complete) = complete {
            self.engine.handle_timeout(complete);
        }
        while let Some(verdict) = self.engine.poll_verdict() {
            capture.apply(verdict);
        }
        self.outputs
            .give(std::iter::from_fn(|| self.engine.poll_span()));
        if let Some(keeper) = &mut self.keeper {
            keeper.settle(&self.engine);
        }
        let recording = match &mut self.recording {
            Some(recording) => recording.settle(capture, complete)?,
            None => None,
        };
        let engine = self.engine.poll_timeout().map(|(due, _)| due);
        Ok([engine, recording].into_iter().flatten().min())
    }
}
