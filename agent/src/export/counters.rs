//! What became of the spans that an output was given.
//!
//! Each batch carries a [`Ticket`]. It is settled as exported or dropped for a
//! reason; one that is let go of otherwise counts as unsent. So what an output
//! was given always equals what it exported and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why an output dropped spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// Its queue was full: it is too slow, or cannot be reached.
    QueueFull,
    /// The collector took the request but not these spans (`partial_success`).
    Rejected,
    /// The collector refused the request for good.
    Refused,
    /// Every attempt failed for as long as attempts are made.
    GaveUp,
    /// It could not be written.
    WriteFailed,
    /// The agent ended first.
    Unsent,
}

impl Drop {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::Rejected,
        Self::Refused,
        Self::GaveUp,
        Self::WriteFailed,
        Self::Unsent,
    ];

    /// In the account and as a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::WriteFailed => "write_failed",
            Self::Unsent => "unsent",
        }
    }
}

/// Counters of one output; spans, except where said otherwise.
#[derive(Debug)]
pub struct Counters {
    /// The output's name.
    pub output: &'static str,
    given: AtomicU64,
    exported: AtomicU64,
    dropped: [AtomicU64; Drop::ALL.len()],
    /// Requests, or lines written.
    pub requests: AtomicU64,
    /// Requests that were sent again.
    pub retries: AtomicU64,
}

impl Counters {
    /// All zero.
    pub fn new(output: &'static str) -> Arc<Self> {
        Arc::new(Self {
            output,
            given: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            dropped: std::array::from_fn(|_| AtomicU64::new(0)),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        })
    }

    /// Counts `spans` as given to the output.
    pub fn ticket(self: &Arc<Self>, spans: usize) -> Ticket {
        let spans = spans as u64;
        self.given.fetch_add(spans, Relaxed);
        Ticket {
            spans,
            counters: Arc::clone(self),
        }
    }

    /// Given to the output so far.
    pub fn given(&self) -> u64 {
        self.given.load(Relaxed)
    }

    /// Exported so far.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Dropped so far, for each reason.
    pub fn dropped(&self) -> impl Iterator<Item = (Drop, u64)> {
        Drop::ALL
            .into_iter()
            .map(|reason| (reason, self.dropped[reason as usize].load(Relaxed)))
    }
}

/// The duty to say what became of some spans.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    spans: u64,
    counters: Arc<Counters>,
}

impl Ticket {
    /// The counters that it will be counted in.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// All of them were exported, but for `rejected` ones.
    pub fn exported(mut self, rejected: u64) {
        let rejected = rejected.min(self.spans);
        self.settle(Drop::Rejected, rejected);
        self.counters.exported.fetch_add(self.spans, Relaxed);
        self.spans = 0;
    }

    /// None of them was.
    pub fn dropped(mut self, reason: Drop) {
        self.settle(reason, self.spans);
    }

    fn settle(&mut self, reason: Drop, spans: u64) {
        self.counters.dropped[reason as usize].fetch_add(spans, Relaxed);
        self.spans -= spans;
    }
}

impl std::ops::Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Drop::Unsent, self.spans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ticket_is_settled_once() {
        let counters = Counters::new("test");
        counters.ticket(10).exported(0);
        counters.ticket(20).exported(3);
        counters.ticket(5).dropped(Drop::QueueFull);
        drop(counters.ticket(7));
        counters.ticket(2).exported(9);
        assert_eq!(counters.given(), 44);
        assert_eq!(counters.exported(), 27);
        let dropped: Vec<_> = counters.dropped().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            dropped,
            [(Drop::QueueFull, 5), (Drop::Rejected, 5), (Drop::Unsent, 7)]
        );
    }
}
