//! What follows what: how often a message of one kind that a thread reads is
//! followed by each kind of message written, or by none; and how often those
//! follow nothing that was read. Learnt from alignments, whatever was sure of
//! them, so that it also starts under load.

use hashbrown::HashMap;

use super::path::mix;

/// Rounds of a loop told apart, after which what was read is acted on: a handler
/// may be started first, or wait for several tasks.
pub(super) const ROUNDS: usize = 3;
/// What is assumed of reads in each of them: followed by a write, or not.
const ASSUMED: [(f64, f64); ROUNDS] = [(2.0, 2.0), (0.4, 9.6), (0.2, 9.8)];
/// Pairs of kinds remembered.
const MAX_PAIRS: usize = 8192;
/// Messages read until which a process is new.
const NEW: f64 = 48.0;
/// Messages after which all counts are halved.
const HALVE_AT: f64 = 8192.0;
/// Weight of what all kinds do in the opinion on one, and of what a kind does in
/// that on the same kind of one route.
const BY_ALL: f64 = 3.0;
const BY_KIND: f64 = 2.0;
/// The same of reads without a write.
const IDLE_BY_ALL: f64 = 4.0;
const IDLE_BY_KIND: f64 = 3.0;
/// Weight of what is so in all places in the opinion on one.
const PLACE: f64 = 8.0;
/// Kinds that are assumed to be there.
const KINDS: f64 = 10.0;
/// Assumed share of writes that follow no read, its weight, and the most that it
/// is taken to be: what follows nothing explains everything.
const STRAY: f64 = 0.1;
const STRAY_WEIGHT: f64 = 20.0;
const MOST_STRAY: f64 = 0.3;
/// No read is without a write with less, or more, than this probability.
const IDLE: (f64, f64) = (0.02, 0.98);

/// What follows what in one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequels {
    pairs: HashMap<(u64, u64), f64>,
    /// Of each kind of read: those followed by a write, and those that were not.
    reads: HashMap<u64, (f64, f64)>,
    /// Of each kind of write: those that follow a read, and those that do not.
    writes: HashMap<u64, (f64, f64)>,
    /// By round, of reads that are not the last of their turn, and of those that
    /// are: those followed by a write, and those that were not.
    places: [[(f64, f64); 2]; ROUNDS],
}

/// A message read: its kind, and the route of the request that it belongs to as
/// far as that is known, with its probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) kind: u64,
    /// Whether nothing else was read before the first write.
    pub(super) last: bool,
    /// The round, below [`ROUNDS`], in which what may follow it is looked for.
    pub(super) round: usize,
    pub(super) route: Option<(u64, f64)>,
}

impl Sequels {
    /// Whether so little is known yet that a turn tells as much by itself.
    pub(super) fn is_new(&self) -> bool {
        let (followed, idle) = self.of_round(0);
        followed + idle < NEW
    }

    /// Probability that the message is followed by none.
    pub(super) fn idle(&self, read: Reading) -> f64 {
        let (followed, idle) = self.of_round(read.round);
        let assumed = ASSUMED[read.round];
        let all = (idle + assumed.1) / (idle + followed + assumed.0 + assumed.1);
        let (followed, idle) = self.of(read.kind());
        let by_kind = (idle + IDLE_BY_ALL * all) / (followed + idle + IDLE_BY_ALL);
        let share = read.blend(by_kind, |kind| {
            let (followed, idle) = self.of(kind);
            (idle + IDLE_BY_KIND * by_kind) / (followed + idle + IDLE_BY_KIND)
        });
        let (followed, idle) = self.places[read.round][usize::from(read.last)];
        let here = (idle + PLACE * all) / (idle + followed + PLACE);
        let odds = |share: f64| share / (1.0 - share);
        let odds = odds(share) * odds(here) / odds(all);
        (odds / (1.0 + odds)).clamp(IDLE.0, IDLE.1)
    }

    /// Probability that, if the message is followed by one, it is of this kind.
    pub(super) fn follows(&self, read: Reading, write: u64) -> f64 {
        let pair = |kind: u64| self.pairs.get(&(kind, write)).copied().unwrap_or_default();
        let all = self.of_all(write);
        let by_kind = (pair(read.kind()) + BY_ALL * all) / (self.of(read.kind()).0 + BY_ALL);
        read.blend(by_kind, |kind| {
            (pair(kind) + BY_KIND * by_kind) / (self.of(kind).0 + BY_KIND)
        })
    }

    /// Likelihood of a write of this kind that follows nothing.
    pub(super) fn stray(&self, write: u64) -> f64 {
        let (followed, stray) = self.writes.get(&write).copied().unwrap_or_default();
        let share = (stray + STRAY * STRAY_WEIGHT) / (followed + stray + STRAY_WEIGHT);
        let share = share.min(MOST_STRAY);
        self.of_all(write) * share / (1.0 - share)
    }

    /// A message of this kind followed the other one with this probability. Whether
    /// there were so many pairs that all were forgotten.
    pub(super) fn learn_pair(&mut self, read: Reading, write: u64, chance: f64) -> bool {
        let full = self.pairs.len() >= MAX_PAIRS;
        if full {
            *self = Self::default();
        }
        for (kind, share) in read.kinds() {
            *self.pairs.entry((kind, write)).or_default() += share * chance;
            self.reads.entry(kind).or_default().0 += share * chance;
        }
        self.writes.entry(write).or_default().0 += chance;
        self.places[read.round][usize::from(read.last)].0 += chance;
        full
    }

