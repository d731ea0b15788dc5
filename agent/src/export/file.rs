//! Batches to a file or standard output: one OTLP/JSON request a line
//! (`--json`). Its own thread (`wirespan-json`), so that a slow disk or a
//! reader that stands still costs spans, which are counted, and never the data
//! path.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use super::batch::Batch;
use super::counters::{Counters, Drop, Ticket};
use super::json;

/// Batches that wait to be written.
const QUEUE: usize = 8;

/// Writes batches; [`JsonLines::finish`] it.
#[derive(Debug)]
pub struct JsonLines {
    queue: SyncSender<Job>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Job {
    batch: Arc<Batch>,
    ticket: Ticket,
}

impl JsonLines {
    /// Creates the file at `path`, replacing one that is there; `-` is standard
    /// output.
    pub fn create(path: &Path, counters: Arc<Counters>) -> Result<Self> {
        if path == Path::new("-") {
            return Self::start(io::stdout(), counters);
        }
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Self::start(file, counters)
    }

    fn start(output: impl Write + Send + 'static, counters: Arc<Counters>) -> Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("wirespan-json".to_owned())
            .spawn(move || run(&jobs, output))
            .context("cannot start the JSON writer's thread")?;
        Ok(Self {
            queue,
            counters,
            thread,
        })
    }

    /// Queues a batch, or drops it if the queue is full.
    pub fn offer(&self, batch: Arc<Batch>) {
        let ticket = self.counters.ticket(batch.spans);
        if let Err(TrySendError::Full(job)) = self.queue.try_send(Job { batch, ticket }) {
            job.ticket.dropped(Drop::QueueFull);
        }
    }

    /// Queues a batch, waiting for room.
    pub fn offer_patiently(&self, batch: Arc<Batch>) {
        let ticket = self.counters.ticket(batch.spans);
        // It fails only if the thread is gone; the ticket then says so.
        let _ = self.queue.send(Job { batch, ticket });
    }

    /// Writes what is queued, and ends.
    pub fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            log::error!("the JSON writer ended abnormally");
        }
    }
}

fn run(jobs: &Receiver<Job>, mut output: impl Write) {
    let mut failing = false;
    for Job { batch, ticket } in jobs {
        let mut line = json::line(&batch.request);
        line.push('\n');
        match output
            .write_all(line.as_bytes())
            .and_then(|()| output.flush())
        {
            Ok(()) => {
                ticket.counters().requests.fetch_add(1, Relaxed);
                ticket.exported(0);
                failing = false;
            }
            Err(error) => {
                ticket.dropped(Drop::WriteFailed);
                if !failing {
                    log::warn!("cannot write JSON: {error}; spans are dropped");
                }
                failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::export::batch::{Batcher, Limits, Mapping};
    use crate::testing;

    fn batch(spans: usize) -> Arc<Batch> {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        for _ in 0..spans {
            batcher.add(&testing::span(1, None, Role::Server, 0, 1), Instant::now());
        }
        Arc::new(batcher.take().unwrap())
    }

    #[test]
    fn each_batch_is_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.jsonl");
        let counters = Counters::new("json");
        let lines = JsonLines::create(&path, Arc::clone(&counters)).unwrap();
        lines.offer(batch(2));
        lines.offer_patiently(batch(3));
        lines.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = [batch(2), batch(3)].map(|batch| json::line(&batch.request));
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(counters.exported(), 5);
    }

    #[test]
    fn a_full_disk_is_counted() {
        let counters = Counters::new("json");
        let lines = JsonLines::create(Path::new("/dev/full"), Arc::clone(&counters)).unwrap();
        lines.offer_patiently(batch(4));
        lines.finish();
        assert_eq!(counters.exported(), 0);
        assert!(
            counters
                .dropped()
                .any(|found| found == (Drop::WriteFailed, 4))
        );
    }

    #[test]
    fn a_file_that_cannot_be_is_named() {
        let error = JsonLines::create(Path::new("/nowhere/x"), Counters::new("json")).unwrap_err();
        assert!(format!("{error:#}").contains("cannot create /nowhere/x"));
    }
}
