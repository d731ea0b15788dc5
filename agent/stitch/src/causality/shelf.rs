//! What was learnt, by kind of process: of those that are gone, and of those
//! that an earlier run knew. A new process of the same kind begins with it.
//!
//! Saving it, and what else there is of a process, are left to others.

use std::sync::Arc;

use hashbrown::HashMap;
use hashlink::LinkedHashMap;

use super::audit::Audit;
use super::kind::Kind;
use super::model::Model;

/// Kinds of processes remembered; the one that was not used for longest is
/// forgotten first.
pub(super) const MAX_KINDS: usize = 256;
/// States remembered of one kind, and of all (about 1 KiB each).
pub(super) const MAX_STATES_EACH: usize = 1024;
pub(super) const MAX_STATES: usize = 4096;
/// What was learnt last replaces what is remembered unless it is less than this
/// share of it.
const POORER: f32 = 0.5;

/// What was learnt of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What follows what.
    pub(super) model: Model,
    /// How far timing can be trusted.
    pub(super) audit: Audit,
}

/// What was learnt, by kind of process.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// What the living processes are.
    kinds: HashMap<u32, Arc<Kind>>,
    /// The last used is the last.
    memories: LinkedHashMap<Arc<Kind>, Memory>,
    states: usize,
    forgotten: u64,
}

impl Shelf {
    /// Takes in what a process is.
    pub(super) fn introduce(&mut self, pid: u32, kind: Kind) {
        self.kinds.insert(pid, Arc::new(kind));
    }

    /// A process is gone.
    pub(super) fn farewell(&mut self, pid: u32) {
        self.kinds.remove(&pid);
    }

    /// What a process is.
    pub(super) fn kind(&self, pid: u32) -> Option<&Arc<Kind>> {
        self.kinds.get(&pid)
    }

    /// What is remembered of processes of its kind.
    pub(super) fn recall(&mut self, pid: u32) -> Option<Memory> {
        let kind = self.kinds.get(&pid)?;
        self.memories.to_back(kind).map(|memory| memory.clone())
    }

    /// Puts away what was learnt of a process.
    pub(super) fn keep(&mut self, pid: u32, memory: Memory) {
        if let Some(kind) = self.kinds.get(&pid) {
            self.put(Arc::clone(kind), memory);
        }
    }

    /// Puts away what was learnt of processes of this kind.
    pub(super) fn put(&mut self, kind: Arc<Kind>, mut memory: Memory) {
        if memory.model.is_empty() {
            return;
        }
        memory.model.trim(MAX_STATES_EACH);
        if let Some(old) = self.memories.remove(&kind) {
            self.states -= old.model.len();
            if !replaces(&memory.model, &old.model) {
                memory = old;
            }
        }
        self.states += memory.model.len();
        self.memories.insert(kind, memory);
        while self.memories.len() > MAX_KINDS || self.states > MAX_STATES {
            let Some((_, memory)) = self.memories.pop_front() else {
                break;
            };
            self.states -= memory.model.len();
            self.forgotten += 1;
        }
    }

    /// Everything remembered, the last used last.
    pub(super) fn memories(&self) -> impl Iterator<Item = (&Arc<Kind>, &Memory)> {
        self.memories.iter()
    }

    /// Kinds forgotten because a limit was hit.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// Whether what was learnt last is to replace what is remembered.
pub(super) fn replaces(new: &Model, old: &Model) -> bool {
    new.weight() >= POORER * old.weight()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn memory(states: u64) -> Memory {
        let mut memory = Memory::default();
        for route in 0..states {
            memory.model.teach_response(route, Timestamp(0), 10);
        }
        memory
    }

    fn kind(service: u32) -> Kind {
        Kind {
            service: service.to_string(),
            executable: String::new(),
        }
    }

    #[test]
    fn a_new_process_finds_what_another_of_its_kind_left() {
        let mut shelf = Shelf::default();
        shelf.introduce(7, kind(1));
        assert!(shelf.recall(7).is_none());
        shelf.keep(7, memory(5));
        shelf.farewell(7);
        shelf.introduce(8, kind(1));
        shelf.introduce(9, kind(2));
        assert!(!shelf.recall(8).unwrap().model.is_empty());
        assert!(shelf.recall(9).is_none());
        assert!(shelf.recall(7).is_none(), "nobody has this id");
    }

    #[test]
    fn who_learnt_little_does_not_replace_who_learnt_much() {
        let mut shelf = Shelf::default();
        shelf.introduce(7, kind(1));
        shelf.keep(7, memory(50));
        let weight = |shelf: &mut Shelf| shelf.recall(7).unwrap().model.weight();
        let much = weight(&mut shelf);
        shelf.keep(7, memory(5));
        assert!((weight(&mut shelf) - much).abs() < 1e-3);
        shelf.keep(7, memory(40));
        assert!(weight(&mut shelf) < much);
    }

    #[test]
    fn it_is_bounded_and_forgets_what_was_not_used() {
        let mut shelf = Shelf::default();
        for pid in 0..2 * MAX_KINDS as u32 {
            shelf.introduce(pid, kind(pid));
            shelf.keep(pid, memory(100));
            shelf.recall(0);
        }
        let states: usize = shelf.memories().map(|(_, memory)| memory.model.len()).sum();
        assert!(states <= MAX_STATES && states == shelf.states);
        assert!(shelf.recall(0).is_some() && shelf.recall(1).is_none());
        assert!(shelf.forgotten() > 0);
    }
}
