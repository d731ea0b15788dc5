//! What to trace, from the command line to the kernel side's terms, checked
//! against what is on this host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cli;
use crate::probe::{self, Filter, Globs};

/// The state of a listening socket in `/proc/net/tcp` (`TCP_LISTEN`).
const LISTEN: &str = "0A";

/// What the kernel side is to be told.
pub fn config(wanted: &cli::Filters) -> Result<probe::Config> {
    let default = probe::Config::default();
    let ring_bytes = wanted.ring_bytes.unwrap_or(default.ring_bytes);
    ensure!(
        ring_bytes.is_power_of_two() && ring_bytes >= 4096,
        "--ring-bytes {ring_bytes}: it must be a power of two and at least 4096"
    );
    Ok(probe::Config {
        filter: resolve(wanted)?,
        ring_bytes,
        ..default
    })
}

/// Fails where a process asked for does not exist; warns where nobody listens on
/// a port asked for, or runs an executable, since somebody may yet.
fn resolve(wanted: &cli::Filters) -> Result<Filter> {
    for pid in &wanted.pid {
        ensure!(exists(*pid), "--pid {pid}: there is no such process");
    }
    for pid in wanted.exclude_pid.iter().filter(|pid| !exists(**pid)) {
        log::warn!("--exclude-pid {pid}: there is no such process");
    }
    if !wanted.port.is_empty() {
        let listening = listening();
        for port in wanted.port.iter().filter(|port| !listening.contains(port)) {
            log::warn!("--port {port}: nobody on this host listens there now");
        }
    }
    if !wanted.exe.is_empty() {
        let running = running();
        for pattern in &wanted.exe {
            let globs = Globs::new([pattern.as_str()]);
            if globs.is_ok_and(|globs| !running.iter().any(|path| globs.matches(path))) {
                log::warn!("--exe {pattern}: nobody on this host runs that now");
            }
        }
    }
    let globs = |option: &str, patterns: &[String]| {
        Globs::new(patterns.iter().map(String::as_str))
            .with_context(|| format!("{option} {}", patterns.join(",")))
    };
    Ok(Filter {
        pids: wanted.pid.iter().copied().collect(),
        exclude_pids: wanted.exclude_pid.iter().copied().collect(),
        ports: wanted.port.iter().copied().collect(),
        exclude_ports: wanted.exclude_port.iter().copied().collect(),
        executables: globs("--exe", &wanted.exe)?,
        exclude_executables: globs("--exclude-exe", &wanted.exclude_exe)?,
    })
}

fn exists(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Executables of all processes that may be looked at.
fn running() -> BTreeSet<PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_link(process.path().join("exe")).ok())
        .collect()
}

/// Ports that are listened on in this network namespace.
fn listening() -> BTreeSet<u16> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(listening_port).collect::<Vec<_>>())
        .collect()
}

/// A line is `sl local_address rem_address st …`, an address `IP:PORT` in
/// hexadecimal.
fn listening_port(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = fields.next()?;
    let state = fields.nth(1)?;
    let (_, port) = local.rsplit_once(':')?;
    (state == LISTEN)
        .then(|| u16::from_str_radix(port, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_do_not_exist_are_named() {
        let wanted = cli::Filters {
            pid: vec![std::process::id(), u32::MAX],
            ..cli::Filters::default()
        };
        let error = resolve(&wanted).unwrap_err().to_string();
        assert_eq!(error, "--pid 4294967295: there is no such process");
    }

    #[test]
    fn patterns_that_are_none_are_named() {
        let wanted = cli::Filters {
            exclude_exe: vec!["a[".to_owned()],
            ..cli::Filters::default()
        };
        let error = format!("{:#}", resolve(&wanted).unwrap_err());
        assert!(error.starts_with("--exclude-exe a["), "{error}");
    }

    #[test]
    fn running_executables_are_seen() {
        let ours = std::env::current_exe().unwrap();
        assert!(running().contains(&ours));
    }

    #[test]
    fn listening_ports_are_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening().contains(&port));
        drop(listener);
        assert_eq!(
            listening_port(" 0: 0100007F:1F90 0100007F:0050 01 0:0 00:0 0 0"),
            None
        );
    }
}
