//! Several hypotheses of what each request has done, where a loop reads several
//! messages and then acts on them in rounds.

use super::super::crowd::{Crowd, OVERHEAD, nobody};
use super::super::hypothesis::{Hypothesis, MAX_ENTRIES, NOBODY, TIMED, Tag};
use super::super::open::Open;
use super::super::progress::{Progress, State};
use super::super::verdict::Verdict;
use super::super::word::{Label, RESPONSE, TIMER};
use super::entries::{Change, Entries};
use super::ways::{Actor, CONTRADICTED, Way};
use crate::causality::path::mix;
use crate::time::Timestamp;

/// Hypotheses kept.
const MOST: usize = 64;
/// Calls after which what a request did is learnt, by those hypotheses that are
/// left.
const LAG: usize = 8;
/// Likelihood of a response that nothing known leads to.
const SUDDEN: f32 = 2e-4;
/// Of a response while calls of the request are under way.
const UNFINISHED: f64 = 0.005;
/// Calls under way of which more make no difference.
const MANY_OUT: u8 = 8;
/// The bit of all callees: which of them is asked makes no difference.
const CALLS: u64 = 2;
/// What a request is told by being read, and by being answered.
const REQUEST: u64 = 1 << 40;
const RESPONDED: u64 = 1 << 41;

/// A call that was written, and what followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) label: Label,
    /// Whether it is the first on its connection.
    pub(super) first: bool,
    pub(super) at: Timestamp,
    /// The request whose response follows the call's answer.
    pub(super) anchor: Option<u64>,
}

