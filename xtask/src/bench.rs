//! `cargo xtask bench`: what tracing costs.
//!
//! nginx under `wrk`, with and without wirespan, in turns; both ends of every
//! connection are traced. In between with programs that return at once: the floor.
//! A request's cost is taken apart by who used the processor.
//! Then the agent when idle, and the engine alone from a recording. Prints a table and writes JSON.

mod engine;
mod load;
mod parts;
mod process;
mod statistics;
mod throughput;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use wirespan_tests::place;

use crate::{build, setup};

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Pairs of runs, one with and one without wirespan
    #[arg(long, default_value_t = 9)]
    pairs: usize,
    /// Seconds a run
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Connections that wrk keeps busy
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Where spans go
    #[arg(long, value_enum, default_value_t = Export::Sink)]
    export: Export,
    /// Where the figures go
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
}

/// Where spans go while measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Export {
    /// `--otlp` to a server that throws them away unread
    Sink,
    /// `--otlp` to a real collector, which takes its share of the processor
    Collector,
    /// `--json /dev/null`
    Json,
}

/// One figure: how it is called, what it is, how it is to be read.
struct Figure {
    key: &'static str,
    label: &'static str,
    value: f64,
    unit: &'static str,
}

/// The figures so far.
#[derive(Default)]
struct Report(Vec<Figure>);

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run()?;
    build::measuring()?;
    let mut report = Report::default();
    throughput::measure(options, &mut report)?;
    throughput::measure_kernel(options, &mut report)?;
    process::measure_idle(&mut report)?;
    engine::measure(&mut report)?;
    println!("\n{}", report.table());
    let path = place::root().join(&options.json);
    fs::write(&path, report.json(options)?)
        .with_context(|| format!("writing {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

impl Report {
    fn add(&mut self, key: &'static str, label: &'static str, value: f64, unit: &'static str) {
        println!("bench: {label}: {} {unit}", short(value));
        self.0.push(Figure {
            key,
            label,
            value,
            unit,
        });
    }

    fn table(&self) -> String {
        let width = self.0.iter().map(|figure| figure.label.len()).max();
        let width = width.unwrap_or(0);
        let mut table = String::new();
        for figure in &self.0 {
            let (label, value) = (figure.label, short(figure.value));
            // Writing to a String cannot fail.
            let _ = writeln!(table, "{label:width$}  {value:>12} {}", figure.unit);
        }
        table
    }

    fn json(&self, options: &Options) -> Result<String> {
        let figures: Map<String, Value> = self
            .0
            .iter()
            .map(|figure| (figure.key.to_owned(), figure.value.into()))
            .collect();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let report = serde_json::json!({
            "figures": figures,
            "export": format!("{:?}", options.export).to_lowercase(),
            "pairs": options.pairs,
            "seconds": options.seconds,
            "connections": options.connections,
            "kernel": kernel.trim(),
            "processors": std::thread::available_parallelism()?.get(),
        });
        Ok(serde_json::to_string_pretty(&report)? + "\n")
    }
}

/// Four significant digits, or all digits of a large number.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 2,
        v if v >= 1.0 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}
