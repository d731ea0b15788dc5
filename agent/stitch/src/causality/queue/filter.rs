//! Several hypotheses of who waits for a connection. In each of them every
//! message read belongs to a request, whose next acts follow from what requests
//! of its route do; those that cannot be seen at once wait for a connection, in
//! that order. A connection that is handed on tells who was first: hypotheses
//! that did not expect that lose weight.

use super::Written;
use super::crowd::{Crowd, OVERHEAD, nobody};
use super::entries::{Change, Entries, Fate};
use super::entry::RESPONSES;
use super::hypothesis::{Hypothesis, LOST, NOBODY, TIMED};
use super::open::Open;
use super::progress::{Progress, State};
use super::times::milliseconds;
use super::verdict::Verdict;
use super::ways::{CONTRADICTED, Way};
use super::word::{Label, RESPONSE, TIMER};
use crate::time::Timestamp;

/// Hypotheses kept.
pub(super) const MOST: usize = 32;
/// Calls after which what a request did is learnt, by those hypotheses that are
/// left.
const LAG: usize = 6;
/// Likelihood of a response that nothing known leads to.
const SUDDEN: f32 = 2e-5;
/// Of the response of a lost request, out of nowhere.
const LOST_RESPONDS: f32 = 1e-3;
/// Of a response while calls of the request are under way.
const UNFINISHED: f64 = 0.005;
/// Calls under way of which more make no difference.
const MANY_OUT: u8 = 8;
/// What a request is told by being read, and by being answered.
const REQUEST: u64 = 1 << 40;
const RESPONDED: u64 = 1 << 41;

/// The filter of one process.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) crowd: Crowd,
    pub(super) entries: Entries,
    /// Number of the message read last, and when.
    pub(super) step: u64,
    pub(super) read: Timestamp,
    /// Requests that are not answered.
    pub(super) open: Open,
    /// The ways found for a call.
    ways: Vec<Way>,
}

impl Filter {
    /// One that may take so many steps a call.
    pub(super) fn new(steps: u32) -> Self {
        Self {
            crowd: Crowd::new(MOST, steps),
            entries: Entries::default(),
            step: 0,
            read: Timestamp(0),
            open: Open::default(),
            ways: Vec::new(),
        }
    }

    /// What was read last has had its effect: those callees that have free
    /// connections are asked by nobody who waits.
    pub(super) fn end_turn(&mut self, free: u64, now: Timestamp) {
        self.entries.begin();
        let closed = free | RESPONSES;
        for hypothesis in &mut self.crowd.all {
            self.crowd.steps.spend(hypothesis.entries.len() + OVERHEAD);
            let (weight, past) = (&mut hypothesis.weight, &hypothesis.past);
            hypothesis.entries.retain_mut(|place| {
                let (factor, fate) = self.entries.close(*place, closed, now);
                *weight *= f64::from(factor);
                match fate {
                    Fate::Stays(next) => *place = next,
                    Fate::Gone(number) => self.crowd.history.did(past, number),
                }
                matches!(fate, Fate::Stays(_))
            });
        }
        self.crowd.prune();
        if self.entries.done.is_full() {
            self.give_up();
        }
        if self.entries.is_crowded() {
            let used = self.crowd.all.iter_mut().flat_map(|h| &mut h.entries);
            self.entries.compact(used);
        }
    }

    /// A request was read.
    pub(super) fn request(&mut self, who: u64, route: u64, at: Timestamp) {
        self.entries.cleared += u64::from(self.open.add(who));
        self.next(at);
        for index in 0..self.crowd.all.len() {
            self.tell(index, who, route, REQUEST, at);
        }
    }

    /// The answer to a call was read. `route` tells that of a request.
    pub(super) fn answer(
        &mut self,
        call: u64,
        label: Label,
        at: Timestamp,
        route: impl Fn(u64) -> u64,
    ) {
        self.next(at);
        for index in 0..self.crowd.all.len() {
            let who = self.crowd.all[index].answer(call, label);
            let who = who.unwrap_or(call | LOST);
            if who & LOST != 0 {
                self.crowd.all[index].stirred = self.step;
                continue;
            }
            self.tell(index, who, route(who), u64::from(label), at);
        }
    }

    /// A response was written.
    pub(super) fn response(&mut self, who: u64, route: u64, at: Timestamp) {
        self.entries.begin();
        for index in 0..self.crowd.all.len() {
            self.end(index, who, at);
        }
        self.open.remove(who);
        self.crowd.prune();
        self.next(at);
        for index in 0..self.crowd.all.len() {
            self.tell(index, who, route, RESPONDED, at);
        }
    }

    /// A call was written. Who made it, of the call that now leaves the window.
    pub(super) fn call(
        &mut self,
        call: &Written,
        contradicts: impl Fn(u64) -> bool,
    ) -> Option<(u64, Verdict)> {
        let afford = self.crowd.renew();
        self.crowd.merge(|place| self.entries.tag(place));
        self.entries.words.saw(call.label, call.callee);
        self.entries.begin();
        let mut ways = std::mem::take(&mut self.ways);
        ways.clear();
        let doubt = |who: u64| {
            let wrong = call.anchor.is_some_and(|anchor| anchor != who);
            if wrong || call.anchor.is_none() && contradicts(who) {
                CONTRADICTED
            } else {
                1.0
            }
        };
        for from in 0..self.crowd.all.len() {
            self.ways(from, call, &doubt, &mut ways);
        }
        self.foretell(call, &ways);
        if self.crowd.right.is_sure() {
            let nobody = nobody(ways.iter().map(|way| (way.who, way.weight)));
            self.entries.words.strayed(call.label, nobody);
        }
        self.choose(&mut ways, afford);
        self.follow(&ways, call);
        self.ways = ways;
        self.crowd.prune();
        self.leave()
    }

