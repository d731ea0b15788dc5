//! What requests did in some hypothesis, numbered, until it is known how likely it
//! was and can be learnt.

use std::collections::VecDeque;

/// Things done that wait to be learnt.
const MOST: usize = 4096;

/// Things done, by number.
#[derive(Debug)]
pub(super) struct Deeds<T> {
    waiting: VecDeque<T>,
    /// The number of the first.
    first: u64,
}

impl<T> Default for Deeds<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            first: 0,
        }
    }
}

impl<T> Deeds<T> {
    /// Something was done. Its number.
    pub(super) fn add(&mut self, deed: T) -> u64 {
        let number = self.next_number();
        self.waiting.push_back(deed);
        number
    }

    /// The number that the next one has.
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// Whether too many wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST
    }

    /// Takes out those with numbers below `end` that are likely at all, with how
    /// likely; `likely` gives the numbers and shares.
    pub(super) fn take(
        &mut self,
        end: u64,
        likely: impl Iterator<Item = (u64, f32)>,
    ) -> impl Iterator<Item = (T, f32)> + '_ {
        let due = end.saturating_sub(self.first) as usize;
        let due = due.min(self.waiting.len());
        let mut shares = vec![0.0; due];
        for (number, share) in likely {
            let at = number.checked_sub(self.first);
            if let Some(present) = at.and_then(|at| shares.get_mut(at as usize)) {
                *present += share;
            }
        }
        self.first += due as u64;
        let deeds = self.waiting.drain(..due).zip(shares);
        deeds.filter(|(_, share)| *share > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_one_add_up_and_what_has_none_is_gone() {
        let mut deeds = Deeds::default();
        let numbers = ["a", "b", "c"].map(|deed| deeds.add(deed));
        assert_eq!(numbers, [0, 1, 2]);
        let likely = [(0, 0.25), (0, 0.5), (2, 1.0), (9, 1.0)].into_iter();
        assert_eq!(deeds.take(2, likely).collect::<Vec<_>>(), [("a", 0.75)]);
        assert_eq!(deeds.next_number(), 3);
        let likely = [(0, 1.0), (2, 0.5)].into_iter();
        assert_eq!(deeds.take(9, likely).collect::<Vec<_>>(), [("c", 0.5)]);
        assert_eq!((deeds.next_number(), deeds.is_full()), (3, false));
    }

    #[test]
    fn so_many_wait_at_most() {
        let mut deeds = Deeds::default();
        for deed in 0..MOST {
            assert!(!deeds.is_full());
            deeds.add(deed);
        }
        assert!(deeds.is_full());
    }
}
