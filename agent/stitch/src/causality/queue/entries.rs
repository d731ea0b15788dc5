//! The entries of all hypotheses. Hypotheses mostly agree, so they share them: what
//! a message changes is computed once for each entry, not for each hypothesis.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Written;
use super::deeds::Deeds;
use super::entry::{Entry, RESPONSES, View};
use super::hypothesis::Tag;
use super::progress::State;
use super::word::{Label, RESPONSE, TIMER, Word};
use super::words::{Outlook, Words};
use crate::time::Timestamp;

/// States of which it is remembered, for one message, what is expected.
const MAX_OUTLOOKS: usize = 256;
/// Entries from which those that nobody refers to are thrown away.
const CROWDED: usize = 2048;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It goes on as this one.
    Stays(u32),
    /// It is over, and this is the number of what was done.
    Gone(u64),
}

/// A change of an entry by one message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It made the call.
    Takes,
    /// It did not wait for the connection that was handed on.
    IsPassed,
    /// It made the call after a timer.
    WasLate,
}

/// What was computed of an entry for one message.
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    stamp: u32,
    fate: Option<(f32, Fate)>,
    view: Option<View>,
    /// By [`Change`].
    changed: [Option<u32>; 3],
}

/// What a request did after it was told something.
#[derive(Debug)]
pub(super) struct Done {
    state: State,
    word: Word,
}

