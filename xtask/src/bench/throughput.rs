//! Saturated nginx, in turns with and without wirespan.

use std::fs;

use anyhow::{Context, Result, ensure};
use wirespan_tests::account::Account;
use wirespan_tests::agent::Agent;
use wirespan_tests::collector::Collector;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::sink::Sink;

use super::load::{self, Rate};
use super::statistics::{median, spread};
use super::{Export, Options, Report, process};

/// Bytes of the body that nginx answers with.
const BODY: usize = 612;

/// The kernel's switch for counting runs of BPF programs and their time.
const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// One run with wirespan.
struct Traced {
    rate: Rate,
    /// Seconds of processor time that the agent used.
    cpu: f64,
    /// Bytes resident at the end.
    resident: f64,
    bpf: process::Bpf,
    account: Account,
}

/// Throughput with and without, and what the agent used meanwhile.
pub(super) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let nginx = Nginx::start(1, &Task::Answer(BODY))?;
    let bare = || load::saturate(nginx.port(), options.connections, options.seconds);
    bare().context("warming up")?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..options.pairs {
        // The order changes, so that what drifts favours neither.
        if pair % 2 == 0 {
            without.push(bare()?);
            with.push(traced(options, &nginx)?);
        } else {
            with.push(traced(options, &nginx)?);
            without.push(bare()?);
        }
        let ratio = with[pair].rate.per_second / without[pair].per_second;
        println!("bench: pair {} of {}: {ratio:.3}", pair + 1, options.pairs);
    }
    let ratio = |(with, without): (&Traced, &Rate)| with.rate.per_second / without.per_second;
    let ratios: Vec<_> = with.iter().zip(&without).map(ratio).collect();
    let of = |figure: &dyn Fn(&Traced) -> f64| median(&with.iter().map(figure).collect::<Vec<_>>());
    let rates: Vec<_> = without.iter().map(|rate| rate.per_second).collect();
    report.add("without", "requests without wirespan", median(&rates), "/s");
    report.add(
        "with",
        "requests with wirespan",
        of(&|run| run.rate.per_second),
        "/s",
    );
    report.add("ratio", "ratio, median", median(&ratios), "");
    report.add(
        "ratio_spread",
        "ratio, between quartiles",
        spread(&ratios),
        "",
    );
    let cpu = of(&|run| run.cpu / run.rate.requests * 1e6);
    report.add("agent_cpu", "agent's processor time", cpu, "µs a request");
    let seen = of(&|run| run.account.seen as f64 / run.rate.requests);
    report.add("seen", "exchanges seen (2 are right)", seen, "a request");
    let exported = of(&|run| run.account.exported as f64 / run.account.seen as f64);
    report.add("exported", "of these exported", exported * 100.0, "%");
    let resident = of(&|run| run.resident / 1024.0 / 1024.0);
    report.add("resident", "resident under load", resident, "MiB");
    Ok(())
}

/// The time of the BPF programs, from a run of its own: the kernel's counting
/// costs time too.
pub(super) fn measure_kernel(options: &Options, report: &mut Report) -> Result<()> {
    let before = fs::read_to_string(STATISTICS)?;
    fs::write(STATISTICS, "1").context("BPF statistics need root")?;
    let nginx = Nginx::start(1, &Task::Answer(BODY))?;
    let run = traced(options, &nginx);
    fs::write(STATISTICS, before)?;
    let run = run?;
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
    let rate = load::saturate(nginx.port(), options.connections, options.seconds)?;
    let cpu = process::cpu(agent.pid())? - before;
    let (resident, bpf) = (process::resident(agent.pid())?, process::bpf(agent.pid())?);
    let account = agent.stop()?.account()?;
    Ok(Traced {
        rate,
        cpu,
        resident,
        bpf,
        account,
    })
}
