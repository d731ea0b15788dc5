//! From the data thread to the outputs.
//!
//! ```text
//! data thread → bounded queue → wirespan-export (maps, batches) ┬→ wirespan-otlp
//!                                                               ├→ wirespan-json
//!                                                               └→ wirespan-print
//! ```
//!
//! The data thread never waits while it traces: what finds a queue full is
//! dropped and counted. Where the source can wait (a file), so does everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result};
use wirespan_stitch::span::Span;

use super::batch::{Batch, Batcher, Limits, Mapping};
use super::counters::{Counters, Drop, Ticket};
use super::file::JsonLines;
use super::grpc::Exporter;
use super::print::Printer;

/// Spans that may wait for the export thread.
const WAITING: usize = 16_384;

/// Spans handed over at once.
const CHUNK: usize = 512;

/// The outputs there are.
#[derive(Debug, Default)]
pub struct Outputs {
    /// `--otlp`.
    pub otlp: Option<Exporter>,
    /// `--json`.
    pub json: Option<JsonLines>,
    /// `--print`.
    pub print: Option<Printer>,
}

/// The way to the outputs; [`Pipeline::finish`] it.
#[derive(Debug)]
pub struct Pipeline {
    queue: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    patient: bool,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Job {
    spans: Vec<Span>,
    ticket: Ticket,
}

impl Pipeline {
    /// Starts the export thread. `patient`: wait for slow outputs.
    pub fn start(outputs: Outputs, mapping: Mapping, patient: bool) -> Result<Self> {
        // Without patience `waiting` is the bound that counts.
        let slots = if patient { WAITING / CHUNK } else { WAITING };
        let (queue, jobs) = sync_channel(slots);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            batcher: Batcher::new(Limits::default(), mapping),
            outputs,
            waiting: Arc::clone(&waiting),
            patient,
        };
        let thread = std::thread::Builder::new()
            .name("wirespan-export".to_owned())
            .spawn(move || worker.run(&jobs))
            .context("cannot start the export thread")?;
        Ok(Self {
            queue,
            waiting,
            counters: Counters::new("export"),
            patient,
            thread,
        })
    }

    /// Hands over spans; takes them all.
    pub fn give(&self, mut spans: impl Iterator<Item = Span>) {
        loop {
            let chunk: Vec<_> = spans.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return;
            }
            self.give_chunk(chunk);
        }
    }

    /// Lets everything through that was handed over, ends the outputs, and says
    /// what became of the spans on the way to them.
    pub fn finish(self) -> Arc<Counters> {
        drop(self.queue);
        if self.thread.join().is_err() {
            log::error!("the export thread ended abnormally");
        }
        self.counters
    }

    fn give_chunk(&self, spans: Vec<Span>) {
        let count = spans.len();
        let job = Job {
            ticket: self.counters.ticket(count),
            spans,
        };
        if self.patient {
            // It fails only if the thread is gone; the ticket then says so.
            let _ = self.queue.send(job);
            return;
        }
        if self.waiting.load(Relaxed) + count > WAITING {
            return job.ticket.dropped(Drop::QueueFull);
        }
        self.waiting.fetch_add(count, Relaxed);
        if self.queue.try_send(job).is_err() {
            self.waiting.fetch_sub(count, Relaxed);
        }
    }
}

struct Worker {
    batcher: Batcher,
    outputs: Outputs,
    waiting: Arc<AtomicUsize>,
    patient: bool,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match self.next(jobs) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush();
        // One after the other: only the first can take long, and is bounded.
        if let Some(otlp) = self.outputs.otlp {
            otlp.finish();
        }
        if let Some(json) = self.outputs.json {
            json.finish();
        }
        if let Some(print) = self.outputs.print {
            print.finish();
        }
    }

    /// Sleeps for as long as there is nothing to do.
    fn next(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        match self.batcher.due() {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => jobs.recv_timeout(due.saturating_duration_since(Instant::now())),
        }
    }

    fn take(&mut self, Job { spans, ticket }: Job) {
        if !self.patient {
            self.waiting.fetch_sub(spans.len(), Relaxed);
        }
        if self.outputs.otlp.is_some() || self.outputs.json.is_some() {
            let now = Instant::now();
            for span in &spans {
                if let Some(batch) = self.batcher.add(span, now) {
                    self.send(batch);
                }
            }
            if self.batcher.due().is_some_and(|due| due <= now) {
                self.flush();
            }
        }
        if let Some(print) = &self.outputs.print {
            if self.patient {
                print.offer_patiently(spans.into());
            } else {
                print.offer(spans.into());
            }
        }
        ticket.exported(0);
    }

    fn flush(&mut self) {
        if let Some(batch) = self.batcher.take() {
            self.send(batch);
        }
    }

    fn send(&self, batch: Batch) {
        let batch = Arc::new(batch);
        if let Some(otlp) = &self.outputs.otlp {
            if self.patient {
                otlp.offer_patiently(&batch);
            } else {
                otlp.offer(&batch);
            }
        }
        if let Some(json) = &self.outputs.json {
            if self.patient {
                json.offer_patiently(batch);
            } else {
                json.offer(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use wirespan_stitch::exchange::Role;

    use super::super::print::Style;
    use super::*;
    use crate::testing;

    fn spans(count: usize) -> impl Iterator<Item = Span> {
        (0..count).map(|_| testing::span(1, None, Role::Server, 0, 1))
    }

    #[test]
    fn every_output_gets_every_span() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.jsonl");
        let counters = [Counters::new("json"), Counters::new("print")];
        let outputs = Outputs {
            json: Some(JsonLines::create(&path, Arc::clone(&counters[0])).unwrap()),
            print: Some(
                Printer::start(
                    std::io::sink(),
                    Style::default(),
                    false,
                    Arc::clone(&counters[1]),
                )
                .unwrap(),
            ),
            otlp: None,
        };
        let pipeline = Pipeline::start(outputs, Mapping::default(), true).unwrap();
        pipeline.give(spans(3000));
        let handed = pipeline.finish();
        assert_eq!((handed.given(), handed.exported()), (3000, 3000));
        for counters in counters {
            assert_eq!(counters.exported(), 3000, "{}", counters.output);
        }
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.matches("\"spanId\"").count(), 3000);
    }

    /// Blocks until it is let go.
    struct Stuck(Arc<Mutex<()>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            drop(self.0.lock());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_output_never_stops_the_data_thread() {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let counters = Counters::new("print");
        let printer = Printer::start(
            Stuck(Arc::clone(&lock)),
            Style::default(),
            true,
            Arc::clone(&counters),
        );
        let outputs = Outputs {
            print: Some(printer.unwrap()),
            ..Outputs::default()
        };
        let pipeline = Pipeline::start(outputs, Mapping::default(), false).unwrap();
        let (done, given) = channel();
        let data = std::thread::spawn(move || {
            pipeline.give(spans(200 * CHUNK));
            done.send(()).unwrap();
            pipeline.finish()
        });
        given
            .recv_timeout(std::time::Duration::from_secs(20))
            .expect("giving spans blocks");
        drop(held);
        let handed = data.join().unwrap();
        let dropped = |counters: &Counters| counters.dropped().map(|(_, count)| count).sum::<u64>();
        assert_eq!(handed.given(), 200 * CHUNK as u64);
        assert_eq!(handed.given(), handed.exported() + dropped(&handed));
        assert_eq!(counters.given(), handed.exported());
        assert_eq!(counters.given(), counters.exported() + dropped(&counters));
        assert!(dropped(&counters) > 0);
    }
}
