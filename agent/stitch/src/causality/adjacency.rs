//! How often what a thread writes belongs to what it read last, learnt for each
//! way in which the two can follow each other.
//!
//! An event loop that calls straight from the callback is nearly always right
//! with the first write within microseconds of the read, a pooled client is
//! nearly always wrong with a call on the socket whose answer was just read
//! (the socket is handed to whoever waited longest). Nothing says beforehand
//! which of them a process is, but its responses do: whose response it is, is
//! known. Going back from a response over the answer read before it, to the
//! call, to what was read before that, leads to a request. If that is the
//! request answered, all steps were right (or wrong by chance); if not, one of
//! them was wrong. This needs no truth, and works with any number in flight.

mod chains;

use std::time::Duration;

use self::chains::{Chain, Chains};
use super::batch::{Cue, Place};
use super::call::{Call, Connection};
use crate::time::Timestamp;

/// How a write follows what its thread read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// What was read, and what is written.
    pub(super) kind: Kind,
    /// Where the read stands among what was read and written.
    pub(super) place: Place,
    /// Whether the write is the first on its connection.
    pub(super) first: bool,
    /// Time in between.
    pub(super) gap: Duration,
}

/// What was read, and what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call after a request.
    CallAfterRequest,
    /// A call on the socket from which an answer was read, while others were
    /// free, as far as is known.
    CallOnSameSocket,
    /// The same while all others were busy: whoever waited has it now.
    HandedOn,
    /// A call on another socket than that from which an answer was read.
    CallOnOtherSocket,
    /// A response after an answer.
    Response,
    /// A call after a response.
    CallAfterResponse,
}

impl Kind {
    /// That of a call after the answer to another one was read.
    pub(super) fn of_call(call: &Call, answered: &Call) -> Self {
        if call.socket == answered.socket {
            Self::on_same_socket(call.connection)
        } else {
            Self::CallOnOtherSocket
        }
    }

    /// That of a call on the socket from which an answer was read.
    pub(super) fn on_same_socket(connection: Connection) -> Self {
        match connection {
            Connection::LastFree => Self::HandedOn,
            Connection::OneOfSeveral | Connection::New => Self::CallOnSameSocket,
        }
    }
}

const KINDS: usize = 6;
/// Gaps told apart: below 32 µs, 128 µs, 512 µs, 2 ms, and more.
const GAPS: usize = 5;
/// log2 of the shortest gap told apart, in ns, and of the factor to the next.
const SHORTEST: u32 = 15;
const FACTOR: u32 = 2;
/// Assumed share of right ones by the place of the read ([`Place::index`]): calls,
/// responses, calls on a socket that was handed on, and calls after a response.
const CALL_PRIOR: [f32; Place::COUNT] = [
    0.7, 0.6, 0.3, 0.1, 0.5, 0.4, 0.2, 0.1, 0.45, 0.7, 0.87, 0.97,
];
const RESPONSE_PRIOR: [f32; Place::COUNT] = [
    0.97, 0.97, 0.7, 0.4, 0.7, 0.7, 0.4, 0.3, 0.75, 0.88, 0.95, 0.98,
];
const HANDED_ON: f32 = 0.06;
const LATE_PRIOR: f32 = 0.3;
/// Assumed share of calls whose answer no response follows.
const FREE_PRIOR: f32 = 0.5;
/// No share is taken to be nearer to 0 or 1.
const LEAST: f32 = 0.02;
const PRIOR_WEIGHT: f32 = 3.0;
/// The same of responses, and of calls found by alignment: chains tell badly which
/// of their steps was wrong, and these seldom are.
const RESPONSE_WEIGHT: f32 = 30.0;
const ALIGNED_WEIGHT: f32 = 8.0;
/// Weight of all gaps together in the opinion on one.
const COARSE_WEIGHT: f32 = 4.0;
/// Wrong ones that are counted although none was seen: what was looked at little
/// is not sure.
const DOUBT: f32 = 0.5;
/// The longest chain of steps: of longer ones it cannot be told where they went
/// wrong.
pub(super) const MAX_STEPS: usize = 8;
/// New chains after which all are looked at again, and how many times.
const EVERY: usize = 32;
const SWEEPS: usize = 8;
/// At this many calls what is counted call by call is halved.
const HALVE_AT: f32 = 256.0;
/// The most that adjacency alone may say (in nats).
const MOST: f32 = 9.0;

const COARSE: usize = KINDS * Place::COUNT * 2;
const FINE: usize = COARSE * GAPS;

/// What was learnt of one process.
#[derive(Clone, Debug)]
pub(super) struct Adjacency {
    /// By manner, and by manner apart from the gap.
    fine: [Cell; FINE],
    coarse: [Cell; COARSE],
    /// Writes by manner: in chains (`right`), and all.
    checked: [Cell; FINE],
    /// Calls whose answer no response followed.
    free: Cell,
    chains: Chains,
    fresh: usize,
}

