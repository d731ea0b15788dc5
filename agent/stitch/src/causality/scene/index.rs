//! Requests that may share a key: a trace id, a request id, a token, a task.

use hashbrown::HashMap;
use smallvec::SmallVec;

/// Requests remembered under one key: the latest.
const MAX_SHARED: usize = 16;

/// Numbers of requests by a key that several may share.
#[derive(Debug)]
pub(in crate::causality) struct Index<K>(HashMap<K, SmallVec<[u32; 2]>>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: std::hash::Hash + Eq> Index<K> {
    /// Requests under a key, the earliest first.
    pub(in crate::causality) fn under(&self, key: &K) -> &[u32] {
        self.0.get(key).map_or(&[], |slots| slots.as_slice())
    }

    pub(super) fn insert(&mut self, key: K, slot: u32) {
        let slots = self.0.entry(key).or_default();
        if slots.len() >= MAX_SHARED {
            slots.remove(0);
        }
        slots.push(slot);
    }

    pub(super) fn remove(&mut self, key: &K, slot: u32) {
        if let Some(slots) = self.0.get_mut(key) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.0.remove(key);
            }
        }
    }
}
