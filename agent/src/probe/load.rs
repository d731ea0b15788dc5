//! Configures the programs for this kernel, loads them and attaches them.

use std::fs;

use aya::maps::{HashMap, Map, MapData};
use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Ebpf, EbpfLoader};
use wirespan_ebpf::config::{self, Offsets};
use wirespan_ebpf::process::{EXCLUDED_TREE, IN_TREE};
use wirespan_ebpf::{loss, record};
use zerocopy::IntoBytes;

use super::kernel::{self, Hook};
use super::machine::Machine;
use super::{Btf, Filter, LoadError};

/// The compiled kernel side.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/wirespan-kernel"));

/// The tracepoints that are used, in the order of attaching: processes first,
/// so that no child of a process asked for is missed; payload last.
pub const HOOKS: [Hook; 7] = [
    Hook {
        name: "sched_process_fork",
        since: "5.5",
    },
    Hook {
        name: "sched_process_exec",
        since: "5.5",
    },
    Hook {
        name: "sched_process_exit",
        since: "5.5",
    },
    Hook {
        name: "tcp_destroy_sock",
        since: "5.5",
    },
    Hook {
        name: "inet_sock_set_state",
        since: "5.5",
    },
    Hook {
        name: "sock_send_length",
        since: "6.3",
    },
    Hook {
        name: "sock_recv_length",
        since: "6.3",
    },
];

/// How to capture.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to trace.
    pub filter: Filter,
    /// Size of the ring buffer, in bytes; a power of two and whole pages.
    pub ring_bytes: u32,
    /// At most so many bytes of one call are copied, up to 65,536.
    pub call_limit: u32,
    /// At most so many bytes are copied of what goes in one direction until
    /// something goes in the other.
    pub turn_limit: u32,
    /// So many bytes of each call are copied even beyond `turn_limit`.
    pub beyond_limit: u32,
    /// Trace this very process, too: for tests of the capture itself.
    pub trace_self: bool,
    /// Attach everything, but look at no socket: to measure what the hooks alone
    /// cost.
    pub empty: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            ring_bytes: 16 << 20,
            call_limit: record::PAYLOAD_MAX as u32,
            turn_limit: record::PAYLOAD_MAX as u32,
            beyond_limit: 128,
            trace_self: false,
            empty: false,
        }
    }
}

/// Loads and attaches everything. Sockets are not looked at before
/// [`wirespan_ebpf::switch::ACTIVE`] is set.
pub(crate) fn load(config: &Config) -> Result<Ebpf, LoadError> {
    if !kernel::privileged() {
        return Err(LoadError::NotPrivileged);
    }
    let settings = settings(config)?;
    let btf = aya::Btf::from_sys_fs().map_err(|error| LoadError::Setup(error.to_string()))?;
    let mut ebpf = EbpfLoader::new()
        .btf(Some(&btf))
        .override_global("CONFIG", settings.as_bytes(), true)
        .map_max_entries("RECORDS", config.ring_bytes)
        .map_max_entries("LOSSES", kernel::possible_processors()? * loss::COUNT)
        .load(OBJECT)
        .map_err(|error| LoadError::Setup(chain(&error)))?;
    list_ports(&mut ebpf, &config.filter)?;
    // The verifier takes its time: all of it before anything is attached.
    for hook in HOOKS {
        program(&mut ebpf, hook.name)?
            .load(hook.name, &btf)
            .map_err(|error| refusal(hook.name, &error))?;
    }
    for hook in HOOKS {
        program(&mut ebpf, hook.name)?
            .attach()
            .map_err(|error| refusal(hook.name, &error))?;
        if hook.name == "sched_process_exit" {
            list_processes(&mut ebpf, &config.filter)?;
        }
    }
    drop(btf);
    kernel::return_memory();
    Ok(ebpf)
}

/// The table with this name, typed.
pub(crate) fn take_map(ebpf: &mut Ebpf, name: &str) -> Result<Map, LoadError> {
    ebpf.take_map(name)
        .ok_or_else(|| LoadError::Setup(format!("there is no map {name}")))
}

