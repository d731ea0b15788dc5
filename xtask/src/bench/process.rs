//! What a process uses, as the kernel counts it in `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use wirespan_tests::agent::Agent;
use wirespan_tests::port;

use super::Report;

/// Clock ticks a second in `/proc`: `USER_HZ`, 100 on every Linux port that
/// wirespan runs on.
const TICKS: f64 = 100.0;

const MIB: f64 = 1024.0 * 1024.0;

/// How long the idle agent is watched, after it has had time to calm down.
const CALM: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(10);

/// A process's BPF objects, from what `/proc/PID/fdinfo` says of its open files.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bpf {
    /// Bytes of its maps.
    pub(super) map_bytes: f64,
    /// Runs of its programs; 0 unless the kernel was asked to count them.
    pub(super) runs: f64,
    /// Seconds spent in them.
    pub(super) seconds: f64,
}

/// Wake-ups and memory of an agent that traces everything while nothing
/// happens that concerns it.
pub(super) fn measure_idle(report: &mut Report) -> Result<()> {
    let agent = Agent::run(&["--port".to_owned(), port::free().to_string()])?;
    sleep(CALM);
    let (before, cpu_before) = (switches(agent.pid())?, cpu(agent.pid())?);
    sleep(WATCH);
    let switched = switches(agent.pid())? - before;
    let cpu_used = cpu(agent.pid())? - cpu_before;
    let seconds = WATCH.as_secs_f64();
    report.add(
        "idle_wakeups",
        "wake-ups when idle",
        switched / seconds,
        "/s",
    );
    report.add(
        "idle_cpu",
        "processor when idle",
        cpu_used / seconds * 100.0,
        "%",
    );
    let resident = resident(agent.pid())? / MIB;
    report.add("idle_resident", "resident when idle", resident, "MiB");
    let maps = bpf(agent.pid())?.map_bytes / MIB;
    report.add("map_bytes", "BPF maps", maps, "MiB");
    agent.stop()?;
    Ok(())
}

/// Seconds of processor time that the process used so far.
pub(super) fn cpu(pid: u32) -> Result<f64> {
    // utime and stime are fields 14 and 15, counted from 1 with the name as 2.
    Ok(ticks(pid, 11)? + ticks(pid, 12)?)
}

/// A time in `/proc/PID/stat`, in seconds, by its place behind the name.
pub(super) fn ticks(pid: u32, index: usize) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field = after_name.split_whitespace().nth(index);
    let ticks: f64 = field.context("/proc/PID/stat is too short")?.parse()?;
    Ok(ticks / TICKS)
}

/// Bytes of memory that it has resident.
pub(super) fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, "VmRSS:").context("VmRSS")? * 1024.0)
}

/// Its BPF maps and programs, each once.
pub(super) fn bpf(pid: u32) -> Result<Bpf> {
    let mut objects: BTreeMap<String, Bpf> = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A file may be closed between the listing and the look.
        let info = fs::read_to_string(entry?.path()).unwrap_or_default();
        if let Some(id) = field(&info, "map_id:") {
            let map_bytes = field(&info, "memlock:").unwrap_or(0.0);
            let map = Bpf {
                map_bytes,
                ..Bpf::default()
            };
            objects.insert(format!("map {id}"), map);
        } else if let Some(id) = field(&info, "prog_id:")
            && let Some(runs) = field(&info, "run_cnt:")
        {
            let program = Bpf {
                runs,
                seconds: field(&info, "run_time_ns:").unwrap_or(0.0) / 1e9,
                map_bytes: 0.0,
            };
            objects.insert(format!("program {id}"), program);
        }
    }
    Ok(objects.values().fold(Bpf::default(), |sum, object| Bpf {
        map_bytes: sum.map_bytes + object.map_bytes,
        runs: sum.runs + object.runs,
        seconds: sum.seconds + object.seconds,
    }))
}

/// How often its threads were switched to.
fn switches(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(entry?.path().join("status")).unwrap_or_default();
        for key in ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
            sum += field(&status, key).unwrap_or(0.0);
        }
    }
    Ok(sum)
}

/// The number after `key` at the beginning of a line.
fn field(text: &str, key: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_at_the_start_of_its_line() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(5.0));
        assert_eq!(field(text, "VmRSS:"), None);
    }

    #[test]
    fn this_process_uses_something() {
        assert!(resident(std::process::id()).unwrap() > 0.0);
        assert!(cpu(std::process::id()).unwrap() >= 0.0);
        assert!(switches(std::process::id()).unwrap() > 0.0);
    }
}
