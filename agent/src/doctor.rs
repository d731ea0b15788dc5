//! `wirespan doctor`: what this kernel allows, which capture will be used, what
//! each refusal means and what to do about it.
//!
//! In: [`Kernel`], and an attempt to load. Out: a [`Report`]. Printing it and
//! exiting are the command's.

use std::fmt;

use crate::learnt::audit;
use crate::probe::{Btf, Capture, Config, HOOKS, Hook, Kernel, LoadError};
use crate::state::{self, file};

/// Size of the ring buffer of the attempt, in bytes: enough to be accepted.
const RING_BYTES: u32 = 64 << 10;

/// What was found, ready to be printed.
#[derive(Debug)]
pub struct Report {
    lines: Vec<Line>,
    works: bool,
}

#[derive(Debug)]
struct Line {
    state: State,
    what: &'static str,
    found: String,
    /// What it means, and what to do.
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// Not there, and not needed for what is done now.
    Absent,
    Bad,
}

/// Looks at this kernel, and loads the programs for a moment.
pub fn examine() -> Report {
    let kernel = Kernel::probe();
    let attempt = attempt();
    Report::new(&kernel, &attempt)
}

impl Report {
    /// 0 if tracing can work, 1 if not.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.works)
    }

    fn new(kernel: &Kernel, attempt: &Result<(), LoadError>) -> Self {
        let mut lines = vec![
            line(
                State::Good,
                "kernel",
                format!("Linux {} on {}", kernel.release, kernel.machine),
            ),
            privileges(kernel),
            types(kernel),
        ];
        if let Ok(btf) = &kernel.btf {
            lines.extend(HOOKS.iter().map(|hook| tracepoint(btf, hook)));
        }
        lines.extend(surroundings(kernel));
        lines.extend(learnt());
        lines.push(outcome(attempt));
        Self {
            lines,
            works: attempt.is_ok(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let mark = match line.state {
                State::Good => "ok",
                State::Absent => "--",
                State::Bad => "NO",
            };
            writeln!(formatter, "{mark}  {:<12} {}", line.what, line.found)?;
            if let Some(advice) = &line.advice {
                writeln!(formatter, "    {:<12} -> {advice}", "")?;
            }
        }
        let verdict = if self.works {
            "tracing works here"
        } else {
            "tracing cannot work here"
        };
        writeln!(formatter, "\n{verdict}")
    }
}

fn attempt() -> Result<(), LoadError> {
    Capture::load(&Config {
        ring_bytes: RING_BYTES,
        ..Config::default()
    })
    .map(drop)
}

fn privileges(kernel: &Kernel) -> Line {
    if kernel.privileged {
        line(
            State::Good,
            "privileges",
            "BPF programs may be loaded".to_owned(),
        )
    } else {
        let advice = "run as root, or give CAP_BPF and CAP_PERFMON (in a container: \
                      --privileged, or --cap-add of both)";
        bad(
            "privileges",
            "BPF programs may not be loaded".to_owned(),
            advice.to_owned(),
        )
    }
}

fn types(kernel: &Kernel) -> Line {
    match &kernel.btf {
        Ok(_) => line(
            State::Good,
            "BTF",
            "the kernel describes its types".to_owned(),
        ),
        Err(error) => bad(
            "BTF",
            error.to_string(),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF; those of all large distributions are"
                .to_owned(),
        ),
    }
}

fn tracepoint(btf: &Btf, hook: &Hook) -> Line {
    const WHAT: &str = "tracepoint";
    if btf.has_tracepoint(hook.name) {
        return line(State::Good, WHAT, hook.name.to_owned());
    }
    let advice = format!("needs Linux {} or later", hook.since);
    bad(WHAT, format!("{} is missing", hook.name), advice)
}

/// What is not needed by the capture in use, but decides on others.
fn surroundings(kernel: &Kernel) -> Vec<Line> {
    let lockdown = match kernel.lockdown.as_str() {
        "confidentiality" => bad(
            "lockdown",
            "confidentiality: programs may not read memory".to_owned(),
            "boot with lockdown=integrity or without".to_owned(),
        ),
        mode => line(
            State::Good,
            "lockdown",
            format!("{mode}: does not stand in the way"),
        ),
    };
    let optional = |what, found: Option<String>, without: &str| match found {
        Some(found) => line(State::Good, what, found),
        None => line(State::Absent, what, format!("{without}; not needed")),
    };
    let path = |path: &std::path::PathBuf| path.display().to_string();
    vec![
        lockdown,
        optional(
            "kprobes",
            kernel.kprobes.then(|| "in the kernel".to_owned()),
            "not in the kernel",
        ),
        optional("tracefs", kernel.tracefs.as_ref().map(path), "not mounted"),
        optional("cgroup v2", kernel.cgroup.as_ref().map(path), "not mounted"),
    ]
}

