//! Who uses the processor while a load runs: a request's cost, taken apart.

use std::collections::BTreeMap;
use std::fs;
use std::process;

use anyhow::{Context, Result};

use super::Report;
use super::process::ticks;
use super::statistics::median;

/// Those who take part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// nginx's worker.
    Server,
    /// `wrk`.
    Load,
    /// The agent's main thread: from the ring buffer to spans as bytes.
    DataPath,
    /// The agent's other threads: what takes the bytes away.
    Outputs,
    /// What takes them in, if it is a process.
    Collector,
}

/// Seconds on a processor, by part.
pub(super) type Used = BTreeMap<Part, f64>;

/// A run that is being watched.
#[derive(Debug)]
pub(super) struct Watch {
    threads: Vec<(Part, Threads)>,
    before: Used,
}

/// Threads of one process.
#[derive(Clone, Copy, Debug)]
enum Threads {
    All(u32),
    /// The one that the process began with.
    Main(u32),
    Others(u32),
}

impl Watch {
    /// Watches nginx, of which `master` is the first process, and what this
    /// process waits for: `wrk`.
    pub(super) fn of_server(master: u32) -> Result<Self> {
        let mut watch = Self {
            threads: Vec::new(),
            before: Used::new(),
        };
        for worker in children(master)? {
            watch.add(Part::Server, Threads::All(worker))?;
        }
        watch.before.insert(Part::Load, waited_for()?);
        Ok(watch)
    }

    /// Watches the agent, too.
    pub(super) fn agent(&mut self, pid: u32) -> Result<()> {
        self.add(Part::DataPath, Threads::Main(pid))?;
        self.add(Part::Outputs, Threads::Others(pid))
    }

    /// Watches what takes the spans, too.
    pub(super) fn collector(&mut self, pid: u32) -> Result<()> {
        self.add(Part::Collector, Threads::All(pid))
    }

    /// What they used since they were told of.
    pub(super) fn end(self) -> Result<Used> {
        let mut used = Used::new();
        used.insert(Part::Load, waited_for()?);
        for (part, threads) in &self.threads {
            *used.entry(*part).or_default() += threads.seconds()?;
        }
        for (part, seconds) in &mut used {
            *seconds -= self.before.get(part).unwrap_or(&0.0);
        }
        Ok(used)
    }

    fn add(&mut self, part: Part, threads: Threads) -> Result<()> {
        *self.before.entry(part).or_default() += threads.seconds()?;
        self.threads.push((part, threads));
        Ok(())
    }
}

/// The median of several runs, `without` wirespan and `with` it, in each of
/// which a request used so much.
pub(super) fn report(without: &[Used], with: &[Used], report: &mut Report) {
    let figures = [
        (
            without,
            Part::Server,
            "part_server_without",
            "nginx without wirespan",
        ),
        (with, Part::Server, "part_server", "nginx with wirespan"),
        (
            without,
            Part::Load,
            "part_load_without",
            "wrk without wirespan",
        ),
        (with, Part::Load, "part_load", "wrk with wirespan"),
        (with, Part::DataPath, "part_data_path", "agent, data path"),
        (with, Part::Outputs, "part_outputs", "agent, other threads"),
        (with, Part::Collector, "part_collector", "collector"),
    ];
    for (runs, part, key, label) in figures {
        let times: Vec<_> = runs.iter().filter_map(|used| used.get(&part)).collect();
        if !times.is_empty() {
            let times: Vec<_> = times.into_iter().map(|seconds| seconds * 1e6).collect();
            report.add(key, label, median(&times), "µs a request");
        }
    }
    let total = |runs: &[Used]| -> f64 {
        let totals = runs.iter().map(|used| used.values().sum());
        median(&totals.collect::<Vec<_>>())
    };
    // What else runs on the machine shifts the rates, but hardly these times.
    let ratio = total(without) / total(with);
    report.add("ratio_of_times", "ratio of all these times", ratio, "");
}

impl Threads {
    /// Time on a processor so far (`/proc/PID/task/TID/schedstat`, in ns). That
    /// of a thread that has ended is not in it.
    fn seconds(self) -> Result<f64> {
        let (Self::All(pid) | Self::Main(pid) | Self::Others(pid)) = self;
        let mut nanoseconds = 0.0;
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let main = entry.file_name().to_string_lossy() == pid.to_string();
            let wanted = match self {
                Self::All(_) => true,
                Self::Main(_) => main,
                Self::Others(_) => !main,
            };
            if wanted {
                // It may end between the listing and the look.
                let times = fs::read_to_string(entry.path().join("schedstat"));
                let times = times.unwrap_or_default();
                let running = times.split(' ').next().unwrap_or_default();
                nanoseconds += running.parse().unwrap_or(0.0);
            }
        }
        Ok(nanoseconds / 1e9)
    }
}

/// Processes that this one has started and that still run.
fn children(pid: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let list = fs::read_to_string(&path).context(path)?;
    list.split_whitespace()
        .map(|child| child.parse().context("a process id"))
        .collect()
}

/// Seconds that children of this process used, of those that it has waited for.
fn waited_for() -> Result<f64> {
    // cutime and cstime are fields 16 and 17, counted from 1 with the name as 2.
    Ok(ticks(process::id(), 13)? + ticks(process::id(), 14)?)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;

    #[test]
    fn threads_are_told_apart() {
        let busy = std::thread::spawn(|| {
            let others = Threads::Others(id());
            let before = others.seconds().unwrap();
            while others.seconds().unwrap() <= before {}
        });
        busy.join().unwrap();
        let all = Threads::All(id()).seconds().unwrap();
        let main = Threads::Main(id()).seconds().unwrap();
        assert!(main > 0.0 && all > main);
    }

    #[test]
    fn a_child_is_seen_and_then_counted() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        // The one that started it is a thread of this test, not the main one.
        let threads = fs::read_dir("/proc/self/task").unwrap();
        let found = threads.filter_map(Result::ok).any(|thread| {
            let list = fs::read_to_string(thread.path().join("children"));
            list.is_ok_and(|list| list.split(' ').any(|pid| pid == child.id().to_string()))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
        assert!(waited_for().unwrap() >= 0.0);
    }
}
