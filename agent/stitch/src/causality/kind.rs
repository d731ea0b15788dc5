//! What a process is, whatever its id: by this, what was learnt of one is found
//! again by those that come after it.

use crate::event::Process;

/// What a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Its service's name.
    pub service: String,
    /// Path of its executable; empty if unknown.
    pub executable: String,
}

impl Kind {
    /// What this process is; `None` if nothing is known of it.
    pub fn of(process: &Process) -> Option<Self> {
        let known = !process.service_name.is_empty() || !process.executable.is_empty();
        known.then(|| Self {
            service: process.service_name.clone(),
            executable: process.executable.clone(),
        })
    }
}
