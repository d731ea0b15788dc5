//! Facts about the processes that are traced, told to the engine once each:
//! what `/proc` says at the first sight of a process, on top of what the
//! kernel side said when it was born.
//!
//! Events come in and go out in the same order, with a [`Process`] before the
//! first event of each process. This is the only state: what becomes of the
//! facts is left to the engine and the exporters.

mod cgroup;
mod command;
pub mod host;
mod proc;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use wirespan_stitch::event::{Event, Process};
use wirespan_stitch::time::Timestamp;

/// How many living processes are remembered as told.
const CAPACITY: usize = 32_768;

/// How many dead ones: stragglers of theirs must not bring them back.
const GRAVES: usize = 4096;

/// Which processes the engine has been told of.
#[derive(Debug)]
pub struct Processes {
    host: Vec<(String, String)>,
    known: HashMap<u32, Life>,
    graves: VecDeque<u32>,
    /// How often there were too many of them, and all were forgotten (to be
    /// told anew).
    pub overflows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Over,
}

impl Processes {
    /// None told yet. `host` are attributes for every process.
    pub fn new(host: Vec<(String, String)>) -> Self {
        Self {
            host,
            known: HashMap::new(),
            graves: VecDeque::new(),
            overflows: 0,
        }
    }

    /// Hands on `event`, after the facts about its process if they are new.
    pub fn attend(&mut self, event: Event, mut hand_on: impl FnMut(Event)) {
        match &event {
            Event::Data(data) => self.meet(data.task.pid, data.time, &mut hand_on),
            Event::Opened(opened) => self.meet(opened.task.pid, opened.time, &mut hand_on),
            Event::Process(process) => {
                let described = self.describe(process);
                self.remember(process.pid);
                return hand_on(Event::Process(Arc::new(described)));
            }
            Event::Exited { pid, .. } => self.bury(*pid),
            Event::Closed(_) | Event::Woke(_) | Event::Clock { .. } | Event::Lost(_) => {}
        }
        hand_on(event);
    }

    fn meet(&mut self, pid: u32, time: Timestamp, hand_on: &mut impl FnMut(Event)) {
        if pid == 0 || self.known.contains_key(&pid) {
            return;
        }
        self.remember(pid);
        let hint = Process {
            time,
            pid,
            ..Process::default()
        };
        hand_on(Event::Process(Arc::new(self.describe(&hint))));
    }

    /// `hint` with all that `/proc` adds; `hint` alone if the process is gone.
    fn describe(&self, hint: &Process) -> Process {
        let mut process = proc::describe(hint);
        process.attributes.extend(self.host.iter().cloned());
        process
    }

    fn remember(&mut self, pid: u32) {
        if self.known.len() >= CAPACITY + GRAVES {
            self.known.clear();
            self.graves.clear();
            self.overflows += 1;
        }
        self.known.insert(pid, Life::Alive);
    }

    fn bury(&mut self, pid: u32) {
        if self.known.insert(pid, Life::Over) != Some(Life::Over) {
            self.graves.push_back(pid);
        }
        if self.graves.len() > GRAVES
            && let Some(oldest) = self.graves.pop_front()
            // Its number may have been given to a living process since.
            && self.known.get(&oldest) == Some(&Life::Over)
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_stitch::event::{Opened, SocketId, Task};

    use super::*;
    use crate::testing;

    fn opened(pid: u32) -> Event {
        Event::Opened(Opened {
            time: Timestamp(7),
            socket: SocketId(1),
            task: Task {
                pid,
                tid: pid,
                ..Task::default()
            },
            connection: testing::connection(),
        })
    }

    fn attend(processes: &mut Processes, event: Event) -> Vec<Event> {
        let mut events = Vec::new();
        processes.attend(event, |event| events.push(event));
        events
    }

    #[test]
    fn a_process_is_told_once_before_its_first_event() {
        let own = std::process::id();
        let host = vec![("host.name".to_owned(), "box".to_owned())];
        let mut processes = Processes::new(host.clone());
        let first = attend(&mut processes, opened(own));
        let Event::Process(process) = &first[0] else {
            panic!("{first:?}");
        };
        assert_eq!(process.pid, own);
        assert_eq!(process.time, Timestamp(7));
        assert!(process.executable.contains("wirespan"), "{process:?}");
        assert!(process.service_name.contains("wirespan"), "{process:?}");
        assert!(process.start_time > 0 && process.parent_pid > 0);
        assert!(process.attributes.contains(&host[0]));
        assert_eq!(first.len(), 2);
        assert_eq!(attend(&mut processes, opened(own)).len(), 1);
    }

    #[test]
    fn one_that_is_gone_falls_back_on_what_was_said_of_it() {
        let mut processes = Processes::new(Vec::new());
        let said = Process {
            pid: u32::MAX,
            executable: "/opt/shop".to_owned(),
            command_line: vec!["/opt/shop".to_owned(), "-x".to_owned()],
            ..Process::default()
        };
        let events = attend(&mut processes, Event::Process(Arc::new(said)));
        let Event::Process(process) = &events[0] else {
            panic!("{events:?}");
        };
        assert_eq!(process.service_name, "shop");
    }

    #[test]
    fn stragglers_of_the_dead_do_not_bring_them_back() {
        let mut processes = Processes::new(Vec::new());
        let exited = Event::Exited {
            time: Timestamp(8),
            pid: u32::MAX,
        };
        assert_eq!(attend(&mut processes, exited.clone()), [exited]);
        assert_eq!(attend(&mut processes, opened(u32::MAX)).len(), 1);
        for pid in 1..=(GRAVES as u32) {
            processes.bury(pid);
        }
        assert_eq!(processes.graves.len(), GRAVES);
        assert_eq!(attend(&mut processes, opened(u32::MAX)).len(), 2);
    }
}
