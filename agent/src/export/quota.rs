//! A bound on the bytes that wait for an output.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes that may wait for an output by default: some 50,000 spans. With this
/// much waiting, the whole agent stays within 64 MiB.
pub const WAITING: usize = 24 << 20;

/// How much may wait, and does.
#[derive(Debug)]
pub struct Quota {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// A part of the quota, until it is dropped.
#[derive(Debug)]
pub struct Share {
    quota: Arc<Quota>,
    bytes: usize,
}

impl Quota {
    /// Of `limit` bytes. One batch alone may be bigger.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: Mutex::new(0),
            freed: Condvar::new(),
        })
    }

    /// Takes `bytes`; waits for them if `patient`, else gives `None` if they
    /// are not there.
    pub fn take(self: &Arc<Self>, bytes: usize, patient: bool) -> Option<Share> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && *used + bytes > self.limit {
            if !patient {
                return None;
            }
            used = self
                .freed
                .wait(used)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *used += bytes;
        Some(Share {
            quota: Arc::clone(self),
            bytes,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let quota = &self.quota;
        let mut used = quota.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used -= self.bytes;
        drop(used);
        quota.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_given_and_given_back() {
        let quota = Quota::new(10);
        let first = quota.take(6, false).unwrap();
        assert!(quota.take(5, false).is_none());
        let second = quota.take(4, false).unwrap();
        assert!(quota.take(1, false).is_none());
        drop(first);
        let third = quota.take(6, true);
        drop((second, third));
        // More than there is at all: only while nothing else waits.
        let big = quota.take(11, true).unwrap();
        assert!(quota.take(1, false).is_none());
        drop(big);
        assert!(quota.take(1, false).is_some());
    }

    #[test]
    fn the_patient_wait() {
        let quota = Quota::new(10);
        let first = quota.take(10, true);
        let waiting = {
            let quota = Arc::clone(&quota);
            std::thread::spawn(move || quota.take(10, true).is_some())
        };
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.join().unwrap());
    }
}
