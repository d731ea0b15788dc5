//! The kinds of calls of one process, numbered as they come.

use hashbrown::HashMap;

use super::word::{FIRST_CALL, LABELS, Label};

/// Labels by what is asked.
#[derive(Debug, Default)]
pub(super) struct Labels(HashMap<u64, Label>);

impl Labels {
    /// That of a call that asks this. Kinds beyond what is told apart share the
    /// last one.
    pub(super) fn of(&mut self, asked: u64) -> Label {
        let next = (self.0.len() + usize::from(FIRST_CALL)).min(LABELS - 1) as Label;
        if next == (LABELS - 1) as Label {
            return self.0.get(&asked).copied().unwrap_or(next);
        }
        *self.0.entry(asked).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_up_to_a_limit() {
        let mut labels = Labels::default();
        let last = (LABELS - 1) as Label;
        let first: Vec<_> = (0..1000).map(|asked| labels.of(asked)).collect();
        assert_eq!(first[..2], [FIRST_CALL, FIRST_CALL + 1]);
        assert_eq!((first[100], first[999]), (last, last));
        let again: Vec<_> = (0..1000).map(|asked| labels.of(asked)).collect();
        assert_eq!(first, again);
        assert!(labels.0.len() < LABELS);
    }
}