/// All entries of one process.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) words: Words,
    all: Vec<Entry>,
    tags: Vec<Tag>,
    notes: Vec<Note>,
    stamp: u32,
    /// Entries and ends made for the present message.
    told: Vec<(u64, u64, u32)>,
    ended: Vec<(u32, Option<Label>, f32, u64)>,
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
        self.ended.clear();
        self.outlooks.clear();
    }

    /// Whose it is.
    pub(super) fn who(&self, at: u32) -> u64 {
        self.all[at as usize].who
    }

    /// What tells it from others.
    pub(super) fn tag(&self, at: u32) -> Tag {
        self.tags[at as usize]
    }

    /// A request is told something at message `step`; `who` and its bit.
    pub(super) fn tell(
        &mut self,
        (who, bit): (u64, u128),
        state: State,
        step: u64,
        at: Timestamp,
    ) -> u32 {
        let key = state.key();
        let same = self.told.iter().find(|told| (told.0, told.1) == (who, key));
        if let Some((.., present)) = same {
            return *present;
        }
        let outlook = self.outlook(state);
        let place = self.add(Entry {
            who,
            bit,
            step,
            state,
            chance: self.words.chance(&outlook, Word::default(), 0),
            outlook,
            taken: Word::default(),
            closed: 0,
            at,
        });
        self.told.push((who, key, place));
        place
    }

    /// The callees of `closed` are asked no more by who waits. Its probability,
    /// and what becomes of it.
    pub(super) fn close(&mut self, at: u32, closed: u64, now: Timestamp) -> (f32, Fate) {
        if let Some(known) = self.note(at).fate {
            return known;
        }
        let entry = &self.all[at as usize];
        let next = entry.closed_to(&self.words, closed);
        let factor = next.map_or(1.0, |(_, chance)| chance / entry.chance);
        let (all, chance) = next.unwrap_or((entry.closed, entry.chance));
        let fate = if entry.is_over(&self.words, (all, chance), now) {
            Fate::Gone(self.finish(at, None))
        } else if next.is_none() {
            Fate::Stays(at)
        } else {
            let mut next = entry.clone();
            (next.closed, next.chance) = (all, chance);
            Fate::Stays(self.add(next))
        };
        self.note(at).fate = Some((factor, fate));
        (factor, fate)
    }

    /// Likelihood of a response `gap` ms after message `step`, at once and by a
    /// timer.
    pub(super) fn responds(&self, at: u32, step: u64, gap: f32, now: Timestamp) -> [f32; 2] {
        self.all[at as usize].responds(&self.words, (step, gap), now)
    }

    /// The request was answered, perhaps by this act. Its probability, and the
    /// number of what was done.
    pub(super) fn end(&mut self, at: u32, act: Option<Label>) -> (f32, u64) {
        let same = |end: &&(u32, Option<Label>, f32, u64)| (end.0, end.1) == (at, act);
        if let Some((.., factor, number)) = self.ended.iter().find(same) {
            return (*factor, *number);
        }
        let factor = self.all[at as usize].ends(&self.words, act);
        let number = self.finish(at, act);
        self.ended.push((at, act, factor, number));
        (factor, number)
    }

    /// How an entry may explain a call that came `gap` ms after message `step`.
    /// `doubt` tells what the response makes of a cause.
    pub(super) fn view(
        &mut self,
        at: u32,
        call: &Written,
        (step, gap): (u64, f32),
        doubt: impl Fn(u64) -> f32,
    ) -> View {
        if let Some(known) = self.note(at).view {
            return known;
        }
        let entry = &self.all[at as usize];
        let mut view = entry.view(&self.words, call, (step, gap));
        view.doubt = doubt(view.who);
        if view.late > 0.0 {
            let later = entry.state.later();
            let outlook = self.outlook(later);
            view.late *= self.words.chance_of(&outlook, Word::default(), call.label);
        }
        self.note(at).view = Some(view);
        view
    }

    /// The entry that a call makes of one; `step` is the message before it.
    pub(super) fn change(&mut self, at: u32, change: Change, call: &Written, step: u64) -> u32 {
        if let Some(known) = self.note(at).changed[change as usize] {
            return known;
        }
        let closed = self.all[at as usize].closed;
        if matches!(change, Change::IsPassed) && closed & call.callee == call.callee {
            return at;
        }
        let mut entry = self.all[at as usize].clone();
        match change {
            Change::Takes => entry.taken.push(call.label),
            Change::IsPassed => entry.closed |= call.callee,
            Change::WasLate => {
                entry.state = entry.state.later();
                entry.outlook = self.outlook(entry.state);
                entry.taken = Word::of(call.label);
                if call.handed_on {
                    entry.closed = RESPONSES;
                } else {
                    (entry.closed, entry.step, entry.at) = (0, step, call.at);
                }
            }
        }
        entry.chance = self.words.chance(&entry.outlook, entry.taken, entry.closed);
        let next = self.add(entry);
        self.note(at).changed[change as usize] = Some(next);
        next
    }

    /// Learns what was done with numbers below `end`; `likely` gives the numbers
    /// and how likely each is.
    pub(super) fn learn(&mut self, end: u64, likely: impl Iterator<Item = (u64, f32)>) {
        for (done, share) in self.done.take(end, likely) {
            let full = self.words.learn(done.state, done.word, share);
            self.cleared += u64::from(full);
        }
    }

    /// Whether it is time to throw away what nobody refers to.
    pub(super) fn is_crowded(&self) -> bool {
        self.all.len() >= self.limit.max(CROWDED)
    }

    /// Throws away what none of these refers to; they are changed.
    pub(super) fn compact<'a>(&mut self, used: impl Iterator<Item = &'a mut u32>) {
        let mut moved: Vec<Option<u32>> = vec![None; self.all.len()];
        let (mut kept, mut tags) = (Vec::new(), Vec::new());
        for place in used {
            let old = *place as usize;
            *place = *moved[old].get_or_insert_with(|| {
                kept.push(self.all[old].clone());
                tags.push(self.tags[old]);
                (kept.len() - 1) as u32
            });
        }
        self.limit = 2 * kept.len();
        (self.all, self.tags) = (kept, tags);
        self.notes.clear();
        self.notes.resize(self.all.len(), Note::default());
    }

    /// Entries remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn add(&mut self, entry: Entry) -> u32 {
        self.tags.push(Tag {
            key: entry.key(),
            bit: entry.bit,
        });
        self.all.push(entry);
        self.notes.push(Note::default());
        (self.all.len() - 1) as u32
    }

    fn note(&mut self, at: u32) -> &mut Note {
        let note = &mut self.notes[at as usize];
        if note.stamp != self.stamp {
            *note = Note {
                stamp: self.stamp,
                ..Note::default()
            };
        }
        note
    }

    fn outlook(&mut self, state: State) -> Arc<Outlook> {
        if self.outlooks.len() >= MAX_OUTLOOKS {
            self.outlooks.clear();
        }
        let outlook = self.outlooks.entry(state.key());
        Arc::clone(outlook.or_insert_with(|| Arc::new(self.words.outlook(state))))
    }

    /// An entry is over, perhaps by this act. The number of what was done.
    fn finish(&mut self, at: u32, act: Option<Label>) -> u64 {
        let entry = &self.all[at as usize];
        let mut word = entry.taken;
        if let Some(label) = act.filter(|label| [RESPONSE, TIMER].contains(label)) {
            word.push(label);
        }
        self.done.add(Done {
            state: entry.state,
            word,
        })
    }
}
