//! From the data thread to the outputs.
//!
//! ```text
//! data thread (encodes, batches) ┬→ queue → wirespan-otlp
//!          wirespan-export (age) ┼→ queue → wirespan-json
//!                                └→ queue → wirespan-print
//! ```
//!
//! A span is encoded by the thread that made it: that takes less time than to
//! hand it to another thread and have its memory freed there, and its bytes are
//! a fraction of its size. The data thread never waits while it traces: what
//! finds an output's queue full is dropped and counted. Where the source can
//! wait (a file), so does everything.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result};
use wirespan_stitch::span::Span;

use super::batch::{Batch, Batcher, Limits, Mapping};
use super::counters::Counters;
use super::file::JsonLines;
use super::grpc::Exporter;
use super::print::Printer;

/// Spans handed to the printer at once.
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
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    timer: JoinHandle<()>,
}

/// What the data thread and the timer share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// For the timer: a batch began, or nothing more comes.
    woken: Condvar,
    outputs: Outputs,
    patient: bool,
}

#[derive(Debug)]
struct State {
    batcher: Batcher,
    /// The timer has nothing to wait for.
    idle: bool,
    closed: bool,
}

impl Pipeline {
    /// Starts the timer. `patient`: wait for slow outputs.
    pub fn start(outputs: Outputs, mapping: Mapping, patient: bool) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                batcher: Batcher::new(Limits::default(), mapping),
                idle: false,
                closed: false,
            }),
            woken: Condvar::new(),
            outputs,
            patient,
        });
        let timer = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("wirespan-export".to_owned())
                .spawn(move || shared.send_in_time())
                .context("cannot start the export thread")?
        };
        Ok(Self {
            shared,
            counters: Counters::new("export"),
            timer,
        })
    }

    /// Hands over spans; takes them all.
    pub fn give(&self, spans: impl Iterator<Item = Span>) {
        let count = self.shared.take(spans);
        if count > 0 {
            self.counters.ticket(count).exported(0);
        }
    }

    /// Lets everything through that was handed over, ends the outputs, and says
    /// what became of the spans on the way to them.
    pub fn finish(self) -> Arc<Counters> {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.flush(&mut state.batcher);
        drop(state);
        self.shared.woken.notify_one();
        if self.timer.join().is_err() {
            log::error!("the export thread ended abnormally");
        }
        if let Some(shared) = Arc::into_inner(self.shared) {
            shared.outputs.finish();
        }
        self.counters
    }
}

impl Outputs {
    /// One after the other: only the first can take long, and is bounded.
    fn finish(self) {
        if let Some(otlp) = self.otlp {
            otlp.finish();
        }
        if let Some(json) = self.json {
            json.finish();
        }
        if let Some(print) = self.print {
            print.finish();
        }
    }
}

impl Shared {
    fn take(&self, spans: impl Iterator<Item = Span>) -> usize {
        let encodes = self.outputs.otlp.is_some() || self.outputs.json.is_some();
        let now = Instant::now();
        let mut count = 0;
        let mut printed = Vec::new();
        let mut state = self.lock();
        for span in spans {
            count += 1;
            if encodes && let Some(batch) = state.batcher.add(&span, now) {
                self.send(batch);
            }
            if let Some(printer) = &self.outputs.print {
                printed.push(span);
                if printed.len() == CHUNK {
                    printer.offer(std::mem::take(&mut printed), self.patient);
                }
            }
        }
        if state.idle && state.batcher.due().is_some() {
            state.idle = false;
            self.woken.notify_one();
        }
        if let Some(printer) = &self.outputs.print
            && !printed.is_empty()
        {
            printer.offer(printed, self.patient);
        }
        count
    }

    /// Sends batches that did not fill up in time.
    fn send_in_time(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            state = match state.batcher.due() {
                Some(due) if due <= now => {
                    self.flush(&mut state.batcher);
                    state
                }
                Some(due) => {
                    let woken = self.woken.wait_timeout(state, due - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    state.idle = true;
                    let woken = self.woken.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn flush(&self, batcher: &mut Batcher) {
        if let Some(batch) = batcher.take() {
            self.send(batch);
        }
    }

    fn send(&self, batch: Batch) {
        if let Some(json) = &self.outputs.json {
            json.offer(batch.clone(), self.patient);
        }
        if let Some(otlp) = &self.outputs.otlp {
            otlp.offer(batch, self.patient);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