/// The filter of one process.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) crowd: Crowd,
    pub(super) entries: Entries,
    /// Number of the batch of messages read last; whether anything was
    /// written since.
    pub(super) batch: u64,
    wrote: bool,
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
            batch: 0,
            wrote: false,
            open: Open::default(),
            ways: Vec::new(),
        }
    }

    /// A message is read: perhaps the first after others were written.
    fn read(&mut self, now: Timestamp) {
        if !self.wrote {
            return;
        }
        self.wrote = false;
        self.batch += 1;
        self.entries.begin();
        for hypothesis in &mut self.crowd.all {
            self.crowd.steps.spend(hypothesis.entries.len() + OVERHEAD);
            let (weight, past) = (&mut hypothesis.weight, &hypothesis.past);
            hypothesis.entries.retain_mut(|place| {
                let entry = self.entries.get(*place);
                let passes = entry.passed(self.batch);
                let chance = entry.chance(entry.passes);
                let rounds = passes - entry.passes;
                *weight *= f64::from(entry.chance(passes) / chance);
                *place = self
                    .entries
                    .change(*place, Change::Passed(rounds), self.batch, now);
                let entry = self.entries.get(*place);
                let over = entry.is_over(&self.entries.words, now);
                if over {
                    *weight *= f64::from(entry.none / entry.chance(passes));
                    let number = self.entries.finish(*place, None);
                    self.crowd.history.did(past, number);
                }
                !over
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
        self.read(at);
        self.entries.begin();
        for index in 0..self.crowd.all.len() {
            self.tell(index, who, route, REQUEST, at, None);
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
        self.read(at);
        self.entries.begin();
        for index in 0..self.crowd.all.len() {
            let who = self.crowd.all[index].answer(call, label);
            let who = who.unwrap_or(call | NOBODY);
            self.tell(index, who, route(who), u64::from(label), at, None);
        }
    }

    /// A response was written.
    pub(super) fn response(&mut self, who: u64, route: u64, at: Timestamp) {
        self.wrote = true;
        self.entries.begin();
        let mut places = Vec::new();
        for index in 0..self.crowd.all.len() {
            places.push(self.end(index, who, at));
        }
        self.open.remove(who);
        self.entries.begin();
        for (index, place) in places.into_iter().enumerate() {
            self.tell(index, who, route, RESPONDED, at, Some(place));
        }
        self.crowd.prune();
    }

    /// A call was written. Who made it, of the call that now leaves the window.
    pub(super) fn call(
        &mut self,
        call: &Call,
        contradicts: impl Fn(u64) -> bool,
    ) -> Option<(u64, Verdict)> {
        self.wrote = true;
        let afford = self.crowd.renew();
        self.crowd.merge(|place| Tag {
            key: self.entries.key(place),
            bit: 0,
        });
        self.entries.words.saw(call.label, CALLS);
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
        if self.crowd.right.is_understood() {
            let nobody = nobody(ways.iter().map(|way| (way.who, way.weight)));
            self.entries.words.strayed(call.label, nobody);
        }
        self.choose(&mut ways, afford);
        self.follow(&ways, call.id, call.label, call.at);
        self.ways = ways;
        self.crowd.prune();
        self.leave()
    }

    /// Who made a call of the window; `None` if nothing is known of it.
    pub(super) fn verdict(&mut self, call: u64) -> Option<Verdict> {
        self.crowd.verdict(call)
    }

    /// Begins anew: for too long nothing of what was done could be learnt.
    fn give_up(&mut self) {
        self.crowd.give_up();
        let end = self.entries.done.next_number();
        self.entries.learn(end, false, std::iter::empty());
        self.entries.cleared += 1;
    }

    /// A request was answered, in one hypothesis. The place where it stood, and how
    /// its batch and rounds are told.
    fn end(&mut self, index: usize, who: u64, at: Timestamp) -> (usize, u64, u8) {
        let actors = self.actors(index, RESPONSE, at, Some(who), true);
        let best = actors
            .iter()
            .max_by(|a, b| a.likelihood.total_cmp(&b.likelihood));
        let best = best.copied().filter(|actor| actor.likelihood > SUDDEN);
        let all: f32 = actors.iter().map(|actor| actor.likelihood).sum();
        let out = self.crowd.all[index].forget(who).min(MANY_OUT);
        let mut hypothesis = std::mem::take(&mut self.crowd.all[index]);
        hypothesis.weight *= f64::from(all + SUDDEN) * UNFINISHED.powi(i32::from(out));
        self.pass(&mut hypothesis, best, at);
        let mut stood = (hypothesis.entries.len(), self.batch, 0);
        let (mut place, mut kept) = (0, 0);
        hypothesis.entries.retain(|entry| {
            let own = best.filter(|actor| actor.place == place);
            place += 1;
            let known = self.entries.get(*entry);
            if known.who != who {
                kept += 1;
                return true;
            }
            let number = if let Some(actor) = own {
                let round = known.passes + actor.level.unwrap_or(0);
                stood = (
                    kept,
                    known.batch,
                    known.passes + actor.level.map_or(0, |l| l - known.slot(self.batch).min(l)),
                );
                let label = if actor.after_timer { TIMER } else { RESPONSE };
                self.entries.finish(*entry, Some((label, round)))
            } else {
                hypothesis.weight *= f64::from(known.ends());
                self.entries.finish(*entry, None)
            };
            self.crowd.history.did(&hypothesis.past, number);
            false
        });
        self.crowd.all[index] = hypothesis;
        stood
    }

    /// Whoever came before this one in the order of acts let another round pass.
    fn pass(&mut self, hypothesis: &mut Hypothesis, actor: Option<Actor>, now: Timestamp) {
        let Some((by, level)) = actor.and_then(|actor| Some((actor.place, actor.level?))) else {
            return;
        };
        for (place, entry) in hypothesis.entries.iter_mut().enumerate() {
            let slot = self.entries.get(*entry).slot(self.batch);
            if place == by || slot > level {
                continue;
            }
            let rounds = level - slot + u8::from(place < by);
            *entry = self
                .entries
                .change(*entry, Change::Passed(rounds), self.batch, now);
        }
    }

    /// Goes these ways, those from the same hypothesis next to each other.
    fn follow(&mut self, ways: &[Way], call: u64, label: Label, now: Timestamp) {
        self.crowd
            .history
            .begin(call, self.entries.done.next_number(), 0.0);
        let branches = ways.iter().map(|way| (way.from, way.weight));
        self.crowd.branch(branches);
        for (index, way) in ways.iter().enumerate() {
            let mut next = std::mem::take(&mut self.crowd.all[index]);
            self.take(&mut next, way, (call, label), now);
            self.crowd.all[index] = next;
        }
    }

    /// The hypothesis goes this way.
    fn take(
        &mut self,
        next: &mut Hypothesis,
        way: &Way,
        (call, label): (u64, Label),
        now: Timestamp,
    ) {
        let mut timed = 0;
        if let Some(actor) = way.actor {
            self.pass(next, Some(actor), now);
            let entry = &mut next.entries[actor.place];
            let change = if actor.after_timer {
                timed = TIMED;
                Change::WasLate(label)
            } else {
                let slot = self.entries.get(*entry).slot(self.batch);
                let rounds = actor.level.map_or(0, |level| level.saturating_sub(slot));
                Change::Took(rounds, label)
            };
            *entry = self.entries.change(*entry, change, self.batch, now);
        }
        let bit = self.open.bit(way.who);
        next.call(call, way.who, bit, label);
        let past = std::mem::take(&mut next.past);
        next.past = self.crowd.history.add(way.who | timed, past);
    }

    /// Learns what was done a while ago, as likely as it still is; the oldest call
    /// of the window leaves it, if that is full.
    fn leave(&mut self) -> Option<(u64, Verdict)> {
        let understood = self.crowd.right.is_understood();
        if let Some((end, likely)) = self.crowd.done(LAG) {
            self.entries.learn(end, understood, likely);
        }
        self.crowd.leave()
    }

    /// A request was told something, in one hypothesis.
    fn tell(
        &mut self,
        index: usize,
        who: u64,
        route: u64,
        what: u64,
        at: Timestamp,
        stood: Option<(usize, u64, u8)>,
    ) {
        let hypothesis = &mut self.crowd.all[index];
        let open = self.open.contains(who);
        let (progress, route) = match (open, who & NOBODY == 0) {
            (true, _) => (hypothesis.progress(who), route),
            (false, true) => (Progress::default(), route),
            (false, false) => (Progress::default(), 0),
        };
        let kind = match what {
            REQUEST | RESPONDED => what,
            _ => u64::from(progress.out.count > 0),
        };
        let what = what | u64::from(!open) << 32;
        let mut state = State::new(route, what, progress, !open, false);
        // The task that answered goes on.
        state.waiting |= stood.is_some();
        let (place, batch, passes) = stood.unwrap_or((usize::MAX, self.batch, 0));
        let kind = mix(kind, 99);
        let entry = self.entries.tell(who, state, kind, (batch, passes), at);
        let entries = &mut hypothesis.entries;
        if place < entries.len() && entries.len() < MAX_ENTRIES {
            entries.insert(place, entry);
        } else {
            hypothesis.add(entry);
        }
    }
}
