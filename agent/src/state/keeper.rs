//! Writes what the engine learnt now and then, and when tracing ends, on a
//! thread of its own: the data path never waits for a disk.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wirespan_stitch::causality::Learnt;
use wirespan_stitch::engine::Engine;

use super::file::{self, Audited};

/// How often it is written while there is something new.
const INTERVAL: Duration = Duration::from_mins(1);

/// Keeps what the engine learns; [`Keeper::finish`] it.
#[derive(Debug)]
pub struct Keeper {
    sender: SyncSender<Vec<Learnt>>,
    writer: JoinHandle<()>,
    due: Instant,
    decided: u64,
    /// Self-audits of the run before, for kinds that this run has none of.
    audited: Vec<Audited>,
}

impl Keeper {
    /// Starts the thread that writes to this directory. `audited` is what
    /// [`super::recall`] gave.
    pub fn start(directory: PathBuf, audited: Vec<Audited>) -> Result<Self> {
        let (sender, receiver) = sync_channel::<Vec<Learnt>>(1);
        let mut failing = false;
        let mut write = move |learnt: &[Learnt]| {
            match file::write(&directory, learnt) {
                Ok(()) => failing = false,
                // Once is enough: it will be tried again.
                Err(error) if !failing => {
                    failing = true;
                    let shown = directory.display();
                    log::warn!("cannot keep what was learnt in {shown}: {error}");
                }
                Err(_) => {}
            }
        };
        let writer = Builder::new()
            .name("wirespan-state".to_owned())
            .spawn(move || receiver.iter().for_each(|learnt| write(&learnt)))
            .context("cannot start a thread")?;
        Ok(Self {
            sender,
            writer,
            due: Instant::now() + INTERVAL,
            decided: 0,
            audited,
        })
    }

    /// Has what was learnt written, if it is time to and there is something new.
    pub fn settle(&mut self, engine: &Engine) {
        if Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + INTERVAL;
        let decided = engine.account().causality.decisions;
        if decided == self.decided {
            return;
        }
        // The disk is slow: the next time will do.
        if let Err(TrySendError::Disconnected(_)) = self.sender.try_send(self.learnt(engine)) {
            log::warn!("the thread that keeps what was learnt has ended");
        } else {
            self.decided = decided;
        }
    }

    /// Writes what was learnt in the end, and waits for it.
    pub fn finish(self, engine: &Engine) {
        let learnt = self.learnt(engine);
        if !learnt.is_empty() && self.sender.send(learnt).is_err() {
            log::warn!("the thread that keeps what was learnt has ended");
        }
        drop(self.sender);
        if self.writer.join().is_err() {
            log::warn!("the thread that keeps what was learnt has failed");
        }
    }

    fn learnt(&self, engine: &Engine) -> Vec<Learnt> {
        let mut learnt = engine.learnt();
        for learnt in learnt.iter_mut().filter(|it| it.self_audit.known == 0) {
            let before = self.audited.iter().find(|(kind, _)| *kind == learnt.kind);
            if let Some((_, tally)) = before {
                learnt.self_audit = *tally;
            }
        }
        learnt
    }
}
