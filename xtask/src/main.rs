//! `cargo xtask`: set-up, build, tests, demo and benchmarks.

mod eval;

use anyhow::Result;
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
    /// How right the engine is, in figures.
    Eval(eval::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Eval(options) => eval::run(&options),
    }
}