/// What goes wrong, with what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn settings(config: &Config) -> Result<config::Config, LoadError> {
    let btf = Btf::of_running_kernel()?;
    for hook in HOOKS {
        if !btf.has_tracepoint(hook.name) {
            return Err(LoadError::NoHook {
                name: hook.name,
                since: hook.since,
            });
        }
    }
    let mut offsets = Offsets::locate(|structure, member| btf.offset(structure, member))?;
    let machine = Machine::current()?;
    let in_call_enosys = machine.locate(&btf, &mut offsets)?;
    let filter = &config.filter;
    Ok(config::Config {
        offsets,
        own_pid: if config.trace_self {
            0
        } else {
            std::process::id()
        },
        call_limit: config.call_limit.min(record::PAYLOAD_MAX as u32),
        turn_limit: config.turn_limit,
        beyond_limit: config.beyond_limit,
        require_tree: u8::from(!filter.pids.is_empty()),
        require_executable: u8::from(filter.by_executable()),
        processes_listed: u8::from(filter.by_process()),
        ports: match (filter.ports.is_empty(), filter.exclude_ports.is_empty()) {
            (false, _) => config::PORTS_ONLY,
            (true, false) => config::PORTS_EXCEPT,
            (true, true) => config::PORTS_ALL,
        },
        in_call_enosys: u32::from(in_call_enosys),
        call_forms: machine.call_forms(),
    })
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut BtfTracePoint, LoadError> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| LoadError::Setup(format!("there is no program {name}")))?;
    program.try_into().map_err(|error| refusal(name, &error))
}

fn refusal(program: &'static str, error: &ProgramError) -> LoadError {
    match error {
        ProgramError::LoadError { verifier_log, .. } if !verifier_log.to_string().is_empty() => {
            LoadError::Verifier {
                program,
                log: tail(&verifier_log.to_string()),
            }
        }
        error => LoadError::Refused {
            program,
            reason: chain(error),
        },
    }
}

/// The end of the verifier's log is where it says what it did not like.
fn tail(log: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn list_ports(ebpf: &mut Ebpf, filter: &Filter) -> Result<(), LoadError> {
    let mut table = table::<u16>(ebpf, "PORTS")?;
    let included = filter
        .ports
        .iter()
        .map(|&port| (port, config::PORT_INCLUDED));
    let excluded = filter
        .exclude_ports
        .iter()
        .map(|&port| (port, config::PORT_EXCLUDED));
    for (port, mark) in included.chain(excluded) {
        let mark = mark | table.get(&port, 0).unwrap_or(0);
        table
            .insert(port, mark, 0)
            .map_err(|error| LoadError::Setup(chain(&error)))?;
    }
    Ok(())
}

/// Lists the processes asked for, and the children that they have so far; from
/// here on the kernel side lists children as they are forked.
fn list_processes(ebpf: &mut Ebpf, filter: &Filter) -> Result<(), LoadError> {
    let mut table = table::<u32>(ebpf, "PROCESSES")?;
    let parents = parents()?;
    if let Some(&missing) = filter.pids.iter().find(|pid| !parents.contains_key(pid)) {
        return Err(LoadError::NoSuchProcess(missing));
    }
    for &pid in parents.keys() {
        let line = || std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        let mut entry = 0;
        if line().any(|pid| filter.pids.contains(&pid)) {
            entry |= IN_TREE;
        }
        if line().any(|pid| filter.exclude_pids.contains(&pid)) {
            entry |= EXCLUDED_TREE;
        }
        if entry != 0 {
            table
                .insert(pid, entry, 0)
                .map_err(|error| LoadError::Setup(chain(&error)))?;
        }
    }
    Ok(())
}

/// The parent of each process.
fn parents() -> Result<std::collections::BTreeMap<u32, u32>, LoadError> {
    let io = |source| LoadError::Io {
        what: "cannot list the processes in /proc",
        source,
    };
    let mut parents = std::collections::BTreeMap::new();
    for entry in fs::read_dir("/proc").map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile has no line.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            parents.insert(pid, parent);
        }
    }
    Ok(parents)
}

/// The name, in parentheses, may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn table<'a, K: aya::Pod>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<HashMap<&'a mut MapData, K, u8>, LoadError> {
    let map = ebpf
        .map_mut(name)
        .ok_or_else(|| LoadError::Setup(format!("there is no map {name}")))?;
    HashMap::try_from(map).map_err(|error| LoadError::Setup(chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_behind_any_name() {
        assert_eq!(parent("12 (a) b) c) S 7 12 12 0"), Some(7));
        assert_eq!(parent(""), None);
    }
}
