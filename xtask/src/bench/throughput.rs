//! Saturated nginx, in turns with wirespan, without it, and with empty programs.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wirespan_tests::account::Account;
use wirespan_tests::agent::Agent;
use wirespan_tests::child::Child;
use wirespan_tests::collector::Collector;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::sink::Sink;

use super::load::{self, Rate};
use super::parts::{self, Used, Watch};
use super::statistics::{median, spread};
use super::{Export, Options, Report, process};
use crate::{build, run};

/// Bytes of the body that nginx answers with.
const BODY: usize = 612;

/// The kernel's switch for counting runs of BPF programs and their time.
const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// That switch, held until dropped: the counting costs what it counts some 0.1 µs
/// a run, and an earlier run that was killed may have left it on.
struct Statistics {
    before: String,
}

/// How long it may take to load the programs.
const LOADED: Duration = Duration::from_secs(30);

/// One run with wirespan.
struct Traced {
    rate: Rate,
    used: Used,
    /// Seconds of processor time that the agent used.
    cpu: f64,
    /// Bytes resident at the end.
    resident: f64,
    bpf: process::Bpf,
    account: Account,
}

/// The same load, in turns.
#[derive(Default)]
struct Rounds {
    /// With nothing attached.
    without: Vec<(Rate, Used)>,
    /// With programs attached that return at once.
    empty: Vec<Rate>,
    with: Vec<Traced>,
}

/// Throughput with, without and with empty programs only, and what the agent used
/// meanwhile.
pub(super) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let _statistics = Statistics::switch("0")?;
    let nginx = Nginx::start(1, &Task::Answer(BODY))?;
    watched(options, &nginx).context("warming up")?;
    let mut rounds = Rounds::default();
    for round in 0..options.pairs {
        rounds.add(round, options, &nginx)?;
        let ratio = rounds.ratios()[round];
        println!("bench: pair {} of {}: {ratio:.3}", round + 1, options.pairs);
    }
    rounds.report_ratios(report);
    rounds.report_use(report);
    rounds.report_parts(report);
    Ok(())
}

impl Rounds {
    /// The order changes, so that what drifts favours none.
    fn add(&mut self, round: usize, options: &Options, nginx: &Nginx) -> Result<()> {
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => self.without.push(watched(options, nginx)?),
                1 => self.empty.push(empty(options, nginx)?),
                _ => self.with.push(traced(options, nginx)?),
            }
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<f64> {
        self.compare(self.with.iter().map(|run| &run.rate))
    }

    fn compare<'a>(&'a self, rates: impl Iterator<Item = &'a Rate>) -> Vec<f64> {
        rates
            .zip(&self.without)
            .map(|(rate, (without, _))| rate.per_second / without.per_second)
            .collect()
    }

    fn report_ratios(&self, report: &mut Report) {
        let rates = self.without.iter().map(|(rate, _)| rate.per_second);
        let rates: Vec<_> = rates.collect();
        report.add("without", "requests without wirespan", median(&rates), "/s");
        let rate = self.median(&|run| run.rate.per_second);
        report.add("with", "requests with wirespan", rate, "/s");
        let ratios = self.ratios();
        report.add("ratio", "ratio, median", median(&ratios), "");
        let apart = spread(&ratios);
        report.add("ratio_spread", "ratio, between quartiles", apart, "");
        let floor = self.compare(self.empty.iter());
        let label = "ratio with empty programs";
        report.add("floor", label, median(&floor), "");
        let label = "ratio with empty programs, between quartiles";
        report.add("floor_spread", label, spread(&floor), "");
    }

    fn report_use(&self, report: &mut Report) {
        let cpu = self.median(&|run| run.cpu / run.rate.requests * 1e6);
        report.add("agent_cpu", "agent's processor time", cpu, "µs a request");
        let seen = self.median(&|run| run.account.seen as f64 / run.rate.requests);
        report.add("seen", "exchanges seen (2 are right)", seen, "a request");
        let exported = self.median(&|run| run.account.exported as f64 / run.account.seen as f64);
        report.add("exported", "of these exported", exported * 100.0, "%");
        let resident = self.median(&|run| run.resident / 1024.0 / 1024.0);
        report.add("resident", "resident under load", resident, "MiB");
    }

    fn report_parts(&self, report: &mut Report) {
        let a_request = |(rate, used): (&Rate, &Used)| -> Used {
            let each = used.iter();
            each.map(|(part, seconds)| (*part, seconds / rate.requests))
                .collect()
        };
        let without = self.without.iter().map(|(rate, used)| (rate, used));
        let without: Vec<_> = without.map(a_request).collect();
        let with = self.with.iter().map(|run| (&run.rate, &run.used));
        let with: Vec<_> = with.map(a_request).collect();
        parts::report(&without, &with, report);
    }

    fn median(&self, figure: &dyn Fn(&Traced) -> f64) -> f64 {
        median(&self.with.iter().map(figure).collect::<Vec<_>>())
    }
}

