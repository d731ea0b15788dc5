//! `cargo xtask eval causality --live`: the zoo of `tests/zoo`, under load and
//! traced, against the truth in its URLs.
//!
//! One model at a time: its server, leaves for it to call, a load, the agent on
//! the server alone. The engine starts cold in every run unless `--warm` is given.

mod graph;
mod install;
mod leaf;
mod load;
mod model;
mod random;
mod rules;
mod score;
mod table;
mod truth;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use wirespan_tests::agent::Agent;

use graph::Graph;
use leaf::Leaf;
use load::{Load, Pace};
use model::{Model, Server};
use random::Random;
use score::Seen;
use table::Row;
use truth::{Purpose, Truth};

/// Back ends of each server.
const LEAVES: usize = 3;
/// Jobs and calls after responses are over when none came for so long.
const QUIET: Duration = Duration::from_millis(500);
/// They are given up after that.
const LONGEST_WORK: Duration = Duration::from_secs(30);
/// Numbers of requests go up in fours; the measured ones begin here.
const FIRST_ID: u32 = 4_000_000;

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
pub(super) fn run(options: &Options) -> Result<Option<Vec<u8>>> {
    let Some(models) = options.models() else {
        return Ok(None);
    };
    install::run(models)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    table::header();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for &model in models {
        if let Err(error) = run_model(model, options, &runtime, &mut rows) {
            eprintln!("{}: {error:#}", model.name());
            failed.push(model.name());
        }
    }
    let json = serde_json::to_vec_pretty(&rows)?;
    if !failed.is_empty() {
        bail!("not all models ran to their end: {}", failed.join(", "));
    }
    Ok(Some(json))
}

fn run_model(
    model: Model,
    options: &Options,
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
        runtime,
        graph: &graph,
        leaves: &leaves,
        server: &server,
    };
    for pace in options.paces() {
        let row = zoo.run(pace).with_context(|| format!("{pace:?}"))?;
        table::print(&row);
        rows.push(row);
    }
    Ok(())
}

/// A server with all that is around it.
struct Zoo<'a> {
    model: Model,
    options: &'a Options,
    runtime: &'a Runtime,
    graph: &'a Graph,
    leaves: &'a [&'a Leaf],
    server: &'a Server,
}

impl Zoo<'_> {
    /// One run, traced and scored.
    fn run(&self, pace: Pace) -> Result<Row> {
        let agent = if self.options.untraced {
            None
        } else {
            Some(self.trace()?)
        };
        if self.options.warm > 0 {
            self.load(self.load_of(Pace::InFlight(1), self.options.warm, 4))?;
        }
        self.take_calls();
        let load = self.load_of(pace, self.options.requests, FIRST_ID);
        let answered = self.load(load.clone())?;
        let made = self.take_calls();
        self.check(&load, answered, &made)?;
        let spans = match agent {
            Some(agent) => agent.stop()?.spans,
            None => Vec::new(),
        };
        let seen = Seen::new(&spans, &made)?;
        Ok(Row {
            model: self.model.name(),
            pace,
            score: score::score(&seen, answered, FIRST_ID, &made),
            baselines: rules::recall(&seen),
        })
    }

    fn trace(&self) -> Result<Agent> {
        let pid = self.server.pid().to_string();
        Agent::run(&["--pid", &pid, "--query", "keep"])
    }

    fn load_of(&self, pace: Pace, requests: u32, first_id: u32) -> Load {
        let names: Vec<&str> = if self.model.is_proxy() {
            vec!["users", "stock", "price"]
        } else {
            self.graph
                .routes
                .iter()
                .map(|(name, _)| name.as_str())
                .collect()
        };
        Load {
            port: self.server.port(),
            paths: names.iter().map(|name| format!("/{name}")).collect(),
            pace,
            requests,
            time: Duration::from_secs(self.options.seconds),
            orders: self.options.orders,
            seed: self.options.seed,
            first_id,
        }
    }

    /// Sends a load, and waits until the jobs are done too.
    fn load(&self, load: Load) -> Result<u32> {
        let answered = self.runtime.block_on(load.run())?;
        let deadline = Instant::now() + LONGEST_WORK;
        let (mut work, mut since) = (self.work(), Instant::now());
        while since.elapsed() < QUIET {
            ensure!(Instant::now() < deadline, "jobs go on for ever");
            std::thread::sleep(QUIET / 10);
            let now = self.work();
            if now != work {
                (work, since) = (now, Instant::now());
            }
        }
        Ok(answered)
    }

    /// How many calls were made so far for a request.
    fn work(&self) -> usize {
        let count = |leaf: &&Leaf| leaf.count(|query| !query.contains("&parent=0"));
        self.leaves.iter().map(count).sum()
    }

    /// All calls since this was last asked.
    fn take_calls(&self) -> Vec<Truth> {
        let queries = self.leaves.iter().flat_map(|leaf| leaf.take_queries());
        queries.filter_map(|query| Truth::read(&query)).collect()
    }

    /// Fails unless the server made the calls that it was told to make.
    fn check(&self, load: &Load, answered: u32, made: &[Truth]) -> Result<()> {
        let mut calls: BTreeMap<u32, u32> = BTreeMap::new();
        for truth in made {
            if let Some(cause) = truth.cause {
                *calls.entry(cause).or_default() += 1;
            }
            let timer = truth.purpose() == Purpose::Timer;
            ensure!(timer == truth.cause.is_none(), "{truth:?} makes no sense");
        }
        for id in (0..answered).map(|number| FIRST_ID + 4 * number) {
            let path = load.path(id);
            let (fewest, most) = if self.model.is_proxy() {
                (1, 1)
            } else {
                self.graph.calls(path.trim_start_matches('/'))
            };
            let calls = calls.remove(&id).unwrap_or(0);
            ensure!(
                (fewest..=most).contains(&calls),
                "request {id} for {path} made {calls} calls, not {fewest} to {most}"
            );
        }
        ensure!(calls.is_empty(), "calls for requests never sent: {calls:?}");
        Ok(())
    }
}
