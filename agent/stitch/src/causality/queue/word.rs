//! What a request does at once: a few acts, whatever their order.

/// An act: a kind of call, or one of the two below.
pub(super) type Label = u8;
/// The response.
pub(super) const RESPONSE: Label = 0;
/// Waiting for a timer.
pub(super) const TIMER: Label = 1;
/// The first kind of call.
pub(super) const FIRST_CALL: Label = 2;
/// Kinds of calls of one process that are told apart; more share the last label.
pub(super) const LABELS: usize = 64;
/// Acts of the longest word; what goes beyond is left out.
pub(super) const LONGEST: usize = 6;

/// Up to [`LONGEST`] acts, sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    acts: [Label; LONGEST],
    length: u8,
    /// A bit for each kind of act.
    kinds: u64,
}

impl Word {
    /// This act alone.
    pub(super) fn of(label: Label) -> Self {
        let mut word = Self::default();
        word.push(label);
        word
    }

    /// The acts.
    pub(super) fn acts(&self) -> &[Label] {
        &self.acts[..usize::from(self.length)]
    }

    /// Whether nothing is done.
    pub(super) fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Whether there is no room for one more.
    pub(super) fn is_full(self) -> bool {
        usize::from(self.length) == LONGEST
    }

    /// Adds an act, if there is room.
    pub(super) fn push(&mut self, label: Label) {
        if self.is_full() {
            return;
        }
        let mut at = usize::from(self.length);
        while at > 0 && self.acts[at - 1] > label {
            self.acts[at] = self.acts[at - 1];
            at -= 1;
        }
        self.acts[at] = label;
        self.length += 1;
        self.kinds |= 1 << label;
    }

    /// What is left when `taken` is done; `None` if that is not of it.
    pub(super) fn without(self, taken: Self) -> Option<Self> {
        if taken.is_empty() {
            return Some(self);
        }
        if taken.kinds & !self.kinds != 0 {
            return None;
        }
        let mut left = Self::default();
        let mut taken = taken.acts().iter().peekable();
        for label in self.acts() {
            if taken.next_if_eq(&label).is_none() {
                left.acts[usize::from(left.length)] = *label;
                left.length += 1;
                left.kinds |= 1 << label;
            }
        }
        taken.peek().is_none().then_some(left)
    }

    /// Whether this act is of it.
    pub(super) fn has(self, label: Label) -> bool {
        self.kinds & 1 << label != 0
    }

    /// The same as a number.
    pub(super) fn key(self) -> u64 {
        let acts = self.acts().iter();
        acts.fold(1, |key, label| key << 8 | u64::from(*label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(labels: &[Label]) -> Word {
        let mut word = Word::default();
        for label in labels {
            word.push(*label);
        }
        word
    }

    #[test]
    fn the_order_of_acts_does_not_matter() {
        assert_eq!(word(&[3, 2, 5]), word(&[5, 3, 2]));
        assert_eq!(word(&[3, 2, 5]).acts(), [2, 3, 5]);
        assert_ne!(word(&[2, 2]).key(), word(&[2]).key());
    }

    #[test]
    fn what_was_done_is_taken_out_once() {
        let all = word(&[2, 2, 4]);
        assert_eq!(all.without(word(&[2])), Some(word(&[2, 4])));
        assert_eq!(all.without(word(&[2, 4, 2])), Some(Word::default()));
        assert_eq!(all.without(word(&[3])), None);
        assert_eq!(all.without(word(&[4, 4])), None);
    }

    #[test]
    fn what_goes_beyond_the_longest_is_left_out() {
        let mut word = word(&[2; LONGEST]);
        word.push(3);
        assert_eq!(word.acts(), [2; LONGEST]);
    }
}
