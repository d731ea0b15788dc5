//! Segments that wait because they acknowledge what was not seen yet.
//!
//! Captures of several queues, processors or taps have packets out of order: an
//! acknowledgment may stand before what it acknowledges. It waits, and so does
//! what acknowledges it, until that was told or is believed to be lost: so a
//! response never comes before its request.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::connection::Side;
use super::segment::Segment;
use crate::time::Timestamp;

/// So many later segments of the connection prove a loss. Where the captures of
/// two taps were put together, one direction may be some milliseconds late.
const PATIENCE: usize = 256;

/// The same, by the capture's time.
const PATIENCE_TIME: Duration = Duration::from_millis(200);

/// The same, by bytes that wait.
const PATIENCE_BYTES: usize = 1 << 20;

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

    /// The segment at a place in the order of their arrival.
    pub(super) fn get(&self, place: usize) -> Option<&Waiting> {
        self.waiting.get(place)
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

    /// Takes out the segment at a place.
    pub(super) fn take(&mut self, place: usize) -> Option<Waiting> {
        let waiting = self.waiting.remove(place)?;
        self.cost -= waiting.cost();
        Some(waiting)
    }

    /// Whether the first has waited long enough.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.waiting.len() > PATIENCE
            || self.cost > PATIENCE_BYTES
            || self
                .get(0)
                .is_some_and(|first| now.since(first.time) >= PATIENCE_TIME)
    }
}

impl Waiting {
    fn cost(&self) -> usize {
        self.segment.payload.len() + OVERHEAD
    }
}
