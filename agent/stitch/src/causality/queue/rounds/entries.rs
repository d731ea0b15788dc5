//! The entries of all hypotheses. Hypotheses mostly agree, so they share them: what
//! a message changes is computed once for each entry, not for each hypothesis.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::deeds::Deeds;
use super::super::progress::State;
use super::super::times::{fires, milliseconds};
use super::super::word::{Label, TIMER, Word};
use super::super::words::{Outlook, Words};
use super::entry::Entry;
use super::pace::Paces;
use crate::time::Timestamp;

/// States of which it is remembered, for one message, what is expected.
const MAX_OUTLOOKS: usize = 256;
/// Entries from which those that nobody refers to are thrown away.
const CROWDED: usize = 2048;
/// Timers less probable than this are left out.
const NO_TIMER: f32 = 0.004;
/// How long a turn takes, about (in ms).
const TURN: f32 = 0.5;

/// A change of an entry by one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// It let so many rounds pass.
    Passed(u8),
    /// It acted after so many more.
    Took(u8, Label),
    /// It made a call after a timer.
    WasLate(Label),
}

/// How an entry may explain an act.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    stamp: u32,
    /// Probability of this act, of all that it may do, whenever.
    pub(super) act: f32,
    /// Likelihood of it after a timer.
    pub(super) late: f32,
}

/// What a request did after it was told something.
#[derive(Debug)]
pub(super) struct Done {
    state: State,
    kind: u64,
    word: Word,
    round: Option<u8>,
}

/// All entries of one process.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) words: Words,
    pub(super) paces: Paces,
    all: Vec<Entry>,
    keys: Vec<u64>,
    views: Vec<View>,
    stamp: u32,
    /// Entries, changes and ends made for the present message.
    told: Vec<(u64, u64, u32)>,
    changed: HashMap<(u32, Change), u32>,
    ended: Vec<(u32, Option<Label>, u64)>,
    outlooks: HashMap<u64, Arc<Outlook>>,
    /// What requests did in some hypothesis, to be learnt.
    pub(super) done: Deeds<Done>,
    /// Entries at which to throw away next.
    limit: usize,
    /// Tables that were full and begin anew.
    pub(super) cleared: u64,
}

impl Entries {
    /// The next message, or another thing that changes entries.
    pub(super) fn begin(&mut self) {
        self.stamp = self.stamp.wrapping_add(1);
        self.told.clear();
        self.changed.clear();
        self.ended.clear();
        self.outlooks.clear();
    }

    pub(super) fn get(&self, at: u32) -> &Entry {
        &self.all[at as usize]
    }

    /// What tells it from others.
    pub(super) fn key(&self, at: u32) -> u64 {
        self.keys[at as usize]
    }

    /// A request is told something, as one of this batch, so many rounds ago.
    pub(super) fn tell(
        &mut self,
        who: u64,
        state: State,
        kind: u64,
        (batch, passes): (u64, u8),
        at: Timestamp,
    ) -> u32 {
        let key = state.key();
        let same = self.told.iter().find(|told| (told.0, told.1) == (who, key));
        if let Some((.., present)) = same
            && self.get(*present).passes == passes
            && self.get(*present).batch == batch
        {
            return *present;
        }
        let outlook = self.outlook(state);
        let mut entry = Entry {
            who,
            batch,
            passes,
            base: passes,
            acted: None,
            state,
            kind,
            pace: self.paces.of(kind, state),
            outlook,
            taken: Word::default(),
            at,
            none: 0.0,
            more: 0.0,
        };
        entry.expect(&self.words);
        let place = self.add(entry);
        self.told.push((who, key, place));
        place
    }

    /// How an entry may explain an act.
    pub(super) fn view(&mut self, at: u32, label: Label, now: Timestamp) -> View {
        let known = self.views[at as usize];
        if known.stamp == self.stamp {
            return known;
        }
        let entry = &self.all[at as usize];
        let act = self.words.chance_of(&entry.outlook, entry.taken, label);
        let mut late = entry.outlook.timer();
        if !entry.taken.is_empty() || late < NO_TIMER {
            late = 0.0;
        } else {
            late *= TURN * fires(milliseconds(entry.at, now));
            let later = entry.state.later();
            let outlook = self.outlook(later);
            late *= self.words.chance_of(&outlook, Word::default(), label);
        }
        let view = View {
            stamp: self.stamp,
            act,
            late,
        };
        self.views[at as usize] = view;
        view
    }

