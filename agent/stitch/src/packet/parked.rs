//! Segments that wait because they acknowledge what was not seen yet.
//!
//! Captures of several queues or processors have packets out of order: an
//! acknowledgment may stand before what it acknowledges. It waits for a few
//! packets, and all of the connection behind it, so that what was really lost
//! does not change the order of the rest.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::connection::Side;
use super::segment::Segment;
use crate::time::Timestamp;

/// So many later segments of the connection prove a loss.
const PATIENCE: usize = 16;

/// The same, by the capture's time.
const PATIENCE_TIME: Duration = Duration::from_millis(200);

/// The same, by bytes that wait.
const PATIENCE_BYTES: usize = 64 << 10;

/// What a waiting segment costs beside its bytes.
const OVERHEAD: usize = 128;

/// Segments in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Parked {
    waiting: VecDeque<Waiting>,
    cost: usize,
}

/// A segment that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub segment: Segment,
    pub side: Side,
    pub time: Timestamp,
}

impl Parked {
    /// Bytes that wait, with what that costs.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Copies the bytes: a slice would keep the whole read buffer alive.
    pub(super) fn push(&mut self, mut segment: Segment, side: Side, time: Timestamp) {
        segment.payload = Bytes::copy_from_slice(&segment.payload);
        let waiting = Waiting {
            segment,
            side,
            time,
        };
        self.cost += waiting.cost();
        self.waiting.push_back(waiting);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.cost -= first.cost();
        Some(first)
    }

    /// Takes out a segment with bytes that the first one acknowledges.
    pub(super) fn take_wanted(&mut self) -> Option<Waiting> {
        let first = self.waiting.front()?;
        let (side, acknowledged) = (first.side, first.segment.acknowledgment?);
        let place = self.waiting.iter().position(|waiting| {
            let segment = &waiting.segment;
            let before = acknowledged.wrapping_sub(segment.sequence).cast_signed() > 0;
            waiting.side != side && segment.length > 0 && before
        })?;
        let wanted = self.waiting.remove(place)?;
        self.cost -= wanted.cost();
        Some(wanted)
    }

    /// Whether the first has waited long enough.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.waiting.len() > PATIENCE
            || self.cost > PATIENCE_BYTES
            || self
                .first()
                .is_some_and(|first| now.since(first.time) >= PATIENCE_TIME)
    }
}

impl Waiting {
    fn cost(&self) -> usize {
        self.segment.payload.len() + OVERHEAD
    }
}
