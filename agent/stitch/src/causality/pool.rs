//! The connections of a process to one callee: how many calls are under way on
//! them, and the most that ever were. A client that has all of its connections
//! busy makes further calls wait, and hands each connection that becomes free on
//! to one of those.

use hashbrown::HashMap;

/// Callees remembered in one process.
const MAX_CALLEES: usize = 4096;
/// Calls after which the most that were under way before is forgotten.
const WINDOW: u32 = 512;

/// The connections of one process, by callee.
#[derive(Debug, Default)]
pub(super) struct Pools(HashMap<u64, Pool>);

/// The connections to one callee.
#[derive(Clone, Copy, Debug, Default)]
struct Pool {
    busy: u32,
    most: u32,
    /// The most of the window before.
    most_before: u32,
    calls: u32,
}

impl Pools {
    /// A call was written. Whether there were so many callees that all others
    /// were forgotten.
    pub(super) fn called(&mut self, callee: u64) -> bool {
        let full = self.0.len() >= MAX_CALLEES && !self.0.contains_key(&callee);
        if full {
            self.0.clear();
        }
        let pool = self.0.entry(callee).or_default();
        pool.busy += 1;
        pool.most = pool.most.max(pool.busy);
        pool.calls += 1;
        if pool.calls >= WINDOW {
            *pool = Pool {
                most_before: pool.most,
                most: pool.busy,
                calls: 0,
                ..*pool
            };
        }
        full
    }

    /// A call was answered, or given up.
    pub(super) fn freed(&mut self, callee: u64) {
        if let Some(pool) = self.0.get_mut(&callee) {
            pool.busy = pool.busy.saturating_sub(1);
        }
    }

    /// Whether all of several connections are busy.
    pub(super) fn is_full(&self, callee: u64) -> bool {
        self.0.get(&callee).is_some_and(|pool| {
            let most = pool.most.max(pool.most_before);
            pool.busy >= most
        })
    }

    /// Whether one more call takes the last of several connections.
    pub(super) fn is_full_with_one_more(&self, callee: u64) -> bool {
        self.0.get(&callee).is_some_and(|pool| {
            let most = pool.most.max(pool.most_before);
            most > 1 && pool.busy + 1 >= most
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_most_that_was_seen() {
        let mut pools = Pools::default();
        assert!(!pools.is_full_with_one_more(1), "nothing known");
        (0..4).for_each(|_| assert!(!pools.called(1)));
        pools.freed(1);
        assert!(pools.is_full_with_one_more(1));
        assert!(!pools.is_full_with_one_more(2), "each for itself");
        pools.freed(1);
        assert!(!pools.is_full_with_one_more(1));
    }

    #[test]
    fn an_old_peak_is_forgotten() {
        let mut pools = Pools::default();
        (0..9).for_each(|_| assert!(!pools.called(1)));
        (0..8).for_each(|_| pools.freed(1));
        for _ in 0..2 * WINDOW {
            pools.called(1);
            pools.freed(1);
        }
        assert!(pools.is_full_with_one_more(1), "two at a time by now");
    }

    #[test]
    fn of_too_many_callees_all_are_forgotten() {
        let mut pools = Pools::default();
        let cleared = (0..=MAX_CALLEES as u64).filter(|callee| pools.called(*callee));
        assert_eq!(cleared.collect::<Vec<_>>(), [MAX_CALLEES as u64]);
        assert_eq!(pools.0.len(), 1);
    }
}
