//! An entry of a hypothesis: a request that was told something, and how far it has
//! got since.

use std::sync::Arc;

use super::Written;
use super::progress::State;
use super::times::{at_once, fires, milliseconds};
use super::word::{Label, RESPONSE, Word};
use super::words::{Outlook, Words};
use crate::causality::path::mix;
use crate::time::Timestamp;

/// The bit of responses among callees.
pub(super) const RESPONSES: u64 = 1;
/// What may come with less than this probability is not waited for.
const OVER: f32 = 0.02;
/// Nobody waits longer (in ms).
const LONGEST: f32 = 1000.0;
/// Timers less probable than this are left out.
const NO_TIMER: f32 = 0.004;
/// Least probability of who was answered having done nothing but what is known.
const NOTHING_ELSE: f32 = 0.02;
/// Probability that who waits for a timer answers when it has fired.
const FIRES_LAST: f32 = 0.5;
/// Who is passed over by a new connection did not wait, with this probability at
/// the least: others may be opened at once.
const NOT_IN_LINE: f32 = 0.5;
/// A request that was told something and may do more because of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) who: u64,
    /// The bit of an open request.
    pub(super) bit: u128,
    /// The message by which it was told.
    pub(super) step: u64,
    pub(super) state: State,
    pub(super) outlook: Arc<Outlook>,
    pub(super) taken: Word,
    /// Callees that it asks no more, as bits.
    pub(super) closed: u64,
    pub(super) at: Timestamp,
    /// Probability of `taken` and `closed`.
    pub(super) chance: f32,
}

/// How an entry may explain a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) who: u64,
    /// Likelihood of making it if nobody before waits; and later, by a timer.
    pub(super) act: f32,
    pub(super) late: f32,
    /// Probability of not waiting for the same.
    pub(super) pass: f32,
    /// Age in ms.
    pub(super) age: f32,
    /// What the response makes of it, as a factor.
    pub(super) doubt: f32,
}

impl Entry {
    /// What tells it from others.
    pub(super) fn key(&self) -> u64 {
        let done = mix(self.taken.key(), self.closed);
        mix(mix(self.who, self.state.key()), mix(done, self.step))
    }

    /// The callees asked no more, these too, and the probability of that; `None`
    /// if nothing changes.
    pub(super) fn closed_to(&self, words: &Words, closed: u64) -> Option<(u64, f32)> {
        let all = self.closed | closed;
        let change = all != self.closed;
        change.then(|| (all, words.chance(&self.outlook, self.taken, all)))
    }

    /// Whether it will do no more, with these callees closed.
    pub(super) fn is_over(
        &self,
        words: &Words,
        (closed, chance): (u64, f32),
        now: Timestamp,
    ) -> bool {
        let more = words.may_come(&self.outlook, self.taken, closed);
        let over = more < OVER * chance && !self.outlook.is_blank();
        over || milliseconds(self.at, now) >= LONGEST
    }

    /// Likelihood of a response `gap` ms after message `step`, at once and by a
    /// timer.
    pub(super) fn responds(
        &self,
        words: &Words,
        (step, gap): (u64, f32),
        now: Timestamp,
    ) -> [f32; 2] {
        let mut likelihood = [0.0; 2];
        if self.step == step {
            let chance = words.chance_of(&self.outlook, self.taken, RESPONSE);
            likelihood[0] = chance / self.chance * at_once(gap);
        }
        if self.taken.is_empty() {
            let waits = self.outlook.timer() / self.chance;
            likelihood[1] = FIRES_LAST * waits * fires(milliseconds(self.at, now));
        }
        likelihood
    }

    /// Probability that who was answered, perhaps by this act, did nothing but what
    /// is known.
    pub(super) fn ends(&self, words: &Words, act: Option<Label>) -> f32 {
        if act == Some(RESPONSE) {
            return 1.0;
        }
        let (mut taken, mut chance) = (self.taken, self.chance);
        if let Some(label) = act {
            taken.push(label);
            chance = words.chance(&self.outlook, taken, self.closed & !RESPONSES);
        }
        let only = self.outlook.exactly(taken).max(NOTHING_ELSE);
        (only / chance.max(NOTHING_ELSE)).min(1.0)
    }

    /// How it may explain a call that came `gap` ms after message `step`. What it
    /// would do after a timer is not in `late` yet.
    pub(super) fn view(&self, words: &Words, call: &Written, (step, gap): (u64, f32)) -> View {
        let waited = call.waited();
        let age = milliseconds(self.at, call.at);
        let asks = waited && self.closed & call.callee == 0;
        let (mut act, mut pass) = (0.0, 1.0);
        if asks || !waited && self.step == step {
            let chance = words.chance_of(&self.outlook, self.taken, call.label);
            act = chance / self.chance * if waited { 1.0 } else { at_once(gap) };
        }
        if asks {
            let closed = self.closed | call.callee;
            let least = if call.new { NOT_IN_LINE } else { 0.0 };
            pass = words.chance(&self.outlook, self.taken, closed) / self.chance;
            pass = pass.max(least);
        }
        let mut late = self.outlook.timer() / self.chance;
        if !self.taken.is_empty() || late < NO_TIMER {
            late = 0.0;
        } else if !waited {
            late *= fires(age);
        }
        View {
            who: self.who,
            act,
            late,
            pass,
            age,
            doubt: 1.0,
        }
    }
}
