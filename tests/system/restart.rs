//! The agent is killed under load: the services notice nothing, and a new agent
//! traces on, over connections that are older than it is.

use std::time::Duration;

use anyhow::{Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

use crate::chain;

/// Long enough to kill an agent and to start another.
const COUNT: u32 = 60_000;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn killed_under_load_and_started_again() -> Result<()> {
    let backend = Server::start(Runtime::PythonTwoProcesses)?;
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let load = Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    };

    let first = Agent::run(&["--port", &ports])?;
    let running = load.start()?;
    first.wait_for_spans(1000, LIMIT)?;
    first.kill()?;
    let second = Agent::run(&["--port", &ports])?;
    let before = nginx.accesses()?.len() as u32;
    ensure!(
        before < COUNT,
        "the load ended before the second agent started"
    );
    running.finish()?;
    let traced = second.stop()?;

    ensure!(nginx.accesses()?.len() as u32 == COUNT);
    let errors = nginx.errors()?;
    ensure!(errors.is_empty(), "nginx noticed: {errors}");
    // Up to 16 requests were under way when the second agent came to see.
    let account = traced.account()?;
    chain::unique(&traced.spans)?;
    let expected = (COUNT - before - 16) as usize * 4;
    // On a busy machine the ring may overflow; each event lost costs the
    // exchange it is of, and at most the one before it.
    let lost = account.lines.get("events lost: ring full").copied();
    let expected = expected.saturating_sub(lost.unwrap_or(0) as usize * 2);
    let complete = traced
        .spans
        .iter()
        .filter(|span| span.status_code() == Some(200));
    let complete = complete.count();
    ensure!(
        complete >= expected,
        "{complete} spans of at least {expected}: {account:#?}"
    );
    Ok(())
}
