//! `cargo xtask eval`: how right the engine is, in figures.

mod baseline;
mod captures;
mod causality;
mod explain;
mod feed;
mod live;
mod recorded;
#[cfg(test)]
mod sample;
mod score;
mod table;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to evaluate.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Parents found in recorded spans or live traffic, against the truth.
    Causality(Box<causality::Options>),
    /// Exchanges found in packet captures, against tshark.
    Captures(captures::Options),
}

/// Runs an evaluation and prints its table.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Causality(options) => causality::run(options),
        What::Captures(options) => captures::run(options),
    }
}
