//! What `/proc/PID` says of a process.

use std::fs;
use std::path::PathBuf;

use wirespan_stitch::event::Process;

use super::{cgroup, command};
use crate::export::grpc::settings::pairs;

/// A clock tick of `/proc/PID/stat` in ns: `USER_HZ` is 100 on all
/// architectures of today.
const TICK: u64 = 10_000_000;

/// Longer command lines are cut: nothing in them beyond names a service.
const ARGUMENTS: usize = 64;

/// `hint` with what `/proc` adds. What `hint` says of times and parents stays;
/// what a process is called may have changed since.
pub(super) fn describe(hint: &Process) -> Process {
    let directory = PathBuf::from(format!("/proc/{}", hint.pid));
    let mut process = hint.clone();
    if let Ok(stat) = fs::read_to_string(directory.join("stat"))
        && let Some((parent_pid, start_time)) = parse_stat(&stat)
    {
        set_if_zero(&mut process.parent_pid, parent_pid);
        set_if_zero(&mut process.start_time, start_time);
    }
    if let Ok(executable) = fs::read_link(directory.join("exe")) {
        let path = executable.to_string_lossy();
        path.trim_end_matches(" (deleted)")
            .clone_into(&mut process.executable);
    }
    if let Ok(bytes) = fs::read(directory.join("cmdline"))
        && !bytes.is_empty()
    {
        process.command_line = strings(&bytes).take(ARGUMENTS).collect();
    }
    let cgroup = fs::read_to_string(directory.join("cgroup")).unwrap_or_default();
    if let Some(id) = cgroup::container_id(&cgroup) {
        id.clone_into(&mut process.container_id);
    }
    let environment = Environment::of(&fs::read(directory.join("environ")).unwrap_or_default());
    if let Some(pod) = environment.pod_name() {
        process
            .attributes
            .push(("k8s.pod.name".to_owned(), pod.to_owned()));
    }
    let cwd = fs::read_link(directory.join("cwd")).unwrap_or_default();
    process.service_name = environment
        .service_name()
        .or_else(|| environment.workload().map(str::to_owned))
        .or_else(|| {
            let leads = environment.leads_unit(&process);
            cgroup::unit(&cgroup).filter(|_| leads).map(str::to_owned)
        })
        .unwrap_or_else(|| command::service_name(&process.command_line, &process.executable, &cwd));
    process.attributes.extend(environment.attributes);
    process
}

fn set_if_zero<T: Default + PartialEq>(field: &mut T, value: T) {
    if *field == T::default() {
        *field = value;
    }
}

/// Parent and start time (ns after boot) of `/proc/PID/stat` (`proc(5)`). The
/// name in parentheses may hold anything.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let ticks: u64 = fields.nth(17)?.parse().ok()?;
    Some((parent, ticks * TICK))
}

fn strings(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes
        .strip_suffix(b"\0")
        .unwrap_or(bytes)
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
}

/// What the environment of a process says of its service. Nothing else of it
/// is kept: it may hold secrets.
#[derive(Debug, Default)]
struct Environment {
    service: Option<String>,
    attributes: Vec<(String, String)>,
    in_kubernetes: bool,
    host_name: Option<String>,
    unit_pid: Option<u32>,
}

impl Environment {
    fn of(bytes: &[u8]) -> Self {
        let mut environment = Self::default();
        for variable in strings(bytes) {
            let Some((name, value)) = variable.split_once('=') else {
                continue;
            };
            match name {
                "OTEL_SERVICE_NAME" => environment.service = Some(value.to_owned()),
                "OTEL_RESOURCE_ATTRIBUTES" => {
                    environment.attributes = pairs(value).unwrap_or_default();
                }
                "KUBERNETES_SERVICE_HOST" => environment.in_kubernetes = true,
                "HOSTNAME" => environment.host_name = Some(value.to_owned()),
                "SYSTEMD_EXEC_PID" => environment.unit_pid = value.parse().ok(),
                _ => {}
            }
        }
        environment
    }

    /// The process's own word for it.
    fn service_name(&self) -> Option<String> {
        let listed = self
            .attributes
            .iter()
            .find(|(key, _)| key == "service.name")
            .map(|(_, value)| value);
        let name = self.service.as_ref().filter(|name| !name.is_empty());
        name.or(listed).filter(|name| !name.is_empty()).cloned()
    }

    fn pod_name(&self) -> Option<&str> {
        self.host_name.as_deref().filter(|_| self.in_kubernetes)
    }

    /// The deployment that a pod is of.
    fn workload(&self) -> Option<&str> {
        self.pod_name().and_then(cgroup::workload)
    }

    /// Whether this is a process that the manager started for the unit it is
    /// in, or a child of one: not something run from a login or by a job.
    fn leads_unit(&self, process: &Process) -> bool {
        match self.unit_pid {
            Some(pid) => pid == process.pid || pid == process.parent_pid,
            None => process.parent_pid == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_any_name() {
        let stat = "42 (a) b) (c) S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 250 1 2";
        assert_eq!(parse_stat(stat), Some((7, 250 * TICK)));
        assert_eq!(parse_stat("42 (a) S"), None);
    }

    #[test]
    fn the_environment_names_the_service() {
        let cases: [(&str, Option<&str>); 6] = [
            ("A=b\0OTEL_SERVICE_NAME=shop\0", Some("shop")),
            (
                "OTEL_RESOURCE_ATTRIBUTES=service.name=a%20b,x=y\0",
                Some("a b"),
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b\0",
                Some("b"),
            ),
            ("OTEL_SERVICE_NAME=\0", None),
            ("OTEL_RESOURCE_ATTRIBUTES=nonsense\0", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let environment = Environment::of(text.as_bytes());
            assert_eq!(environment.service_name().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_unit_names_only_what_it_started() {
        let process = |pid, parent_pid| Process {
            pid,
            parent_pid,
            ..Process::default()
        };
        let started = Environment::of(b"SYSTEMD_EXEC_PID=50\0");
        assert!(started.leads_unit(&process(50, 1)));
        assert!(started.leads_unit(&process(51, 50)));
        assert!(!started.leads_unit(&process(60, 51)));
        let old = Environment::default();
        assert!(old.leads_unit(&process(50, 1)));
        assert!(!old.leads_unit(&process(51, 50)));
    }
}
