//! Which routes make which calls: what speaks for a candidate by what it was
//! asked, whatever the time. Learnt from all decisions, as far as each is sure.

use hashbrown::HashMap;

/// Pairs of route and call remembered.
const MAX_PAIRS: usize = 8192;
/// Calls of a route assumed to be as those of all routes, before any was seen.
const PRIOR: f32 = 8.0;
/// The most that is said for, and against, a route (in nats).
const FOR: f32 = 1.0;
const AGAINST: f32 = -1.5;
/// The most that is said against one of several routes, and for no cause there.
const NEVER: f32 = -4.0;
const CAUSELESS: f32 = 3.0;
/// At this many calls of a route all of its counts are halved.
const HALVE_AT: f32 = 1024.0;

/// How often each route made each call; `None` is "no cause".
#[derive(Clone, Debug, Default)]
pub(super) struct Affinity {
    pairs: HashMap<(Option<u64>, u64), f32>,
    routes: HashMap<Option<u64>, f32>,
    calls: HashMap<u64, f32>,
    all: f32,
}

impl Affinity {
    /// A call was made by a request for this route, with this probability. Whether
    /// there were so many pairs that all were forgotten.
    pub(super) fn learn(&mut self, route: Option<u64>, call: u64, chance: f32) -> bool {
        let full = self.pairs.len() >= MAX_PAIRS;
        if full {
            *self = Self::default();
        }
        *self.pairs.entry((route, call)).or_default() += chance;
        *self.calls.entry(call).or_default() += chance;
        self.all += chance;
        let of_route = self.routes.entry(route).or_default();
        *of_route += chance;
        if *of_route > HALVE_AT {
            self.halve();
        }
        full
    }

    /// How much likelier this route makes this call than any, as a logarithm.
    pub(super) fn weight(&self, route: Option<u64>, call: u64) -> f32 {
        self.likeness(route, call).clamp(AGAINST, FOR)
    }

    fn likeness(&self, route: Option<u64>, call: u64) -> f32 {
        let Some(calls) = self.calls.get(&call) else {
            return 0.0;
        };
        let of_all = calls / self.all;
        let pairs = self.pairs.get(&(route, call)).copied().unwrap_or_default();
        let of_route = self.routes.get(&route).copied().unwrap_or_default();
        let chance = (pairs + PRIOR * of_all) / (of_route + PRIOR);
        (chance / of_all).ln()
    }

    /// What speaks against this route making this call, as a logarithm: nothing if
    /// it is seen to, or too little is known.
    pub(super) fn against(&self, route: Option<u64>, call: u64) -> f32 {
        self.likeness(route, call).clamp(NEVER, 0.0)
    }

    /// What speaks for such a call having no cause, as a logarithm.
    pub(super) fn causeless(&self, call: u64) -> f32 {
        self.likeness(None, call).clamp(0.0, CAUSELESS)
    }

    /// Halves all counts: they follow what changes.
    fn halve(&mut self) {
        let counts = self.pairs.values_mut().chain(self.routes.values_mut());
        for count in counts.chain(self.calls.values_mut()) {
            *count /= 2.0;
        }
        self.all /= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_known_by_its_calls() {
        let mut affinity = Affinity::default();
        assert_eq!(affinity.weight(Some(1), 10).to_bits(), 0);
        for _ in 0..40 {
            affinity.learn(Some(1), 10, 1.0);
            affinity.learn(Some(2), 20, 1.0);
        }
        assert!(affinity.weight(Some(1), 10) > 0.5);
        assert!(affinity.weight(Some(1), 20) < -1.0);
        assert!(affinity.weight(None, 20).abs() < 0.1, "nothing is known");
    }

    #[test]
    fn among_several_only_those_are_told_that_never_do() {
        let mut affinity = Affinity::default();
        for _ in 0..200 {
            affinity.learn(Some(1), 10, 0.3);
            affinity.learn(Some(2), 20, 0.9);
            affinity.learn(None, 30, 0.5);
        }
        assert!(affinity.against(Some(1), 10).abs() < 1e-6, "it may have");
        assert!(affinity.against(Some(1), 20) < -1.5);
        assert!(
            affinity.against(Some(9), 20).abs() < 1e-6,
            "nothing is known"
        );
        assert!(affinity.causeless(30) > 0.7 && affinity.causeless(20).abs() < 1e-6);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_follows_changes() {
        let mut affinity = Affinity::default();
        let cleared = (0..100_000).filter(|n| affinity.learn(Some(*n), *n, 1.0));
        assert_eq!(cleared.count(), 100_000 / MAX_PAIRS);
        assert!(affinity.pairs.len() <= MAX_PAIRS);
        for _ in 0..5000 {
            affinity.learn(Some(1), 10, 1.0);
        }
        assert!(affinity.routes[&Some(1)] <= HALVE_AT);
    }
}