/// The time of the BPF programs, from a run of its own: the kernel's counting
/// costs time too.
pub(super) fn measure_kernel(options: &Options, report: &mut Report) -> Result<()> {
    let _statistics = Statistics::switch("1")?;
    let nginx = Nginx::start(1, &Task::Answer(BODY))?;
    let run = traced(options, &nginx)?;
    ensure!(
        run.bpf.runs > 0.0,
        "the kernel counted no run of a BPF program"
    );
    let events = run.bpf.runs / run.rate.requests;
    report.add("program_runs", "runs of BPF programs", events, "a request");
    let time = run.bpf.seconds / run.bpf.runs * 1e6;
    report.add("program_time", "kernel time", time, "µs a run");
    let time = run.bpf.seconds / run.rate.requests * 1e6;
    report.add("kernel_time", "kernel time", time, "µs a request");
    Ok(())
}

impl Statistics {
    fn switch(to: &str) -> Result<Self> {
        let before = fs::read_to_string(STATISTICS)?;
        fs::write(STATISTICS, to).context("BPF statistics need root")?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        // Who could write it before can now, unless all of it comes to an end.
        let _ = fs::write(STATISTICS, &self.before);
    }
}

fn bare(options: &Options, nginx: &Nginx) -> Result<Rate> {
    load::saturate(nginx.port(), options.connections, options.seconds)
}

fn watched(options: &Options, nginx: &Nginx) -> Result<(Rate, Used)> {
    let watch = Watch::of_server(nginx.pid())?;
    let rate = bare(options, nginx)?;
    Ok((rate, watch.end()?))
}

/// The same with wirespan's programs attached but told to look at nothing: below
/// this no tracer that uses these hooks can come.
fn empty(options: &Options, nginx: &Nginx) -> Result<Rate> {
    let directory = tempfile::tempdir()?;
    let mut command = run::command(&build::example("kernel_cost").display().to_string(), &[]);
    command.args(["--empty", "600"]);
    let mut programs = Child::start("kernel_cost", &command, &directory.path().join("log"))?;
    programs.wait_for("loaded in", LOADED)?;
    let rate = bare(options, nginx)?;
    programs.kill()?;
    Ok(rate)
}

fn traced(options: &Options, nginx: &Nginx) -> Result<Traced> {
    let (mut collector, mut sink) = (None, None);
    let (output, to) = match options.export {
        Export::Sink => ("--otlp", sink.insert(Sink::start()?).url()),
        Export::Collector => ("--otlp", collector.insert(Collector::start()?).url()),
        Export::Json => ("--json", "/dev/null".to_owned()),
    };
    let port = nginx.port().to_string();
    let agent = Agent::run_without_json(&["--port", &port, output, &to])?;
    let before = process::cpu(agent.pid())?;
    let mut watch = Watch::of_server(nginx.pid())?;
    watch.agent(agent.pid())?;
    let collectors = [
        collector.as_ref().map(Collector::pid),
        sink.as_ref().map(Sink::pid),
    ];
    for pid in collectors.into_iter().flatten() {
        watch.collector(pid)?;
    }
    let rate = bare(options, nginx)?;
    let used = watch.end()?;
    let cpu = process::cpu(agent.pid())? - before;
    let (resident, bpf) = (process::resident(agent.pid())?, process::bpf(agent.pid())?);
    let account = agent.stop()?.account()?;
    Ok(Traced {
        rate,
        used,
        cpu,
        resident,
        bpf,
        account,
    })
}
