//! `cargo xtask lint`: the rules of the house that clippy does not know.
//!
//! What each crate may depend on, what its sources may name, how a file begins,
//! and how long it may be.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wirespan_tests::place;

use crate::run;

/// Lines before a file's tests above which `lint` warns.
const LONG: usize = 500;

/// Crates that the engine must not reach, and each crate of ours that a crate
/// may depend on: dependencies point one way.
const IMPURE: &[&str] = &[
    "aya",
    "chrono",
    "fastrand",
    "getrandom",
    "mio",
    "rand",
    "rand_core",
    "socket2",
    "time",
    "tokio",
    "tonic",
];
const OURS: &[(&str, &[&str])] = &[
    ("wirespan-ebpf", &[]),
    ("wirespan-proto", &[]),
    ("wirespan-stitch", &["wirespan-ebpf"]),
    (
        "wirespan",
        &["wirespan-ebpf", "wirespan-proto", "wirespan-stitch"],
    ),
];

/// What the engine's sources must not name: clocks, sockets, threads, files,
/// and hash maps whose order differs from run to run.
const IMPURE_NAMES: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::fs",
    "std::process",
    "std::env",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "RandomState",
];

/// Where `unsafe` is at home.
const UNSAFE: &[&str] = &[
    "agent-ebpf/",
    "agent/src/probe/",
    // The test of the capture makes the very calls that are captured.
    "agent/tests/capture_live/",
];

/// Checks every rule; fails with all that is broken.
pub(crate) fn run() -> Result<()> {
    let mut broken = String::new();
    dependencies(&mut broken)?;
    for path in tracked()? {
        let full = place::root().join(&path);
        let Ok(bytes) = fs::read(&full) else {
            continue; // Deleted, but not yet in a commit.
        };
        let text = String::from_utf8_lossy(&bytes);
        for complaint in file(&path, &text) {
            writeln!(broken, "{}: {complaint}", path.display())?;
        }
        if let Some(lines) = too_long(&path, &text) {
            println!(
                "lint: warning: {} has {lines} lines before its tests",
                path.display()
            );
        }
    }
    if !broken.is_empty() {
        bail!("rules broken:\n{broken}");
    }
    println!("lint: all rules hold");
    Ok(())
}

fn dependencies(broken: &mut String) -> Result<()> {
    for (krate, allowed) in OURS {
        let tree = [
            "tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "-p", krate,
        ];
        let tree = run::read(&mut run::command("cargo", &tree))?;
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        for name in names.filter(|name| name != krate) {
            if name.starts_with("wirespan") && !allowed.contains(&name) {
                writeln!(broken, "{krate} depends on {name}")?;
            }
            if *krate == "wirespan-stitch" && IMPURE.contains(&name) {
                writeln!(broken, "{krate} can reach {name}")?;
            }
        }
    }
    Ok(())
}

/// The files that git knows, and those it would add.
fn tracked() -> Result<Vec<PathBuf>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let list = run::read(&mut run::command("git", &list)).context("lint asks git for the files")?;
    Ok(list.lines().map(PathBuf::from).collect())
}

/// What is wrong with one file.
fn file(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    // Written in two parts so that this file passes.
    for machine in [concat!("/wo", "rk/"), concat!("/ro", "ot/")] {
        if text.contains(machine) {
            complaints.push(format!("names a path of one machine, {machine}"));
        }
    }
    if is_rust(path) {
        rust(path, text, &mut complaints);
    }
    complaints
}

fn rust(path: &Path, text: &str, complaints: &mut Vec<String>) {
    if !text.starts_with("//!") {
        complaints.push("does not begin with //!: what comes in, what goes out".to_owned());
    }
    let code = without_tests(text);
    let pure = path.starts_with("agent/stitch/src");
    let home_of_unsafe = UNSAFE.iter().any(|home| path.starts_with(home));
    for (index, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default();
        let number = index + 1;
        if pure && let Some(name) = IMPURE_NAMES.iter().find(|name| line.contains(**name)) {
            complaints.push(format!("line {number}: the engine names {name}"));
        }
        if !home_of_unsafe && uses_unsafe(line) {
            complaints.push(format!("line {number}: unsafe outside {UNSAFE:?}"));
        }
    }
}

/// How long a Rust file is before its tests, if that asks for a second look.
fn too_long(path: &Path, text: &str) -> Option<usize> {
    let lines = without_tests(text).lines().count();
    (lines > LONG && is_rust(path)).then_some(lines)
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// The part before `#[cfg(test)] mod tests`.
fn without_tests(text: &str) -> &str {
    let tests = text.find("\n#[cfg(test)]\nmod ");
    tests.map_or(text, |start| &text[..start])
}

fn uses_unsafe(line: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
        .iter()
        .any(|start| line.trim_start().starts_with(start) || line.contains(&format!(" {start}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        file(Path::new(path), text).len()
    }

    #[test]
    fn the_engine_may_not_know_the_time() {
        let text = "//! Doc.\nlet now = std::time::Instant::now();\n";
        assert_eq!(complaints("agent/stitch/src/engine.rs", text), 1);
        assert_eq!(complaints("agent/src/reader.rs", text), 0);
        let comment = "//! Doc.\n// never std::time::Instant\n";
        assert_eq!(complaints("agent/stitch/src/engine.rs", comment), 0);
    }

    #[test]
    fn unsafe_has_two_homes() {
        let text = "//! Doc.\nlet x = unsafe { y() };\n";
        assert_eq!(complaints("agent/src/reader.rs", text), 1);
        assert_eq!(complaints("agent/src/probe/load.rs", text), 0);
        assert_eq!(complaints("agent-ebpf/src/main.rs", text), 0);
    }

    #[test]
    fn a_file_begins_with_its_purpose() {
        assert_eq!(complaints("xtask/src/a.rs", "fn main() {}\n"), 1);
        assert_eq!(complaints("README.md", "wirespan\n"), 0);
    }

    #[test]
    fn tests_do_not_count_as_length() {
        let (path, code) = (Path::new("a.rs"), "x();\n".repeat(LONG));
        assert_eq!(too_long(path, &format!("//! Doc.\n{code}")), Some(LONG + 1));
        let tested = format!("//! Doc.\n\n#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(too_long(path, &tested), None);
    }
}