    /// Who made a call of the window; `None` if nothing is known of it.
    pub(super) fn verdict(&mut self, call: u64) -> Option<Verdict> {
        self.crowd.verdict(call)
    }

    /// Hypotheses followed at present.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.crowd.all.len()
    }

    fn next(&mut self, at: Timestamp) {
        self.step += 1;
        self.read = at;
        self.entries.begin();
    }

    /// Begins anew: for too long nothing of what was done could be learnt.
    fn give_up(&mut self) {
        self.crowd.give_up();
        let end = self.entries.done.next_number();
        self.entries.learn(end, std::iter::empty());
        self.entries.cleared += 1;
    }

    /// A request was answered, in one hypothesis.
    fn end(&mut self, index: usize, who: u64, at: Timestamp) {
        let gap = milliseconds(self.read, at);
        let hypothesis = &mut self.crowd.all[index];
        self.crowd.steps.spend(hypothesis.entries.len() + OVERHEAD);
        let mut all = SUDDEN;
        let mut best = (SUDDEN, None);
        let mut lost = true;
        for (place, entry) in hypothesis.entries.iter().enumerate() {
            if self.entries.who(*entry) != who {
                continue;
            }
            lost = false;
            let chances = self.entries.responds(*entry, self.step, gap, at);
            for (chance, label) in chances.into_iter().zip([RESPONSE, TIMER]) {
                all += chance;
                if chance > best.0 {
                    best = (chance, Some((place, label)));
                }
            }
        }
        if lost && !hypothesis.has_under_way(who) {
            all = if hypothesis.stirred == self.step {
                0.3 * super::times::at_once(gap)
            } else {
                LOST_RESPONDS
            };
        }
        let out = hypothesis.forget(who).min(MANY_OUT);
        hypothesis.weight *= f64::from(all) * UNFINISHED.powi(i32::from(out));
        let mut place = 0;
        hypothesis.entries.retain(|entry| {
            let act = best.1.filter(|(at, _)| *at == place);
            place += 1;
            if self.entries.who(*entry) != who {
                return true;
            }
            let act = act.map(|(_, label)| label);
            let (factor, number) = self.entries.end(*entry, act);
            hypothesis.weight *= f64::from(factor);
            self.crowd.history.did(&hypothesis.past, number);
            false
        });
    }

    /// Goes these ways, those from the same hypothesis next to each other.
    fn follow(&mut self, ways: &[Way], call: &Written) {
        let missed = self.entries.words.strays(call.label);
        self.crowd
            .history
            .begin(call.id, self.entries.done.next_number(), missed);
        let branches = ways.iter().map(|way| (way.from, way.weight));
        self.crowd.branch(branches);
        for (index, way) in ways.iter().enumerate() {
            let mut next = std::mem::take(&mut self.crowd.all[index]);
            self.take(&mut next, way, call);
            self.crowd.all[index] = next;
        }
    }

    /// The hypothesis goes this way.
    fn take(&mut self, next: &mut Hypothesis, way: &Way, call: &Written) {
        let mut change = |entry, change| self.entries.change(entry, change, call, self.step);
        if call.handed_on {
            for (place, entry) in next.entries.iter_mut().take(way.before).enumerate() {
                if Some(place) != way.entry {
                    *entry = change(*entry, Change::IsPassed);
                }
            }
        }
        match way.entry {
            Some(place) if way.after_timer => {
                let old = next.entries.remove(place);
                let entry = change(old, Change::WasLate);
                let last = next.entries.len();
                let at = if call.handed_on {
                    way.before.saturating_sub(1).min(last)
                } else {
                    last
                };
                next.entries.insert(at, entry);
            }
            Some(place) => next.entries[place] = change(next.entries[place], Change::Takes),
            None if way.is_unexpected() => {
                next.entries
                    .retain(|entry| self.entries.who(*entry) != way.who);
            }
            None => {}
        }
        next.call(call.id, way.who, self.open.bit(way.who), call.label);
        let timed = if way.after_timer { TIMED } else { 0 };
        let past = std::mem::take(&mut next.past);
        next.past = self.crowd.history.add(way.who | timed, past);
    }

    /// Learns what was done a while ago, as likely as it still is; the oldest call
    /// of the window leaves it, if that is full.
    fn leave(&mut self) -> Option<(u64, Verdict)> {
        if let Some((end, likely)) = self.crowd.done(LAG) {
            self.entries.learn(end, likely);
        }
        self.crowd.leave()
    }

    /// A request was told something, in one hypothesis.
    fn tell(&mut self, index: usize, who: u64, route: u64, what: u64, at: Timestamp) {
        let hypothesis = &mut self.crowd.all[index];
        let open = self.open.contains(who);
        let (progress, route) = match (open, who & NOBODY == 0) {
            (true, _) => (hypothesis.progress(who), route),
            (false, true) => (Progress::default(), route),
            (false, false) => (Progress::default(), 0),
        };
        let what = what | u64::from(!open) << 32;
        let mut before = hypothesis.entries.iter();
        let pending = open && before.any(|entry| self.entries.who(*entry) == who);
        let state = State::new(route, what, progress, !open, pending);
        let entry = self
            .entries
            .tell((who, self.open.bit(who)), state, self.step, at);
        hypothesis.add(entry);
    }
}
