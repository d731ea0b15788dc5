//! The processes that were met, by their ids, which the kernel uses again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::event::Process;
use crate::time::Timestamp;

/// How long a process is remembered after its end, for its last exchanges.
const REMEMBER: Duration = Duration::from_mins(1);

/// Facts about the processes that live, or did until a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    facts: HashMap<u32, Arc<Process>>,
    exited: VecDeque<(Timestamp, u32)>,
}

impl Processes {
    pub(crate) fn insert(&mut self, process: Arc<Process>) {
        self.forget(process.time);
        self.facts.insert(process.pid, process);
    }

    pub(crate) fn exited(&mut self, pid: u32, time: Timestamp) {
        self.forget(time);
        if self.facts.contains_key(&pid) {
            self.exited.push_back((time, pid));
        }
    }

    pub(crate) fn get(&self, pid: u32) -> Option<Arc<Process>> {
        self.facts.get(&pid).cloned()
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((exited, pid)) = self.exited.pop_front_if(|(time, _)| *time + REMEMBER < now)
        {
            // The id may have been given to another process since.
            if self
                .facts
                .get(&pid)
                .is_some_and(|process| process.time <= exited)
            {
                self.facts.remove(&pid);
            }
        }
    }
}
