//! `cargo xtask fuzz`: coverage-guided fuzzing of the targets in `tests/fuzz`.
//!
//! libFuzzer with the compiler's own coverage passes: all of it works with the
//! stable toolchain and a C++ compiler. New inputs gather in `target/fuzz`;
//! those that `--keep` picks are kept in `tests/fuzz/corpus` for every test run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;

use anyhow::{Context, Result, bail};
use clap::Args;
use wirespan_tests::place;

use crate::run;

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target
    target: Option<String>,
    /// For how long, each
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Afterwards, keep the inputs that reach what no kept one does
    #[arg(long)]
    keep: bool,
}

/// One input may take this long, in s; a thousand times what the slowest needs.
const TIMEOUT: &str = "-timeout=10";

/// All of the process, in MB: what no allocator of ours counts, too.
const MEMORY: &str = "-rss_limit_mb=1024";

/// What cargo-fuzz sets too, less the sanitizers: there is no unsafe code here.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// Fuzzes; fails at the first find.
pub(crate) fn run(options: &Options) -> Result<()> {
    let fuzzer = build()?;
    let all = targets()?;
    let chosen = match &options.target {
        Some(name) if !all.contains(name) => bail!("no such target; there are: {all:?}"),
        Some(name) => slice::from_ref(name),
        None => &all,
    };
    for target in chosen {
        fuzz(&fuzzer, target, options.minutes * 60)?;
        if options.keep {
            keep(&fuzzer, target)?;
        }
    }
    Ok(())
}

/// Each has a directory in the kept corpus, which a test of `tests/fuzz` checks.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(corpus())? {
        let name = entry?.file_name().into_string();
        names.extend(name.ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds the fuzzer in a target directory of its own, or everything else would
/// be built anew each time; returns where it is.
fn build() -> Result<PathBuf> {
    // With `--target`, the flags are not for build scripts.
    let host = run::read(&mut run::command("rustc", &["--print", "host-tuple"]))?;
    let host = host.trim();
    let arguments = [
        "build",
        "--quiet",
        "--package",
        "wirespan-fuzz",
        "--features",
        "fuzzer",
        "--profile",
        "fuzz",
        "--target",
        host,
        "--target-dir",
    ];
    let mut build = run::command("cargo", &arguments);
    build
        .arg(directory())
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    run::show(&mut build)?;
    Ok(directory().join(host).join("fuzz/wirespan-fuzz"))
}

fn fuzz(fuzzer: &Path, target: &str, seconds: u64) -> Result<()> {
    let found = directory().join("finds");
    fs::create_dir_all(&found)?;
    fs::create_dir_all(gathered(target))?;
    println!("fuzzing {target} for {seconds} s");
    let mut command = with_target(fuzzer, target);
    command
        .args([TIMEOUT, MEMORY, "-print_final_stats=1", "-verbosity=0"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        .args([gathered(target), kept(target)]);
    run::show(&mut command).with_context(|| {
        let found = found.display();
        format!("target {target} has a find in {found}; what broke is told above")
    })
}

/// Adds to the kept inputs those of the gathered ones that reach more.
fn keep(fuzzer: &Path, target: &str) -> Result<()> {
    let mut command = with_target(fuzzer, target);
    command.args(["-merge=1", "-verbosity=0"]);
    run::show(command.args([kept(target), gathered(target)]))
}

fn with_target(fuzzer: &Path, target: &str) -> Command {
    let mut command = Command::new(fuzzer);
    command.env("WIRESPAN_FUZZ_TARGET", target);
    command
}

fn directory() -> PathBuf {
    place::target().join("fuzz")
}

fn gathered(target: &str) -> PathBuf {
    directory().join("corpus").join(target)
}

fn kept(target: &str) -> PathBuf {
    corpus().join(target)
}

fn corpus() -> PathBuf {
    place::root().join("tests/fuzz/corpus")
}
