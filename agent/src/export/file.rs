//! Batches to a file or standard output: one OTLP/JSON request a line
//! (`--json`). Its own thread (`wirespan-json`), so that a slow disk or a
//! reader that stands still costs spans, which are counted, and never the data
//! path.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use super::batch::Batch;
use super::counters::{Counters, Drop, Ticket};
use super::json;
use super::lines::Lines;
use super::quota::{self, Quota, Share};

/// Writes batches; [`JsonLines::finish`] it.
#[derive(Debug)]
pub struct JsonLines {
    queue: Sender<Job>,
    quota: Arc<Quota>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Job {
    batch: Batch,
    ticket: Ticket,
    _share: Share,
}

impl JsonLines {
    /// Creates the file at `path`, replacing one that is there; `-` is standard
    /// output.
    pub fn create(path: &Path, counters: Arc<Counters>) -> Result<Self> {
        let output = if path == Path::new("-") {
            Lines::to(io::stdout())
        } else {
            Lines::create(path).with_context(|| format!("cannot create {}", path.display()))?
        };
        let (queue, jobs) = channel();
        let thread = std::thread::Builder::new()
            .name("wirespan-json".to_owned())
            .spawn(move || run(&jobs, output))
            .context("cannot start the JSON writer's thread")?;
        Ok(Self {
            queue,
            quota: Quota::new(quota::WAITING),
            counters,
            thread,
        })
    }

    /// Queues a batch. If the queue is full it waits, if `patient`, or drops it.
    pub fn offer(&self, batch: Batch, patient: bool) {
        let ticket = self.counters.ticket(batch.spans);
        let Some(share) = self.quota.take(batch.size(), patient) else {
            return ticket.dropped(Drop::QueueFull);
        };
        // It fails only if the thread is gone; the ticket then says so.
        let _ = self.queue.send(Job {
            batch,
            ticket,
            _share: share,
        });
    }

    /// Writes what is queued, and ends.
    pub fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            log::error!("the JSON writer ended abnormally");
        }
    }
}

fn run(jobs: &Receiver<Job>, mut output: Lines) {
    let mut failing = false;
    let mut line = Vec::new();
    for Job { batch, ticket, .. } in jobs {
        line.clear();
        match write_line(&batch, &mut line, &mut output) {
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

fn write_line(batch: &Batch, line: &mut Vec<u8>, output: &mut Lines) -> io::Result<()> {
    json::put_line(&batch.request.concat(), line).map_err(io::Error::other)?;
    output.write(line)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::export::batch::{Batcher, Limits, Mapping};
    use crate::testing;

    fn batch(spans: usize) -> Batch {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        for _ in 0..spans {
            batcher.add(&testing::span(1, None, Role::Server, 0, 1), Instant::now());
        }
        batcher.take().unwrap()
    }

    #[test]
    fn each_batch_is_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.jsonl");
        let counters = Counters::new("json");
        let lines = JsonLines::create(&path, Arc::clone(&counters)).unwrap();
        lines.offer(batch(2), false);
        lines.offer(batch(3), true);
        lines.finish();
        let mut expected = Vec::new();
        for batch in [batch(2), batch(3)] {
            json::put_line(&batch.request.concat(), &mut expected).unwrap();
            expected.push(b'\n');
        }
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        assert_eq!(counters.exported(), 5);
    }

    #[test]
    fn a_full_disk_is_counted() {
        let counters = Counters::new("json");
        let lines = JsonLines::create(Path::new("/dev/full"), Arc::clone(&counters)).unwrap();
        lines.offer(batch(4), true);
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