/// Steps that were right, and all.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    right: f32,
    all: f32,
}

impl Default for Adjacency {
    fn default() -> Self {
        Self {
            fine: [Cell::default(); FINE],
            coarse: [Cell::default(); COARSE],
            checked: [Cell::default(); FINE],
            free: Cell::default(),
            chains: Chains::default(),
            fresh: 0,
        }
    }
}

impl Adjacency {
    /// Probability that a write in this manner belongs to what was read.
    ///
    /// What could not be checked is taken to be as it was assumed beforehand.
    pub(super) fn chance(&self, manner: Manner) -> f32 {
        let place = manner.cell();
        let checked = self.checked[place];
        let checked = (checked.right / checked.all.max(1.0)).min(1.0);
        checked * self.chance_at(place) + (1.0 - checked) * prior(place)
    }

    /// A message was written in this manner.
    pub(super) fn wrote(&mut self, manner: Manner) {
        let cell = &mut self.checked[manner.cell()];
        cell.add(0.0);
        cell.halve();
    }

    /// The same as evidence for it against each of the others, in nats, with so
    /// many requests open. Never against it: the others have a say themselves.
    pub(super) fn weight(&self, manner: Manner, open: u32) -> f32 {
        let chance = self.chance(manner);
        let others = open.saturating_sub(1).max(1) as f32;
        (chance * others / (1.0 - chance)).ln().clamp(0.0, MOST)
    }

    /// Learns from steps that lead from a response back to a message of known
    /// cause: whether that was the request answered, out of `open` that it could
    /// have been.
    pub(super) fn learn(&mut self, steps: &[Manner], agrees: bool, open: u32) {
        for manner in steps {
            self.checked[manner.cell()].right += 1.0;
        }
        self.chains.add(Chain {
            steps: steps.iter().map(|manner| manner.cell() as u16).collect(),
            agrees,
            by_chance: 1.0 / open.saturating_sub(1).max(1) as f32,
        });
        self.fresh += 1;
        if self.fresh >= EVERY.min(self.chains.len().div_ceil(2)) {
            self.fresh = 0;
            self.learn_again();
        }
    }

    /// Learns from all chains, from what is assumed beforehand: what cannot be told
    /// must not stay at what it once looked like.
    fn learn_again(&mut self) {
        self.clear();
        let steps = self.chains.different().flat_map(|(chain, _)| &chain.steps);
        let mut met: Vec<u16> = steps.copied().collect();
        met.sort_unstable();
        met.dedup();
        (0..SWEEPS).for_each(|_| self.sweep(&met));
    }

    /// Forgets what chains taught.
    fn clear(&mut self) {
        for (place, cell) in self.fine.iter_mut().enumerate() {
            if !is_late(place) {
                *cell = Cell::default();
            }
        }
        for (place, cell) in self.coarse.iter_mut().enumerate() {
            if !is_late(place * GAPS) {
                *cell = Cell::default();
            }
        }
    }

    /// Expectation and maximisation: which steps of each chain were right, as
    /// things are known; and what is known then. `met` are the places of all steps.
    fn sweep(&mut self, met: &[u16]) {
        let mut known = [0.0; FINE];
        for place in met {
            known[usize::from(*place)] = self.chance_at(usize::from(*place));
        }
        for place in met.iter().map(|place| usize::from(*place)) {
            if !is_late(place) {
                self.fine[place] = Cell::default();
                self.coarse[place / GAPS] = Cell::default();
            }
        }
        for (chain, count) in self.chains.different() {
            let chances = chain.steps.iter().map(|place| known[usize::from(*place)]);
            let all: f32 = chances.clone().product();
            let by_chance = (1.0 - all) * chain.by_chance;
            let all_now = if chain.agrees {
                all / (all + by_chance)
            } else {
                0.0
            };
            for (place, chance) in chain.steps.iter().zip(chances) {
                let in_spite = (chance - all) / (1.0 - all).max(f32::EPSILON);
                let right = all_now + (1.0 - all_now) * in_spite;
                self.fine[usize::from(*place)].add_some(right, count);
                self.coarse[usize::from(*place) / GAPS].add_some(right, count);
            }
        }
    }

    /// Learns from what became of a call: whether a response followed its answer.
    pub(super) fn learn_end(&mut self, manner: Manner, anchored: bool) {
        let free = f32::from(u8::from(!anchored));
        if manner.kind != Kind::CallAfterResponse {
            self.free.add(free);
            self.free.halve();
            return;
        }
        self.checked[manner.cell()].right += 1.0;
        for cell in [
            &mut self.coarse[manner.cell() / GAPS],
            &mut self.fine[manner.cell()],
        ] {
            cell.add(free);
            cell.halve();
        }
    }

