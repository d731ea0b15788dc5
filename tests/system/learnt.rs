//! What was learnt survives a restart, of the agent and of the service.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::{Agent, Traced};
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::place;
use wirespan_tests::server::{Runtime, Server};

const COUNT: u32 = 300;

#[test]
fn it_is_there_after_a_restart_although_the_process_is_another() -> Result<()> {
    let backend = Server::start(Runtime::Python)?;
    let state = tempfile::tempdir()?;
    let mut met = Vec::new();
    for _ in 0..2 {
        trace(&backend, state.path())?;
        met.push(met_by_nginx(&explained(state.path())?)?);
    }
    let least = 0.9 * f64::from(COUNT);
    ensure!(
        met[0] >= least && met[1] >= met[0] + least,
        "requests learnt from: {met:?}"
    );
    Ok(())
}

#[test]
fn damage_is_said_and_does_not_stop_tracing() -> Result<()> {
    let backend = Server::start(Runtime::Python)?;
    let state = tempfile::tempdir()?;
    fs::write(state.path().join("learnt"), "wslearnt, but not quite")?;
    let traced = trace(&backend, state.path())?;
    ensure!(traced.log.contains("learning anew"), "{}", traced.log);
    ensure!(
        traced.spans.len() == COUNT as usize * 4,
        "{} spans",
        traced.spans.len()
    );
    met_by_nginx(&explained(state.path())?)?;
    Ok(())
}

/// Traces a new nginx in front of the server, by an agent of its own.
fn trace(backend: &Server, state: &Path) -> Result<Traced> {
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let state = state.display().to_string();
    let agent = Agent::run(&["--port", &ports, "--state-dir", &state])?;
    Load {
        port: nginx.port(),
        count: COUNT,
        connections: 2,
        ..Load::default()
    }
    .run()?;
    agent.stop()
}

fn explained(state: &Path) -> Result<String> {
    let output = Command::new(place::wirespan())
        .args(["explain", "--model"])
        .arg(state)
        .output()
        .context("starting wirespan explain")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wirespan explain: {error}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Requests that the model of nginx was learnt from.
fn met_by_nginx(explained: &str) -> Result<f64> {
    let count = || {
        let (_, nginx) = explained.split_once("nginx (")?;
        let (_, route) = nginx.split_once("  GET /r/{id}\n")?;
        let (_, count) = route.split_once("at first (of ")?;
        count.split(')').next()?.parse().ok()
    };
    count().with_context(|| format!("not what was learnt of nginx:\n{explained}"))
}
