//! The requests that are not answered, each with a bit of its own while there are
//! few.

use hashbrown::HashMap;

/// Requests known to be open; at more all are forgotten.
const MAX_OPEN: usize = 4096;

/// Requests that are not answered.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// With the bit of each; 0 for those beyond as many as there are bits.
    all: HashMap<u64, u128>,
    /// All bits given.
    bits: u128,
}

impl Open {
    /// One more. Whether all others had to be forgotten.
    pub(super) fn add(&mut self, who: u64) -> bool {
        let full = self.all.len() >= MAX_OPEN;
        if full {
            *self = Self::default();
        }
        let bit = 1_u128.checked_shl(self.bits.trailing_ones());
        let bit = bit.unwrap_or(0);
        self.bits |= bit;
        self.all.insert(who, bit);
        full
    }

    /// It is answered.
    pub(super) fn remove(&mut self, who: u64) {
        let bit = self.all.remove(&who).unwrap_or(0);
        self.bits &= !bit;
    }

    /// Whether it is open.
    pub(super) fn contains(&self, who: u64) -> bool {
        self.all.contains_key(&who)
    }

    /// Its bit; 0 if it is not open or has none.
    pub(super) fn bit(&self, who: u64) -> u128 {
        self.all.get(&who).copied().unwrap_or(0)
    }

    /// Requests.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Requests with bits other than these.
    pub(super) fn others(&self, bits: u128) -> u32 {
        (self.bits & !bits).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_bit_while_there_are_few() {
        let mut open = Open::default();
        (0..200).for_each(|who| assert!(!open.add(who)));
        assert_eq!(open.others(open.bit(3) | open.bit(5)), 126);
        assert_eq!(open.bit(150), 0);
        open.remove(3);
        assert!(!open.contains(3) && open.contains(150));
        assert_eq!(open.others(0), 127);
        assert!(!open.add(300));
        assert_eq!(open.others(0), 128);
    }

    #[test]
    fn of_too_many_all_are_forgotten() {
        let mut open = Open::default();
        let cleared = (0..=MAX_OPEN as u64).filter(|who| open.add(*who));
        assert_eq!(cleared.count(), 1);
        assert_eq!(open.len(), 1);
    }
}
