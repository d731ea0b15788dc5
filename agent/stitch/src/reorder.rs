//! Puts events into the order of their times.
//!
//! The processors of one machine write into one ring buffer, each a moment after
//! it took the time, so neighbours can be swapped. In: events in nearly the
//! right order. Out: events in order, late by at most [`HOLD`]; equal times stay
//! as they came. Of a source whose clock stands still no more than
//! [`MOST_EVENTS`] and [`MOST_BYTES`] are held back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Event;
use crate::time::Timestamp;

/// How long an event is held back for an earlier one to arrive. Between taking
/// the time and reserving its place an event is delayed by interrupts at most.
pub const HOLD: Duration = Duration::from_micros(500);

/// No more events than this are held back. A busy machine has a thousand of them
/// in [`HOLD`]; what comes after a later one was released is counted as late.
pub const MOST_EVENTS: usize = 8192;

/// No more copied bytes than this are held back: more than 100 Gbit/s bring in
/// [`HOLD`].
pub const MOST_BYTES: usize = 8 << 20;

/// Events waiting for earlier ones.
#[derive(Debug, Default)]
pub struct Reorder {
    waiting: VecDeque<Event>,
    /// Copied bytes in them.
    bytes: usize,
    released: Timestamp,
    late: u64,
}

impl Reorder {
    /// Takes an event in.
    pub fn push(&mut self, event: Event) {
        let time = event.time();
        if time < self.released {
            self.late += 1;
        }
        self.bytes += copied(&event);
        if self.waiting.back().is_none_or(|last| last.time() <= time) {
            return self.waiting.push_back(event);
        }
        let place = self.waiting.partition_point(|held| held.time() <= time);
        self.waiting.insert(place, event);
    }

    /// The next event, if it is known that no earlier one will come: because
    /// one that is [`HOLD`] later was seen, or all up to `complete` are here. Or
    /// because no more may wait.
    pub fn pop(&mut self, complete: Timestamp) -> Option<Event> {
        let newest = self.waiting.back()?.time();
        let horizon = complete.max(newest - HOLD);
        let full = self.waiting.len() > MOST_EVENTS || self.bytes > MOST_BYTES;
        let event = self
            .waiting
            .pop_front_if(|event| full || event.time() <= horizon)?;
        self.bytes -= copied(&event);
        self.released = self.released.max(event.time());
        Some(event)
    }

    /// The time of the earliest event that is held back.
    pub fn next(&self) -> Option<Timestamp> {
        Some(self.waiting.front()?.time() + HOLD)
    }

    /// How many events came after a later one had been released. They are
    /// handled all the same, out of their order.
    pub fn late(&self) -> u64 {
        self.late
    }
}

fn copied(event: &Event) -> usize {
    match event {
        Event::Data(data) => data.payload.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, pid: u32) -> Event {
        Event::Exited {
            time: Timestamp(time),
            pid,
        }
    }

    fn drain(reorder: &mut Reorder, complete: u64) -> Vec<u32> {
        std::iter::from_fn(|| reorder.pop(Timestamp(complete)))
            .map(|event| match event {
                Event::Exited { pid, .. } => pid,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn neighbours_are_put_right_and_equal_times_keep_their_order() {
        let mut reorder = Reorder::default();
        for (time, pid) in [(30, 3), (10, 1), (20, 2), (20, 22), (10, 11)] {
            reorder.push(at(time, pid));
        }
        assert_eq!(drain(&mut reorder, 0), []);
        assert_eq!(drain(&mut reorder, 30), [1, 11, 2, 22, 3]);
        assert_eq!(reorder.late(), 0);
    }

    #[test]
    fn a_later_event_releases_what_is_older_than_the_hold() {
        let mut reorder = Reorder::default();
        reorder.push(at(1_000, 1));
        reorder.push(at(1_000 + HOLD.as_nanos() as u64, 2));
        assert_eq!(drain(&mut reorder, 0), [1]);
        assert_eq!(drain(&mut reorder, u64::MAX), [2]);
    }

    #[test]
    fn where_time_stands_still_or_runs_backwards_no_more_than_so_many_wait() {
        for step in [0, 1] {
            let mut reorder = Reorder::default();
            let mut released = Vec::new();
            for pid in 0..20_000 {
                reorder.push(at(100_000 - step * u64::from(pid), pid));
                released.extend(drain(&mut reorder, 0));
            }
            assert_eq!(released.len(), 20_000 - MOST_EVENTS);
            released.extend(drain(&mut reorder, u64::MAX));
            released.sort_unstable();
            assert!(released.into_iter().eq(0..20_000));
        }
    }

    #[test]
    fn a_late_event_is_counted_and_handled() {
        let mut reorder = Reorder::default();
        reorder.push(at(50, 1));
        assert_eq!(drain(&mut reorder, 50), [1]);
        reorder.push(at(40, 2));
        assert_eq!(drain(&mut reorder, 50), [2]);
        assert_eq!(reorder.late(), 1);
    }
}
