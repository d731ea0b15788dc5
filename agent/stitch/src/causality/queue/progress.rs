//! How far a request has got, in a hypothesis.

use super::word::Label;
use crate::causality::path::mix;

/// How far a request has got, and what it was told: as hashes, finest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) keys: [u64; 3],
    /// Whether the request is answered, or there is none.
    pub(super) aside: bool,
    /// Whether calls of it are under way, or still to come for another reason.
    pub(super) waiting: bool,
}

/// What a request has done, whatever the order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Of all its calls.
    pub(super) issued: Bag,
    /// Of those under way.
    pub(super) out: Bag,
}

/// Calls by kind, whatever the order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bag {
    sum: u64,
    pub(super) count: u32,
}

impl Bag {
    pub(super) fn add(&mut self, label: Label) {
        self.sum = self.sum.wrapping_add(mix(u64::from(label), 1));
        self.count += 1;
    }

    pub(super) fn remove(&mut self, label: Label) {
        if self.count > 0 {
            self.sum = self.sum.wrapping_sub(mix(u64::from(label), 1));
            self.count -= 1;
        }
    }
}

impl Progress {
    /// Tells it from most others.
    pub(super) fn key(&self) -> u64 {
        mix(self.issued.sum, self.out.sum)
    }
}

impl State {
    /// That of a request for `route`, told `what`; `pending` if it may still make
    /// calls because of what it was told before.
    pub(super) fn new(
        route: u64,
        what: u64,
        progress: Progress,
        aside: bool,
        pending: bool,
    ) -> Self {
        let low = mix(route, what);
        let waiting = progress.out.count > 0 || pending;
        let middle = u64::from(progress.issued.count) << 1 | u64::from(waiting);
        let middle = mix(low, middle);
        let full = mix(progress.key(), u64::from(pending));
        let full = mix(low, full);
        Self {
            keys: [full, middle, low],
            aside,
            waiting,
        }
    }

    /// Tells it from all others.
    pub(super) fn key(&self) -> u64 {
        self.keys[0]
    }

    /// The same after a timer.
    pub(super) fn later(self) -> Self {
        Self {
            keys: self.keys.map(|key| mix(key, 7)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_more_to_do_for_another_reason_waits() {
        let state = |pending| State::new(1, 2, Progress::default(), false, pending);
        assert!(state(true).waiting && !state(false).waiting);
        assert_ne!(state(true).key(), state(false).key());
    }

    #[test]
    fn a_bag_forgets_what_is_taken_out() {
        let mut bag = Bag::default();
        bag.add(3);
        bag.add(4);
        bag.remove(3);
        bag.remove(4);
        assert_eq!(bag, Bag::default());
    }
}