/// What earlier runs learnt, and how right they were where headers tell.
fn learnt() -> Vec<Line> {
    const WHAT: &str = "learnt";
    let Some(directory) = state::directory(None) else {
        let found = "nothing is kept between runs (see --state-dir)";
        return vec![line(State::Absent, WHAT, found.to_owned())];
    };
    let shown = directory.display();
    match file::read(&directory.join(file::NAME)) {
        Ok(learnt) => {
            let services = format!("{} services, in {shown}", learnt.len());
            let audits = learnt.iter().filter_map(|learnt| {
                let told = audit(&learnt.self_audit)?;
                let found = format!("{}: {told}", learnt.kind.service);
                Some(line(State::Good, "self-audit", found))
            });
            [line(State::Good, WHAT, services)]
                .into_iter()
                .chain(audits)
                .collect()
        }
        Err(error) if error.is_absent() => {
            let found = format!("nothing yet, in {shown}");
            vec![line(State::Absent, WHAT, found)]
        }
        Err(error) => {
            let advice = "it will be ignored and written anew".to_owned();
            vec![Line {
                advice: Some(advice),
                ..line(State::Absent, WHAT, format!("{shown}: {error}"))
            }]
        }
    }
}

fn outcome(attempt: &Result<(), LoadError>) -> Line {
    const WHAT: &str = "capture";
    let error = match attempt {
        Ok(()) => {
            return line(
                State::Good,
                WHAT,
                "socket tracepoints (tp_btf), ring buffer".to_owned(),
            );
        }
        Err(error) => error,
    };
    let advice = match error {
        LoadError::NotPrivileged => "see privileges above",
        LoadError::NoBtf { .. } | LoadError::MalformedBtf(_) => "see BTF above",
        LoadError::NoHook { .. } => "use a newer kernel",
        LoadError::MissingField { .. } => {
            "this kernel is laid out in a way that is not known yet: please report it with `uname -a`"
        }
        LoadError::UnknownMachine(_) => "use x86_64 or aarch64",
        LoadError::Verifier { .. } => {
            "a defect of wirespan on this kernel: please report it with the text above"
        }
        LoadError::Refused { .. } | LoadError::Setup(_) => {
            "a security module, a seccomp filter or a limit on locked memory may forbid it: \
             look at the container's profile and at `dmesg`"
        }
        LoadError::NoSuchProcess(_) | LoadError::Io { .. } => "is /proc or /sys mounted?",
    };
    bad(WHAT, error.to_string(), advice.to_owned())
}

fn line(state: State, what: &'static str, found: String) -> Line {
    Line {
        state,
        what,
        found,
        advice: None,
    }
}

fn bad(what: &'static str, found: String, advice: String) -> Line {
    Line {
        state: State::Bad,
        what,
        found,
        advice: Some(advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel() -> Kernel {
        Kernel {
            release: "5.10.0".to_owned(),
            machine: "x86_64".to_owned(),
            privileged: false,
            btf: Err(LoadError::MalformedBtf("for a test")),
            lockdown: "none".to_owned(),
            kprobes: false,
            tracefs: None,
            cgroup: None,
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let report = Report::new(&kernel(), &Err(LoadError::NotPrivileged));
        assert_eq!(report.exit_code(), 1);
        let refused = report.lines.iter().filter(|line| line.state == State::Bad);
        assert!(refused.clone().count() >= 3);
        assert!(refused.clone().all(|line| line.advice.is_some()));
        let text = report.to_string();
        assert!(text.contains("CAP_BPF"), "{text}");
        assert!(text.contains("cannot work"), "{text}");
    }

    #[test]
    fn a_capture_that_loads_is_enough() {
        assert_eq!(Report::new(&kernel(), &Ok(())).exit_code(), 0);
    }
}
