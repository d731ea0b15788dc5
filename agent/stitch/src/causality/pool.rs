//! The connections of a process to one callee: how many calls are under way on
//! them, and the most that ever were. A client that has all of its connections
//! busy makes further calls wait, and hands each connection that becomes free on
//! to one of those.

/// Calls after which the most that were under way before is forgotten.
const WINDOW: u32 = 512;

/// The connections of a process to one callee.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pool {
    busy: u32,
    most: u32,
    /// The most of the window before.
    most_before: u32,
    calls: u32,
}

impl Pool {
    /// A call was written.
    pub(super) fn called(&mut self) {
        self.busy += 1;
        self.most = self.most.max(self.busy);
        self.calls += 1;
        if self.calls >= WINDOW {
            self.calls = 0;
            self.most_before = self.most;
            self.most = self.busy;
        }
    }

    /// A call was answered, or given up.
    pub(super) fn freed(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// Whether one more call takes the last of several connections.
    pub(super) fn at_its_limit(self) -> bool {
        let most = self.most.max(self.most_before);
        most > 1 && self.busy + 1 >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_most_that_was_seen() {
        let mut pool = Pool::default();
        assert!(!pool.at_its_limit(), "one after the other is no pool");
        (0..4).for_each(|_| pool.called());
        pool.freed();
        assert!(pool.at_its_limit());
        pool.freed();
        assert!(!pool.at_its_limit());
    }

    #[test]
    fn an_old_peak_is_forgotten() {
        let mut pool = Pool::default();
        (0..9).for_each(|_| pool.called());
        (0..8).for_each(|_| pool.freed());
        for _ in 0..2 * WINDOW {
            pool.called();
            pool.freed();
        }
        assert!(pool.at_its_limit(), "two at a time by now");
    }
}