    /// What becomes of an entry.
    pub(super) fn change(&mut self, at: u32, change: Change, batch: u64, now: Timestamp) -> u32 {
        if change == Change::Passed(0) {
            return at;
        }
        if let Some(known) = self.changed.get(&(at, change)) {
            return *known;
        }
        let mut entry = self.all[at as usize].clone();
        match change {
            Change::Passed(rounds) => {
                entry.passes = entry.after(rounds);
            }
            Change::Took(rounds, label) => {
                entry.passes = entry.after(rounds);
                let first = entry.acted.map_or(entry.passes, |(first, _)| first);
                entry.acted = Some((first, entry.passes));
                entry.taken.push(label);
                entry.expect(&self.words);
            }
            Change::WasLate(label) => {
                entry.state = entry.state.later();
                entry.outlook = self.outlook(entry.state);
                entry.taken = Word::of(label);
                (entry.passes, entry.base, entry.acted) = (0, 0, Some((0, 0)));
                (entry.batch, entry.at) = (batch, now);
                entry.expect(&self.words);
            }
        }
        let next = self.add(entry);
        self.changed.insert((at, change), next);
        next
    }

    /// Learns what was done with numbers below `end`; `likely` gives the numbers
    /// and how likely each is. What requests do that are answered already is learnt
    /// only if it is `understood` what others do: before that their calls are given
    /// to others, and it would be learnt that they make none.
    pub(super) fn learn(
        &mut self,
        end: u64,
        understood: bool,
        likely: impl Iterator<Item = (u64, f32)>,
    ) {
        for (done, share) in self.done.take(end, likely) {
            if understood || !done.state.aside {
                let mut full = self.words.learn(done.state, done.word, share);
                if let Some(round) = done.round {
                    full |= self.paces.learn(done.kind, done.state, round, share);
                }
                self.cleared += u64::from(full);
            }
        }
    }

    /// Whether it is time to throw away what nobody refers to.
    pub(super) fn is_crowded(&self) -> bool {
        self.all.len() >= self.limit.max(CROWDED)
    }

    /// Throws away what none of these refers to; they are changed.
    pub(super) fn compact<'a>(&mut self, used: impl Iterator<Item = &'a mut u32>) {
        let mut moved: Vec<Option<u32>> = vec![None; self.all.len()];
        let (mut kept, mut keys) = (Vec::new(), Vec::new());
        for place in used {
            let old = *place as usize;
            *place = *moved[old].get_or_insert_with(|| {
                kept.push(self.all[old].clone());
                keys.push(self.keys[old]);
                (kept.len() - 1) as u32
            });
        }
        self.limit = 2 * kept.len();
        (self.all, self.keys) = (kept, keys);
        self.views.clear();
        self.views.resize(self.all.len(), View::default());
        self.begin();
    }

    /// Entries remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// An entry is over, perhaps by this act. The number of what was done.
    pub(super) fn finish(&mut self, at: u32, act: Option<(Label, u8)>) -> u64 {
        let label = act.map(|(label, _)| label);
        let same = |end: &&(u32, Option<Label>, u64)| (end.0, end.1) == (at, label);
        if let Some((.., number)) = self.ended.iter().find(same) {
            return *number;
        }
        let entry = &self.all[at as usize];
        let mut word = entry.taken;
        let mut round = entry
            .acted
            .map(|(first, _)| first.saturating_sub(entry.base));
        if let Some((label, in_round)) = act {
            word.push(label);
            if label != TIMER && round.is_none() {
                round = Some(in_round.saturating_sub(entry.base));
            }
        }
        let (state, kind) = (entry.state, entry.kind);
        let number = self.done.add(Done {
            state,
            kind,
            word,
            round,
        });
        self.ended.push((at, label, number));
        number
    }

    fn add(&mut self, entry: Entry) -> u32 {
        self.keys.push(entry.key());
        self.all.push(entry);
        self.views.push(View::default());
        (self.all.len() - 1) as u32
    }

    fn outlook(&mut self, state: State) -> Arc<Outlook> {
        if self.outlooks.len() >= MAX_OUTLOOKS {
            self.outlooks.clear();
        }
        let outlook = self.outlooks.entry(state.key());
        Arc::clone(outlook.or_insert_with(|| Arc::new(self.words.outlook(state))))
    }
}
