//! An entry of a hypothesis: a request that was told something, how far it has
//! got since, and how often others were handled before it.

use std::sync::Arc;

use super::super::progress::State;
use super::super::times::milliseconds;
use super::super::word::Word;
use super::super::words::{Outlook, Words};
use super::pace::{Pace, ROUNDS};
use crate::causality::path::mix;
use crate::time::Timestamp;

/// What may come with less than this probability is not waited for.
const OVER: f32 = 0.02;
/// Nobody waits longer (in ms).
const LONGEST: f32 = 1000.0;
/// Least probability of who was answered having done nothing but what is known.
const NOTHING_ELSE: f32 = 0.02;
/// Share of those who act again that have not done so after as many rounds.
const AGAIN: [f32; 3] = [1.0, 0.08, 0.02];

/// Of those who act later, the share that does so in each turn.
const LATER: f32 = 0.03;

/// A request that was told something and may do more because of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) who: u64,
    /// The batch of messages read by one of which it was told.
    pub(super) batch: u64,
    /// Rounds that it has let pass since.
    pub(super) passes: u8,
    /// Those before it was told.
    pub(super) base: u8,
    /// The round in which it acted first, and last.
    pub(super) acted: Option<(u8, u8)>,
    pub(super) state: State,
    /// What it was told, roughly.
    pub(super) kind: u64,
    pub(super) outlook: Arc<Outlook>,
    pub(super) pace: Pace,
    pub(super) taken: Word,
    pub(super) at: Timestamp,
    /// Probability of `taken` and nothing more at once, and of more.
    pub(super) none: f32,
    pub(super) more: f32,
}

impl Entry {
    /// What tells it from others.
    pub(super) fn key(&self) -> u64 {
        let acted = self.acted.map_or(0, |(_, last)| u64::from(last) + 1);
        let rounds = acted << 16 | u64::from(self.base) << 8 | u64::from(self.passes);
        let done = mix(self.taken.key(), rounds);
        mix(mix(self.who, self.state.key()), mix(done, self.batch))
    }

    /// Brings what is expected up to date with what was taken.
    pub(super) fn expect(&mut self, words: &Words) {
        let all = words.chance(&self.outlook, self.taken, 0);
        self.none = words.chance(&self.outlook, self.taken, u64::MAX).min(all);
        self.more = all - self.none;
    }

    /// Share of those who act that have not done so before this round.
    fn left(&self, round: u8) -> f32 {
        match self.acted {
            Some((_, last)) => {
                let since = usize::from(round.saturating_sub(last));
                AGAIN[since.min(AGAIN.len() - 1)]
            }
            None => self.pace.left(round.saturating_sub(self.base)),
        }
    }

    /// Probability of what is known of it if it has let so many rounds pass.
    pub(super) fn chance(&self, passes: u8) -> f32 {
        self.none + self.left(passes) * self.more
    }

    /// Probability that it acts, whenever that is.
    pub(super) fn unseen(&self) -> f32 {
        if self.more > 0.0 {
            self.left(self.passes) / self.chance(self.passes)
        } else {
            0.0
        }
    }

    /// Share of those who act that do so in this round.
    pub(super) fn acts(&self, round: u8) -> f32 {
        let now = self.left(round);
        (now - self.left(round + 1)).max(LATER * now)
    }

    /// Rounds from now until it may act.
    pub(super) fn slot(&self, batch: u64) -> u8 {
        self.passes.saturating_sub(self.age(batch))
    }

    /// Rounds that have passed when a new batch was read.
    pub(super) fn passed(&self, batch: u64) -> u8 {
        self.passes.max(self.age(batch))
    }

    /// Rounds that have passed when so many more have; they are not counted beyond
    /// what is told apart.
    pub(super) fn after(&self, rounds: u8) -> u8 {
        let most = self.base + ROUNDS as u8;
        self.passes
            .saturating_add(rounds)
            .min(most.max(self.passes))
    }

    fn age(&self, batch: u64) -> u8 {
        let most = u64::from(self.base) + ROUNDS as u64;
        batch.saturating_sub(self.batch).min(most) as u8
    }

    /// Whether it will do no more.
    pub(super) fn is_over(&self, words: &Words, now: Timestamp) -> bool {
        let later = words.may_come(&self.outlook, self.taken, u64::MAX);
        let more = later + self.left(self.passes) * self.more;
        let over = more < OVER * self.chance(self.passes) && !self.outlook.is_blank();
        over || milliseconds(self.at, now) >= LONGEST
    }

    /// Probability that who was answered, but not by this entry, did nothing but
    /// what is known.
    pub(super) fn ends(&self) -> f32 {
        let only = self.outlook.exactly(self.taken).max(NOTHING_ELSE);
        let chance = self.chance(self.passes);
        (only / chance.max(NOTHING_ELSE)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::progress::Progress;
    use super::super::pace::Paces;
    use super::*;

    fn entry() -> Entry {
        let words = Words::default();
        let state = State::new(1, 1, Progress::default(), false, false);
        let mut entry = Entry {
            who: 1,
            batch: 10,
            passes: 0,
            base: 0,
            acted: None,
            state,
            kind: 1,
            outlook: Arc::new(words.outlook(state)),
            pace: Paces::default().of(1, state),
            taken: Word::default(),
            at: Timestamp(0),
            none: 0.0,
            more: 0.0,
        };
        entry.expect(&words);
        entry
    }

    #[test]
    fn rounds_let_pass_make_it_less_likely() {
        let entry = entry();
        let chances: Vec<_> = (0..4).map(|round| entry.chance(round)).collect();
        assert!(chances.is_sorted_by(|a, b| a > b), "{chances:?}");
        assert!(entry.chance(60) >= entry.none);
    }

    #[test]
    fn a_new_batch_takes_at_least_a_round() {
        let mut entry = entry();
        assert_eq!((entry.slot(10), entry.passed(11)), (0, 1));
        entry.passes = 2;
        assert_eq!((entry.slot(10), entry.slot(11), entry.slot(12)), (2, 1, 0));
        assert_eq!(entry.passed(15), ROUNDS as u8);
    }

    #[test]
    fn who_begins_late_has_as_many_rounds_as_others() {
        let mut late = entry();
        (late.base, late.passes) = (7, 7);
        let rounds = ROUNDS as u8;
        assert_eq!(late.passed(10 + 100), 7 + rounds);
        assert_eq!(late.after(100), 7 + rounds);
        let (fresh, begun) = (entry(), late.clone());
        for round in 0..rounds {
            let same = fresh.chance(round) - begun.chance(7 + round);
            assert!(same.abs() < 1e-6, "{round}");
        }
        let begins = late.chance(late.passes) - late.none;
        let ends = late.chance(late.passed(10 + 100)) - late.none;
        assert!(ends < 0.2 * begins, "it is hardly expected any more");
    }
}