    fn chance_at(&self, place: usize) -> f32 {
        let prior = prior(place);
        if !is_late(place) {
            let all_gaps = self.coarse[place / GAPS].share(prior, prior_weight(place));
            let fine = self.fine[place];
            return (fine.right + COARSE_WEIGHT * all_gaps) / (fine.all + COARSE_WEIGHT + DOUBT);
        }
        // No response follows the answer to a call made after the response, and
        // to a part of the others.
        let others = self.free.share(FREE_PRIOR, PRIOR_WEIGHT);
        let expected = prior + (1.0 - prior) * others;
        let all_gaps = self.coarse[place / GAPS].share(expected, PRIOR_WEIGHT);
        let free = self.fine[place].share(all_gaps, COARSE_WEIGHT);
        ((free - others) / (1.0 - others).max(LEAST)).clamp(LEAST, 1.0 - LEAST)
    }
}

impl Cell {
    fn add(&mut self, right: f32) {
        self.add_some(right, 1.0);
    }

    /// So many that are right with the same probability.
    fn add_some(&mut self, right: f32, count: f32) {
        self.right += count * right;
        self.all += count;
    }

    /// Forgets: it follows what changes.
    fn halve(&mut self) {
        if self.all > HALVE_AT {
            self.right /= 2.0;
            self.all /= 2.0;
        }
    }

    fn share(self, prior: f32, weight: f32) -> f32 {
        (self.right + weight * prior) / (self.all + weight)
    }
}

fn is_late(place: usize) -> bool {
    place / (COARSE * GAPS / KINDS) == Kind::CallAfterResponse as usize
}

/// How much weight what is assumed beforehand has.
fn prior_weight(place: usize) -> f32 {
    let at = place / (2 * GAPS) % Place::COUNT;
    if place / (COARSE * GAPS / KINDS) == Kind::Response as usize {
        RESPONSE_WEIGHT
    } else if at >= Place::Aligned(0).index() {
        ALIGNED_WEIGHT
    } else {
        PRIOR_WEIGHT
    }
}

/// What is assumed of a manner before anything was seen.
fn prior(place: usize) -> f32 {
    let at = place / (2 * GAPS) % Place::COUNT;
    match place / (COARSE * GAPS / KINDS) {
        kind if kind == Kind::Response as usize => RESPONSE_PRIOR[at],
        kind if kind == Kind::CallAfterResponse as usize => LATE_PRIOR,
        kind if kind == Kind::HandedOn as usize => HANDED_ON,
        _ => CALL_PRIOR[at],
    }
}

impl Manner {
    /// That of a message decided on at `at` after what was read; `first` on its
    /// connection or not.
    pub(super) fn after(cue: Cue, kind: Kind, at: Timestamp, first: bool) -> Self {
        Self {
            kind,
            place: cue.place,
            first,
            gap: at.since(cue.at),
        }
    }

    /// Its cell in the tables.
    fn cell(self) -> usize {
        let gap = u64::try_from(self.gap.as_nanos()).unwrap_or(u64::MAX);
        let gap = (gap.max(1).ilog2().saturating_sub(SHORTEST - FACTOR) / FACTOR) as usize;
        let coarse =
            (self.kind as usize * Place::COUNT + self.place.index()) * 2 + usize::from(self.first);
        coarse * GAPS + gap.min(GAPS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Writes;
    use super::*;

    fn manner(kind: Kind, gap: u64) -> Manner {
        Manner {
            kind,
            place: Place::Only(Writes::None),
            first: false,
            gap: Duration::from_nanos(gap),
        }
    }

    #[test]
    fn the_step_that_is_often_wrong_is_found_out() {
        let mut adjacency = Adjacency::default();
        let call = manner(Kind::CallAfterRequest, 50_000);
        let handed_on = manner(Kind::CallOnSameSocket, 50_000);
        let response = manner(Kind::Response, 50_000);
        for n in 0..200 {
            adjacency.learn(&[response, call], n % 50 > 0, 8);
            adjacency.learn(&[response, handed_on, call], n % 20 == 0, 8);
        }
        assert!(adjacency.chance(response) > 0.9);
        assert!(adjacency.chance(call) > 0.9);
        assert!(adjacency.chance(handed_on) < 0.15);
        assert!(adjacency.weight(response, 8) > 4.0);
        assert!(adjacency.weight(handed_on, 8) < 0.5);
    }

    #[test]
    fn agreement_by_chance_teaches_little() {
        let mut adjacency = Adjacency::default();
        let steps = [
            manner(Kind::Response, 50_000),
            manner(Kind::CallAfterRequest, 50_000),
        ];
        (0..200).for_each(|n| adjacency.learn(&steps, n % 8 == 0, 8));
        let [response, call] = steps.map(|step| adjacency.chance(step));
        assert!(response * call < 0.3, "{response} {call}");
    }

    #[test]
    fn gaps_are_told_apart() {
        let places = [10, 40_000, 200_000, 1_000_000, 50_000_000]
            .map(|gap| manner(Kind::Response, gap).cell() % GAPS);
        assert_eq!(places, [0, 1, 2, 3, 4]);
    }
}
