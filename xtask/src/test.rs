//! `cargo xtask test`: every check, in the order of its cost, and one count.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::{Cross, Profile};
use crate::{build, lint, run, setup};

/// What to test.
#[derive(Args)]
pub(crate) struct Options {
    /// Only what needs neither root nor BPF
    #[arg(long)]
    unprivileged: bool,
    /// Only tests whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// How many tests passed and failed. A check without tests of its own counts
/// as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs them all, also after one has failed; fails in the end if any has.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut count = Count::default();
    count.step("set-up", setup::run);
    let only = options.only.as_deref();
    if only.is_none() {
        count.step("format", || {
            run::show(&mut cargo(&["fmt", "--all", "--check"]))
        });
        count.step("clippy", || run::show(&mut cargo(CLIPPY)));
        count.step("lint", lint::run);
    }
    count.tests("unit and replay tests", cargo(UNIT).args(only));
    if !options.unprivileged {
        let built = count.step("release build", build::agent);
        let cross = count.step("aarch64 build", || {
            build::cross(Cross::Aarch64, Profile::Debug)
        });
        if built && cross {
            let mut tests = cargo(SYSTEM);
            tests.arg("--").arg("--test-threads=1").args(only);
            count.tests("whole-system tests", &mut tests);
        }
    }
    println!("\n{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 {
        bail!("not all tests passed");
    }
    Ok(())
}

const CLIPPY: &[&str] = &[
    "clippy",
    "--quiet",
    "--workspace",
    "--all-targets",
    "--",
    "--deny",
    "warnings",
];
const UNIT: &[&str] = &[
    "test",
    "--quiet",
    "--workspace",
    "--no-fail-fast",
    "--exclude",
    "wirespan-tests",
];
const SYSTEM: &[&str] = &["test", "--package", "wirespan-tests", "--no-fail-fast"];

fn cargo(arguments: &[&str]) -> Command {
    run::command("cargo", arguments)
}

impl Count {
    /// A check that passes or fails as a whole.
    fn step(&mut self, name: &str, check: impl FnOnce() -> Result<()>) -> bool {
        println!("\n== {name}");
        match check() {
            Ok(()) => {
                self.passed += 1;
                true
            }
            Err(error) => {
                println!("{name} failed: {error:#}");
                self.failed += 1;
                false
            }
        }
    }

    /// `cargo test`, whose own tests are counted. If it fails without one that
    /// failed, such as a crate that does not build, that is one more.
    fn tests(&mut self, name: &str, command: &mut Command) {
        println!("\n== {name}");
        match counted(command) {
            Ok((tests, ended_well)) => {
                self.passed += tests.passed;
                self.failed += tests.failed;
                if tests.failed == 0 && !ended_well {
                    self.failed += 1;
                }
            }
            Err(error) => {
                println!("{name} failed: {error:#}");
                self.failed += 1;
            }
        }
    }
}

/// Runs `cargo test`, shows what it writes, and adds up its closing lines.
fn counted(command: &mut Command) -> Result<(Count, bool)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let mut count = Count::default();
    let output = child.stdout.take().context("no standard output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        writeln!(std::io::stdout(), "{line}")?;
        if let Some(result) = result(&line) {
            count.passed += result.passed;
            count.failed += result.failed;
        }
    }
    Ok((count, child.wait()?.success()))
}

/// `test result: ok. 9 passed; 0 failed; …`
fn result(line: &str) -> Option<Count> {
    let numbers = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number = |part: &str, word: &str| part.trim().strip_suffix(word)?.trim().parse().ok();
    let mut parts = numbers.split(';');
    Some(Count {
        passed: number(parts.next()?, "passed")?,
        failed: number(parts.next()?, "failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_cargo_test_is_counted() {
        let line = "test result: FAILED. 9 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out";
        let expected = Count {
            passed: 9,
            failed: 2,
        };
        assert_eq!(result(line), Some(expected));
        assert_eq!(result("running 9 tests"), None);
    }

    #[test]
    fn a_crate_that_does_not_build_is_a_failure() {
        let mut count = Count::default();
        count.tests("nothing", &mut Command::new("false"));
        assert_eq!(count.failed, 1);
    }
}
