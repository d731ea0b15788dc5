//! What this kernel is and allows.
#![expect(
    unsafe_code,
    reason = "poll, sysconf, uname and malloc_trim are not known to Rust"
)]

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use super::{Btf, LoadError};

/// A tracepoint that programs are attached to.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Its name, which is also that of the program.
    pub name: &'static str,
    /// First version of the kernel that has it with BTF.
    pub since: &'static str,
}

/// What this kernel is and allows.
#[derive(Debug)]
pub struct Kernel {
    /// As `uname -r` says.
    pub release: String,
    /// As `uname -m` says.
    pub machine: String,
    /// Whether this process may load programs.
    pub privileged: bool,
    /// The kernel's own types.
    pub btf: Result<Btf, LoadError>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: String,
    /// Whether kprobes were built in.
    pub kprobes: bool,
    /// Where tracefs is mounted.
    pub tracefs: Option<PathBuf>,
    /// Where the hierarchy of cgroup v2 is mounted.
    pub cgroup: Option<PathBuf>,
}

impl Kernel {
    /// Looks at the running kernel; changes nothing.
    pub fn probe() -> Self {
        Self {
            release: read("/proc/sys/kernel/osrelease"),
            machine: machine(),
            privileged: privileged(),
            btf: Btf::of_running_kernel(),
            lockdown: lockdown(&read("/sys/kernel/security/lockdown")),
            kprobes: fs::exists("/sys/bus/event_source/devices/kprobe").unwrap_or(false),
            tracefs: mounted("tracefs"),
            cgroup: mounted("cgroup2"),
        }
    }
}

/// Whether this process may load programs: with `CAP_SYS_ADMIN`, or with
/// `CAP_BPF` and `CAP_PERFMON` (`include/uapi/linux/capability.h`).
pub(crate) fn privileged() -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const BPF_AND_PERFMON: u64 = 1 << 39 | 1 << 38;
    let status = read("/proc/self/status");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    effective.is_some_and(|mask| mask & SYS_ADMIN != 0 || mask & BPF_AND_PERFMON == BPF_AND_PERFMON)
}

/// How many processors there may ever be.
pub(crate) fn possible_processors() -> Result<u32, LoadError> {
    const FILE: &str = "/sys/devices/system/cpu/possible";
    let possible = fs::read_to_string(FILE).map_err(|source| LoadError::Io {
        what: "cannot tell how many processors there are",
        source,
    })?;
    let last = possible
        .trim()
        .rsplit([',', '-'])
        .next()
        .and_then(|last| last.parse::<u32>().ok());
    last.map(|last| last + 1)
        .ok_or_else(|| LoadError::Setup(format!("{FILE} holds {possible:?}")))
}

/// Bytes of a page of memory.
pub(crate) fn page_size() -> usize {
    // SAFETY: no precondition.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Waits until `fd` can be read, a signal comes, or `timeout` is over.
pub(crate) fn wait_readable(fd: RawFd, timeout: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one valid pollfd.
    let result = unsafe { libc::poll(&raw mut poll, 1, timeout) };
    let error = io::Error::last_os_error();
    if result >= 0 || error.kind() == io::ErrorKind::Interrupted {
        Ok(())
    } else {
        Err(error)
    }
}

/// Gives freed memory back to the kernel: its types, some 40 MB once parsed, are
/// needed for loading only, and the allocator would keep their room for good.
pub(crate) fn return_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn machine() -> String {
    // SAFETY: plain bytes, all of which may be zero.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is valid for writes; the fields are then NUL-terminated.
    unsafe { libc::uname(&raw mut name) };
    let bytes = name.machine.iter().take_while(|&&byte| byte != 0);
    bytes
        .map(|&byte| char::from(byte.to_ne_bytes()[0]))
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The kernel marks the mode in force: `none [integrity] confidentiality`.
fn lockdown(modes: &str) -> String {
    let marked = modes
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    marked.map_or("none", |(mode, _)| mode).to_owned()
}

fn mounted(kind: &str) -> Option<PathBuf> {
    let mounts = read("/proc/self/mounts");
    let mut found = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let path = fields.next()?;
        (fields.next()? == kind).then(|| PathBuf::from(path))
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_in_force_is_the_marked_one() {
        assert_eq!(lockdown("none [integrity] confidentiality"), "integrity");
        assert_eq!(lockdown(""), "none");
    }

    #[test]
    fn there_is_a_processor() {
        assert!(possible_processors().unwrap() >= 1);
    }
}
