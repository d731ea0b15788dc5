//! One hypothesis of who waits: whose the calls under way are, and what each
//! request may still do.

use super::history::Past;
use super::progress::Progress;
use super::word::Label;
use crate::causality::path::mix;

/// Entries of one hypothesis, requests and calls under way; the oldest goes first.
pub(super) const MAX_ENTRIES: usize = 128;
/// Marks who stands for a call that no request made.
pub(super) const NOBODY: u64 = 1 << 63;
/// Marks who stands for a request, not known which, of which nothing was known.
pub(super) const LOST: u64 = 1 << 61;
/// Marks who made a call after a timer that nothing showed.
pub(super) const TIMED: u64 = 1 << 62;

/// Odd, with bits all over.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What tells an entry from others, and the bit of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) key: u64,
    pub(super) bit: u128,
}

/// One hypothesis.
#[derive(Debug, Default)]
pub(super) struct Hypothesis {
    /// Its probability.
    pub(super) weight: f64,
    /// Places of entries, in the order in which they would wait.
    pub(super) entries: Vec<u32>,
    /// What open requests have done.
    members: Vec<(u64, Progress)>,
    /// Calls under way, whose they are, and its bit.
    under_way: Vec<(u64, u64, u128)>,
    /// Bits of the open requests of which something is known.
    pub(super) known: u128,
    /// The last message that told something to a lost request.
    pub(super) stirred: u64,
    /// Where it comes from.
    pub(super) past: Past,
}

impl Hypothesis {
    /// The only one, which knows of nobody.
    pub(super) fn new() -> Self {
        Self {
            weight: 1.0,
            ..Self::default()
        }
    }

    /// Becomes the same as another one, without allocating where there is room.
    pub(super) fn copy(&mut self, other: &Self) {
        self.weight = other.weight;
        self.entries.clone_from(&other.entries);
        self.members.clone_from(&other.members);
        self.under_way.clone_from(&other.under_way);
        (self.stirred, self.known) = (other.stirred, other.known);
        self.past.clone_from(&other.past);
    }

    /// The same for all that agree on what can still matter; `tag` gives what tells
    /// an entry from others.
    pub(super) fn key(&mut self, tag: impl Fn(u32) -> Tag) -> u64 {
        let (mut line, mut known) = (1_u64, 0);
        for place in &self.entries {
            let tag = tag(*place);
            line = (line.rotate_left(5) ^ tag.key).wrapping_mul(SPREAD);
            known |= tag.bit;
        }
        // In whatever order.
        let mut others = 0_u64;
        for (who, progress) in &self.members {
            others = others.wrapping_add(mix(*who, progress.key()));
        }
        for (call, who, bit) in &self.under_way {
            others = others.wrapping_add(mix(*call, *who));
            known |= bit;
        }
        self.known = known;
        mix(line, others)
    }

    /// Takes the place of another one that has the same key.
    pub(super) fn absorb(&mut self, other: &Self) {
        let all = self.weight + other.weight;
        let part = |weight: f64| (weight / all) as f32;
        let (own, others) = (part(self.weight), part(other.weight));
        self.past.iter_mut().for_each(|(_, share)| *share *= own);
        let theirs = other.past.iter();
        self.past
            .extend(theirs.map(|(node, share)| (*node, share * others)));
        self.weight = all;
    }

    /// Whether nothing is known of a request that is open, as of when the key was
    /// last computed.
    pub(super) fn has_lost(&self, bit: u128) -> bool {
        self.known & bit == 0
    }

    /// The last in line.
    pub(super) fn add(&mut self, entry: u32) {
        push(&mut self.entries, entry);
    }

    /// What a request has done.
    pub(super) fn progress(&self, who: u64) -> Progress {
        let member = self.members.iter().find(|(id, _)| *id == who);
        member.map_or_else(Progress::default, |(_, progress)| *progress)
    }

    /// A call was made; `bit` is that of a request that is not answered.
    pub(super) fn call(&mut self, call: u64, who: u64, bit: u128, label: Label) {
        push(&mut self.under_way, (call, who, bit));
        if bit == 0 {
            return;
        }
        let place = self.members.iter().position(|(id, _)| *id == who);
        let place = place.unwrap_or_else(|| {
            push(&mut self.members, (who, Progress::default()));
            self.members.len() - 1
        });
        let progress = &mut self.members[place].1;
        progress.issued.add(label);
        progress.out.add(label);
    }

    /// A call was answered. Whose it was, if it is known.
    pub(super) fn answer(&mut self, call: u64, label: Label) -> Option<u64> {
        let place = self.under_way.iter().position(|(id, ..)| *id == call)?;
        let (_, who, _) = self.under_way.swap_remove(place);
        if let Some((_, progress)) = self.members.iter_mut().find(|(id, _)| *id == who) {
            progress.out.remove(label);
        }
        Some(who)
    }

    /// Whether a call of this request is under way.
    pub(super) fn has_under_way(&self, who: u64) -> bool {
        self.under_way.iter().any(|(_, other, _)| *other == who)
    }

    /// A request was answered. Its calls still under way.
    pub(super) fn forget(&mut self, who: u64) -> u8 {
        let under_way = self.under_way.iter_mut();
        under_way
            .filter(|call| call.1 == who)
            .for_each(|call| call.2 = 0);
        let place = self.members.iter().position(|(id, _)| *id == who);
        let out = place.map_or(0, |place| self.members.swap_remove(place).1.out.count);
        u8::try_from(out).unwrap_or(u8::MAX)
    }
}

/// Adds a last one; of too many the first goes.
fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= MAX_ENTRIES {
        all.remove(0);
    }
    all.push(one);
}
