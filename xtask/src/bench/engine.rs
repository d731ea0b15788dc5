//! The engine alone: a recording of saturated nginx, replayed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;
use wirespan_tests::account::Account;
use wirespan_tests::agent::Agent;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::place;

use super::Report;
use super::statistics::median;
use crate::{build, run};

const REQUESTS: u32 = 100_000;
const RUNS: usize = 5;

/// Exchanges a second that `wirespan replay` gets through, reading and
/// unpacking the recording included.
pub(super) fn measure(report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let nginx = Nginx::start(1, &Task::Answer(612))?;
    let agent = Agent::record(&recording, &["--port".to_owned(), nginx.port().to_string()])?;
    Load {
        port: nginx.port(),
        count: REQUESTS,
        connections: 32,
        ..Load::default()
    }
    .run()?;
    agent.stop()?;
    let log = directory.path().join("log");
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let mut replay = run::command(&place::wirespan().display().to_string(), &["replay"]);
        replay
            .arg(&recording)
            .args(["--json", "/dev/null"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let start = Instant::now();
        run::show(&mut replay)?;
        let seconds = start.elapsed().as_secs_f64();
        let account = Account::parse(&fs::read_to_string(&log)?)?;
        rates.push(account.exported as f64 / seconds);
    }
    report.add(
        "replay",
        "replay, with spans as JSON",
        median(&rates),
        "spans/s",
    );
    measure_alone(&recording, report)?;
    let size = fs::metadata(&recording)?.len() as f64 / f64::from(REQUESTS);
    report.add("recording", "recording", size, "bytes a request");
    Ok(())
}

/// The engine on one core, fed from memory.
fn measure_alone(recording: &Path, report: &mut Report) -> Result<()> {
    let mut engine = run::command(&build::example("engine_speed").display().to_string(), &[]);
    let output = run::read(engine.arg(recording))?;
    let figures: Value = serde_json::from_str(&output)?;
    let figure = |key: &str| {
        let figure = figures.get(key).and_then(Value::as_f64);
        figure.with_context(|| format!("engine_speed wrote {output}"))
    };
    let rate = figure("exchanges_per_second")?;
    report.add("engine", "engine alone, on one core", rate, "exchanges/s");
    // An exchange at each end makes a request.
    let allocations = figure("allocations_per_exchange")? * 2.0;
    report.add(
        "allocations",
        "engine's allocations",
        allocations,
        "a request",
    );
    Ok(())
}
