//! The places in a queue of requests, and what keeping them costs.

use std::collections::VecDeque;

use super::Pending;
use crate::exchange::Exchange;

/// One place in the queue.
#[derive(Debug)]
pub(super) enum Slot {
    Request(Pending),
    /// So many requests of which only the number is kept.
    Evicted {
        count: u32,
        bodiless: bool,
    },
    /// At least so many requests went by unseen here.
    Missed {
        at_least: u32,
    },
}

/// Places in the order of their requests.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Each with the number of the first request behind it.
    places: VecDeque<(u64, Slot)>,
    next: u64,
    bytes: usize,
    /// Requests that are `HEAD`, and not.
    bodiless: [usize; 2],
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes of memory that they keep, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the requests are `HEAD`: `None` if some are.
    pub(super) fn bodiless(&self) -> Option<bool> {
        match self.bodiless {
            [0, _] => Some(false),
            [_, 0] => Some(true),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.places.iter().map(|(_, slot)| slot)
    }

    pub(super) fn front(&self) -> Option<&Slot> {
        self.places.front().map(|(_, slot)| slot)
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Slot> {
        self.places.front_mut().map(|(_, slot)| slot)
    }

    pub(super) fn back(&self) -> Option<&Slot> {
        self.places.back().map(|(_, slot)| slot)
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Slot> {
        self.places.back_mut().map(|(_, slot)| slot)
    }

    /// The request with this number.
    pub(super) fn request(&self, ordinal: u64) -> Option<&Pending> {
        let place = self.places.partition_point(|(next, _)| *next <= ordinal);
        match self.places.get(place) {
            Some((_, Slot::Request(pending))) if pending.ordinal == ordinal => Some(pending),
            _ => None,
        }
    }

    pub(super) fn push_back(&mut self, slot: Slot) {
        if let Slot::Request(pending) = &slot {
            self.next = pending.ordinal + 1;
        }
        self.count(&slot, usize::wrapping_add);
        self.places.push_back((self.next, slot));
    }

    pub(super) fn pop_front(&mut self) -> Option<Slot> {
        let (_, slot) = self.places.pop_front()?;
        self.count(&slot, usize::wrapping_sub);
        Some(slot)
    }

    fn count(&mut self, slot: &Slot, with: fn(usize, usize) -> usize) {
        self.bytes = with(self.bytes, slot.bytes());
        let bodiless = match slot {
            Slot::Request(pending) => pending.is_head(),
            Slot::Evicted { bodiless, .. } => *bodiless,
            Slot::Missed { .. } => return,
        };
        let count = &mut self.bodiless[usize::from(!bodiless)];
        *count = with(*count, 1);
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        let beside = match self {
            Self::Request(pending) => {
                size_of::<Exchange>() + pending.exchange.request.fields.size()
            }
            Self::Evicted { .. } | Self::Missed { .. } => 0,
        };
        size_of::<Self>() + beside
    }
}
