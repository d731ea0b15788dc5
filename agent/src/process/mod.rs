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

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use wirespan_stitch::event::{Event, Process};
use wirespan_stitch::time::Timestamp;

/// How many living processes are remembered.
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

#[derive(Clone, Debug)]
enum Life {
    /// It was born, as a copy of this one.
    Forked {
        parent: u32,
        start_time: u64,
    },
    /// It became another program; this is all that was said of it. Most
    /// programs never open a socket, so nothing is read of them yet.
    Started(Box<Process>),
    Told(Arc<Process>),
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

    /// Takes in that process `pid` was forked by `parent`; `start_time` is in
    /// ns after boot.
    pub fn forked(&mut self, pid: u32, parent: u32, start_time: u64) {
        self.remember(pid, Life::Forked { parent, start_time });
    }

    /// Takes in that a process became another program, and what is known of it.
    pub fn executed(&mut self, hint: Process) {
        self.remember(hint.pid, Life::Started(Box::new(hint)));
    }

    /// Hands on `event`, after the facts about its process if they are new.
    pub fn attend(&mut self, event: Event, mut hand_on: impl FnMut(Event)) {
        match &event {
            Event::Data(data) => self.meet(data.task.pid, data.time, &mut hand_on),
            Event::Opened(opened) => self.meet(opened.task.pid, opened.time, &mut hand_on),
            Event::Exited { pid, .. } => {
                // The engine knows only those it was told of.
                if !self.bury(*pid) {
                    return;
                }
            }
            Event::Process(_)
            | Event::Closed(_)
            | Event::Woke(_)
            | Event::Clock { .. }
            | Event::Lost(_) => {}
        }
        hand_on(event);
    }

    fn meet(&mut self, pid: u32, time: Timestamp, hand_on: &mut impl FnMut(Event)) {
        let hint = match self.known.get(&pid) {
            _ if pid == 0 => return,
            Some(Life::Told(_) | Life::Over) => return,
            Some(Life::Started(hint)) => Process::clone(hint),
            Some(Life::Forked { parent, start_time }) => self.child(*parent, *start_time),
            None => Process::default(),
        };
        let mut process = proc::describe(&Process { time, pid, ..hint });
        process.attributes.extend(self.host.iter().cloned());
        let process = Arc::new(process);
        self.remember(pid, Life::Told(Arc::clone(&process)));
        hand_on(Event::Process(process));
    }

    /// What a process is known to be from its parent alone.
    fn child(&self, parent_pid: u32, start_time: u64) -> Process {
        let (executable, command_line) = match self.known.get(&parent_pid) {
            Some(Life::Told(parent)) => (&parent.executable, &parent.command_line),
            Some(Life::Started(parent)) => (&parent.executable, &parent.command_line),
            _ => (&String::new(), &Vec::new()),
        };
        Process {
            parent_pid,
            start_time,
            executable: executable.clone(),
            command_line: command_line.clone(),
            ..Process::default()
        }
    }

    fn remember(&mut self, pid: u32, life: Life) {
        if self.known.len() >= CAPACITY + GRAVES {
            self.known.clear();
            self.graves.clear();
            self.overflows += 1;
        }
        self.known.insert(pid, life);
    }

    /// Whether the engine had been told of it.
    fn bury(&mut self, pid: u32) -> bool {
        let before = self.known.insert(pid, Life::Over);
        if !matches!(before, Some(Life::Over)) {
            self.graves.push_back(pid);
        }
        if self.graves.len() > GRAVES
            && let Some(oldest) = self.graves.pop_front()
            // Its number may have been given to a living process since.
            && matches!(self.known.get(&oldest), Some(Life::Over))
        {
            self.known.remove(&oldest);
        }
        matches!(before, Some(Life::Told(_)))
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
        processes.executed(Process {
            pid: GONE,
            parent_pid: 7,
            start_time: 9,
            executable: "/opt/shop".to_owned(),
            command_line: vec!["/opt/shop".to_owned(), "-x".to_owned()],
            ..Process::default()
        });
        let process = told(&attend(&mut processes, opened(GONE)));
        assert_eq!(process.service_name, "shop");
        assert_eq!((process.parent_pid, process.start_time), (7, 9));
        processes.forked(GONE - 1, GONE, 11);
        let child = told(&attend(&mut processes, opened(GONE - 1)));
        assert_eq!(child.service_name, "shop");
        assert_eq!((child.parent_pid, child.start_time), (GONE, 11));
    }

    #[test]
    fn a_new_program_is_told_anew() {
        let own = std::process::id();
        let mut processes = Processes::new(Vec::new());
        told(&attend(&mut processes, opened(own)));
        processes.executed(Process {
            pid: own,
            ..Process::default()
        });
        told(&attend(&mut processes, opened(own)));
    }

    #[test]
    fn stragglers_of_the_dead_do_not_bring_them_back() {
        let mut processes = Processes::new(Vec::new());
        let exited = Event::Exited {
            time: Timestamp(8),
            pid: GONE,
        };
        assert_eq!(attend(&mut processes, exited.clone()), []);
        assert_eq!(attend(&mut processes, opened(GONE)).len(), 1);
        for pid in 1..=(GRAVES as u32) {
            processes.bury(pid);
        }
        assert_eq!(processes.graves.len(), GRAVES);
        told(&attend(&mut processes, opened(GONE)));
        assert_eq!(attend(&mut processes, exited.clone()), [exited]);
    }

    /// No process has this id.
    const GONE: u32 = u32::MAX;

    fn told(events: &[Event]) -> Arc<Process> {
        let [Event::Process(process), Event::Opened(_)] = events else {
            panic!("{events:?}");
        };
        Arc::clone(process)
    }
}
