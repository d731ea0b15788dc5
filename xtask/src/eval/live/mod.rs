//! `cargo xtask eval causality --live`: the zoo of `tests/zoo`, under load and
//! traced, against the truth in its URLs.
//!
//! One model at a time: its server, leaves for it to call, a load, the agent on
//! the server alone. The engine starts cold in every run unless `--warm` is given.

mod ablation;
mod graph;
mod install;
mod kept;
mod leaf;
mod load;
mod model;
mod random;
mod rules;
mod score;
mod table;
mod truth;
mod zoo;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use wirespan_stitch::span::Method;
use wirespan_tests::span::Span;

use graph::Graph;
use kept::Facts;
use leaf::Leaf;
use load::Pace;
use model::Model;
use random::Random;
use score::Seen;
use table::Row;
use zoo::Zoo;

/// Back ends of each server.
const LEAVES: usize = 3;

/// What to run.
#[derive(Args)]
#[group(id = "live_options")]
pub(super) struct Options {
    /// Run servers of these kinds (all, if none is named) and trace them.
    #[arg(long, num_args = 0.., value_name = "MODEL")]
    live: Option<Vec<Model>>,
    /// Requests in flight at any time; one run each.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,8,32",
        value_name = "N"
    )]
    in_flight: Vec<u32>,
    /// Instead of --in-flight: so many requests a second, whether or not the
    /// server keeps up.
    #[arg(long, value_delimiter = ',', value_name = "N")]
    rate: Vec<u32>,
    /// Requests of each run.
    #[arg(long, default_value_t = 1500, value_name = "N")]
    requests: u32,
    /// Seconds after which a run sends no more.
    #[arg(long, default_value_t = 15, value_name = "S")]
    seconds: u64,
    /// Send so many requests, one at a time, before measuring.
    #[arg(long, default_value_t = 0, value_name = "N")]
    warm: u32,
    /// Let requests carry an order number that servers pass on.
    #[arg(long)]
    orders: bool,
    /// Of the call graphs and the load.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Keep a recording of each run, with what is true of it, in this directory;
    /// `wirespan explain` reads the recordings.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "untraced")]
    record: Option<PathBuf>,
    /// Run nothing: score the recordings in this directory again.
    #[arg(long, value_name = "DIRECTORY", requires = "live")]
    replay: Option<PathBuf>,
    /// Do not trace: only check that the servers do what they are told.
    #[arg(long)]
    untraced: bool,
}

impl Options {
    /// The models to run; `None` if no live run is asked for.
    fn models(&self) -> Option<&[Model]> {
        match self.live.as_deref()? {
            [] => Some(Model::value_variants()),
            models => Some(models),
        }
    }

    fn paces(&self) -> Vec<Pace> {
        match self.rate.as_slice() {
            [] => self.in_flight.iter().copied().map(Pace::InFlight).collect(),
            rates => rates.iter().copied().map(Pace::Rate).collect(),
        }
    }
}

/// Runs what was asked for and prints a line for each run. The rows as JSON;
/// `None` if no live run is asked for.
pub(super) fn run(
    options: &Options,
    without: &[Method],
    ablation: bool,
) -> Result<Option<Vec<u8>>> {
    let Some(models) = options.models() else {
        return Ok(None);
    };
    let kept = options.replay.as_deref().or(options.record.as_deref());
    if ablation && kept.is_none() {
        bail!("--ablation compares on recordings: add --record or --replay DIRECTORY");
    }
    let mut rows = Vec::new();
    if let Some(directory) = &options.replay {
        replay(directory, models, without, &mut rows)?;
    } else {
        run_models(models, options, without, &mut rows)?;
    }
    if let Some(directory) = kept.filter(|_| ablation) {
        let rows = ablation::run(directory, models, &rows)?;
        return Ok(Some(serde_json::to_vec_pretty(&rows)?));
    }
    Ok(Some(serde_json::to_vec_pretty(&rows)?))
}

fn replay(
    directory: &Path,
    models: &[Model],
    without: &[Method],
    rows: &mut Vec<Row>,
) -> Result<()> {
    table::header();
    for facts in kept::of_models(directory, models)? {
        let row = row(&facts, &kept::replay(directory, &facts, without)?)?;
        table::print(&row);
        rows.push(row);
    }
    Ok(())
}

/// Runs them all, even if one fails.
fn run_models(
    models: &[Model],
    options: &Options,
    without: &[Method],
    rows: &mut Vec<Row>,
) -> Result<()> {
    install::run(models)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    table::header();
    let mut failed = Vec::new();
    for &model in models {
        if let Err(error) = run_model(model, options, without, &runtime, rows) {
            eprintln!("{}: {error:#}", model.name());
            failed.push(model.name());
        }
    }
    if !failed.is_empty() {
        bail!("not all models ran to their end: {}", failed.join(", "));
    }
    Ok(())
}

fn run_model(
    model: Model,
    options: &Options,
    without: &[Method],
    runtime: &Runtime,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut leaves = Vec::new();
    for number in 0..LEAVES {
        leaves.push(runtime.block_on(Leaf::start(options.seed + number as u64))?);
    }
    let leaves: Vec<&Leaf> = leaves.iter().collect();
    let graph = Graph::random(&mut Random::new(options.seed, "graph"), &leaves);
    let server = model.start(&graph, &leaves, directory.path())?;
    let zoo = Zoo {
        model,
        options,
        without,
        runtime,
        graph: &graph,
        leaves: &leaves,
        server: &server,
    };
    for pace in options.paces() {
        let (facts, spans) = zoo.run(pace).with_context(|| format!("{pace:?}"))?;
        let row = row(&facts, &spans)?;
        table::print(&row);
        rows.push(row);
    }
    Ok(())
}

/// Scores one run.
fn row(facts: &Facts, spans: &[Span]) -> Result<Row> {
    let seen = Seen::new(spans, &facts.made)?;
    Ok(Row {
        model: facts.model.clone(),
        pace: facts.pace,
        score: score::score(&seen, facts.answered, zoo::FIRST_ID, &facts.made),
        baselines: rules::recall(&seen),
    })
}