    /// The message was followed by none with this probability.
    pub(super) fn learn_idle(&mut self, read: Reading, chance: f64) {
        for (kind, share) in read.kinds() {
            self.reads.entry(kind).or_default().1 += share * chance;
        }
        self.places[read.round][usize::from(read.last)].1 += chance;
        let (followed, idle) = self.all();
        if followed + idle > HALVE_AT {
            self.halve();
        }
    }

    /// A message of this kind followed none with this probability.
    pub(super) fn learn_stray(&mut self, write: u64, chance: f64) {
        self.writes.entry(write).or_default().1 += chance;
    }

    fn all(&self) -> (f64, f64) {
        let places = self.places.iter().flatten();
        places.fold((0.0, 0.0), |all, (followed, idle)| {
            (all.0 + followed, all.1 + idle)
        })
    }

    fn of_round(&self, round: usize) -> (f64, f64) {
        let [(followed, idle), (last_followed, last_idle)] = self.places[round];
        (followed + last_followed, idle + last_idle)
    }

    fn of(&self, kind: u64) -> (f64, f64) {
        self.reads.get(&kind).copied().unwrap_or_default()
    }

    /// Share of this kind among all writes that follow a read.
    fn of_all(&self, write: u64) -> f64 {
        let (followed, _) = self.writes.get(&write).copied().unwrap_or_default();
        (followed + 1.0) / (self.all().0 + KINDS)
    }

    /// Follows what changes.
    fn halve(&mut self) {
        self.pairs.values_mut().for_each(|count| *count /= 2.0);
        let counts = self.reads.values_mut().chain(self.writes.values_mut());
        for (followed, not) in counts.chain(self.places.iter_mut().flatten()) {
            *followed /= 2.0;
            *not /= 2.0;
        }
    }
}

impl Reading {
    fn kind(self) -> u64 {
        mix(self.kind, self.round as u64)
    }

    /// What is known by its kind, and by its kind and route as far as that is
    /// known.
    fn blend(self, by_kind: f64, by_route: impl Fn(u64) -> f64) -> f64 {
        match self.route {
            Some((route, sure)) => {
                sure * by_route(mix(self.kind(), route)) + (1.0 - sure) * by_kind
            }
            None => by_kind,
        }
    }

    /// The kinds that it counts for, and how much.
    fn kinds(self) -> impl Iterator<Item = (u64, f64)> {
        let of_route = self
            .route
            .map(|(route, sure)| (mix(self.kind(), route), sure));
        [(self.kind(), 1.0)].into_iter().chain(of_route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: u64) -> Reading {
        Reading {
            kind,
            last: false,
            round: 0,
            route: None,
        }
    }

    #[test]
    fn what_often_follows_is_expected() {
        let mut sequels = Sequels::default();
        assert!((sequels.follows(read(1), 10) - sequels.follows(read(1), 20)).abs() < 1e-9);
        for _ in 0..50 {
            sequels.learn_pair(read(1), 10, 0.9);
            sequels.learn_pair(read(2), 20, 0.9);
        }
        assert!(sequels.follows(read(1), 10) > 0.9);
        assert!(sequels.follows(read(1), 20) < 0.1);
        assert!(sequels.follows(read(3), 10) > 0.3, "as all do");
    }

    #[test]
    fn a_route_counts_as_far_as_it_is_known() {
        let of = |route, sure| Reading {
            kind: 1,
            last: false,
            round: 0,
            route: Some((route, sure)),
        };
        let mut sequels = Sequels::default();
        for _ in 0..50 {
            sequels.learn_pair(of(7, 1.0), 10, 1.0);
            sequels.learn_pair(of(8, 1.0), 20, 1.0);
        }
        let [sure, unsure, unknown] = [of(7, 1.0), of(7, 0.5), read(1)];
        let [sure, unsure, unknown] = [sure, unsure, unknown].map(|r| sequels.follows(r, 10));
        assert!(sure > 0.9 && sure > unsure && unsure > unknown);
    }

    #[test]
    fn what_comes_a_round_later_is_not_expected_before() {
        let in_round = |round| Reading { round, ..read(1) };
        let mut sequels = Sequels::default();
        assert!(sequels.idle(in_round(0)) < sequels.idle(in_round(1)));
        for _ in 0..50 {
            sequels.learn_idle(in_round(0), 1.0);
            sequels.learn_pair(in_round(1), 10, 1.0);
        }
        assert!(sequels.idle(in_round(0)) > 0.9 && sequels.idle(in_round(1)) < 0.2);
    }

    #[test]
    fn what_follows_nothing_is_never_taken_to_be_the_rule() {
        let mut sequels = Sequels::default();
        (0..500).for_each(|_| sequels.learn_stray(10, 1.0));
        assert!(sequels.stray(10) < 0.5 * sequels.of_all(10));
    }

    #[test]
    fn counts_are_halved_and_pairs_bounded() {
        let mut sequels = Sequels::default();
        for n in 0..20_000 {
            sequels.learn_pair(read(n), n, 1.0);
            sequels.learn_idle(read(n), 1.0);
        }
        assert!(sequels.pairs.len() <= MAX_PAIRS && sequels.all().0 <= HALVE_AT);
    }
}
