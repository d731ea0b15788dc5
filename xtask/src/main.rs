//! `cargo xtask`: set-up, build, tests, demo and benchmarks.

mod bench;
mod build;
mod demo;
mod eval;
mod fuzz;
mod lint;
mod run;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// wirespan's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing: rust-src, bpf-linker, Debian packages, Go, a collector.
    Setup,
    /// Build the release binary, target/release/wirespan.
    Build(build::Options),
    /// Format, clippy, lint, unit, replay and whole-system tests (these need root and BPF).
    Test(test::Options),
    /// The rules of the house that clippy does not know.
    Lint,
    /// Fuzz every target for a while, longer than the tests do.
    Fuzz(fuzz::Options),
    /// A small system of services that nobody instrumented, called and traced.
    Demo(demo::Options),
    /// What tracing costs: nginx under wrk with and without wirespan.
    Bench(bench::Options),
    /// How right the engine is, in figures.
    Eval(Box<eval::Options>),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Setup => setup::run(),
        Task::Build(options) => build::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Lint => lint::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Eval(options) => eval::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
