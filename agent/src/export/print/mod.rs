//! Traces for people: swim lanes in the terminal.
//!
//! Spans come in one by one; a trace is written when it has been quiet for a
//! while. Its own thread (`wirespan-print`) does it, so that a terminal that
//! stands still costs traces, which are counted, and never the data path.

mod hold;
mod lanes;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wirespan_stitch::span::Span;
use wirespan_stitch::time::WallTime;

use super::counters::{Counters, Drop, Ticket};
use hold::Hold;
pub use lanes::Style;

/// Span batches that wait for the terminal.
const QUEUE: usize = 64;

/// How often traces are looked through while any is held.
const TICK: Duration = Duration::from_millis(200);

/// Prints traces; [`Printer::finish`] it.
#[derive(Debug)]
pub struct Printer {
    queue: SyncSender<Job>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Job {
    spans: Vec<Span>,
    ticket: Ticket,
}

impl Style {
    /// For standard output or standard error, as it is and as `NO_COLOR` and
    /// `COLUMNS` ask.
    pub fn of(stdout: bool) -> Self {
        let is_terminal = if stdout {
            io::stdout().is_terminal()
        } else {
            io::stderr().is_terminal()
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = is_terminal
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| usize::from(width.0));
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        Self {
            width: terminal.or(columns).unwrap_or(Self::default().width),
            color: is_terminal && !no_color,
        }
    }
}

impl Printer {
    /// Starts the thread. `live`: time goes on also while no span comes.
    pub fn start(
        output: impl Write + Send + 'static,
        style: Style,
        live: bool,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("wirespan-print".to_owned())
            .spawn(move || run(&jobs, output, style, live))
            .context("cannot start the printer's thread")?;
        Ok(Self {
            queue,
            counters,
            thread,
        })
    }

    /// Queues spans. If the queue is full it waits, if `patient`, or drops them.
    pub fn offer(&self, spans: Vec<Span>, patient: bool) {
        let ticket = self.counters.ticket(spans.len());
        let job = Job { spans, ticket };
        if patient {
            // It fails only if the thread is gone; the ticket then says so.
            let _ = self.queue.send(job);
        } else if let Err(TrySendError::Full(job)) = self.queue.try_send(job) {
            job.ticket.dropped(Drop::QueueFull);
        }
    }

    /// Prints all that is held, and ends.
    pub fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            log::error!("the printer ended abnormally");
        }
    }
}

fn run(jobs: &Receiver<Job>, mut output: impl Write, style: Style, live: bool) {
    let mut hold = Hold::default();
    let mut broken = false;
    loop {
        let (job, ended) = next(jobs, live && !hold.is_empty());
        let due = match job {
            Some(Job { spans, ticket }) => {
                for span in &spans {
                    hold.add(span);
                }
                if broken {
                    ticket.dropped(Drop::WriteFailed);
                } else {
                    ticket.exported(0);
                }
                hold.due(None)
            }
            None if ended => hold.all(),
            None => hold.due(Some(now())),
        };
        for trace in due {
            let block = lanes::block(&trace, style);
            if !broken && let Err(error) = write(&mut output, &block) {
                broken = true;
                log::warn!("cannot print: {error}");
            }
        }
        if ended {
            return;
        }
    }
}

/// The next job; without one, whether that is the end of all.
fn next(jobs: &Receiver<Job>, tick: bool) -> (Option<Job>, bool) {
    if !tick {
        return jobs.recv().map_or((None, true), |job| (Some(job), false));
    }
    match jobs.recv_timeout(TICK) {
        Ok(job) => (Some(job), false),
        Err(RecvTimeoutError::Timeout) => (None, false),
        Err(RecvTimeoutError::Disconnected) => (None, true),
    }
}

fn write(output: &mut impl Write, block: &str) -> io::Result<()> {
    output.write_all(block.as_bytes())?;
    output.flush()
}

fn now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
