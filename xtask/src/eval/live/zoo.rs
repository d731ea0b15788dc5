//! One server of the zoo with all that is around it: leaves, load, the agent.
//!
//! In: a pace. Out: what wirespan found, and what is true. Scoring is left to
//! others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use wirespan_stitch::span::Method;
use wirespan_tests::agent::Agent;
use wirespan_tests::span::Span;

use super::Options;
use super::graph::Graph;
use super::kept::{self, Facts};
use super::leaf::Leaf;
use super::load::{Load, Pace};
use super::model::{Model, Server};
use super::truth::{Purpose, Truth};

/// Numbers of requests go up in fours; the measured ones begin here.
pub(super) const FIRST_ID: u32 = 4_000_000;
/// Jobs and calls after responses are over when none came for so long.
const QUIET: Duration = Duration::from_millis(500);
/// They are given up after that.
const LONGEST_WORK: Duration = Duration::from_secs(30);

/// A server with all that is around it.
pub(super) struct Zoo<'a> {
    pub(super) model: Model,
    pub(super) options: &'a Options,
    /// Kinds of evidence that wirespan is to do without.
    pub(super) without: &'a [Method],
    pub(super) runtime: &'a Runtime,
    pub(super) graph: &'a Graph,
    pub(super) leaves: &'a [&'a Leaf],
    pub(super) server: &'a Server,
}

impl Zoo<'_> {
    /// One run; no spans if it is not to be traced.
    pub(super) fn run(&self, pace: Pace) -> Result<(Facts, Vec<Span>)> {
        let recorded = self.options.record.as_deref();
        let pid = self.server.pid().to_string();
        let agent = match recorded {
            _ if self.options.untraced => None,
            Some(directory) => {
                let file = kept::prepare(directory, &self.model.name(), pace)?;
                Some(Agent::record(&file, &["--pid", &pid])?)
            }
            None => {
                let mut arguments = vec!["--pid", &pid, "--query", "keep"];
                arguments.extend(kept::leave_out(self.without));
                Some(Agent::run(&arguments)?)
            }
        };
        let facts = self.put_under_load(pace)?;
        let mut spans = match agent {
            Some(agent) => agent.stop()?.spans,
            None => Vec::new(),
        };
        if let Some(directory) = recorded {
            kept::write(directory, &facts)?;
            spans = kept::replay(directory, &facts, self.without)?;
        }
        Ok((facts, spans))
    }

    fn put_under_load(&self, pace: Pace) -> Result<Facts> {
        if self.options.warm > 0 {
            self.load(self.load_of(Pace::InFlight(1), self.options.warm, 4))?;
        }
        self.take_calls();
        let load = self.load_of(pace, self.options.requests, FIRST_ID);
        let answered = self.load(load.clone())?;
        let made = self.take_calls();
        self.check(&load, answered, &made)?;
        Ok(Facts {
            model: self.model.name(),
            pace,
            answered,
            made,
        })
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
