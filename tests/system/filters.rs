//! What is asked for is traced whole, from the first request of each process,
//! and nothing else is.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::server::{Runtime, Server};
use wirespan_tests::span::Kind;

/// Each by a process of its own.
const REQUESTS: usize = 20;

#[test]
fn processes_with_their_children() -> Result<()> {
    // One that is there already, and was forked before.
    let server = Server::start(Runtime::PythonTwoProcesses)?;
    let pid = server.pid().to_string();
    traces(&server, &["--pid", &pid], REQUESTS, 0)?;
    traces(&server, &["--exclude-pid", &pid], 0, REQUESTS)?;
    // Those that are yet to come.
    let ours = std::process::id().to_string();
    traces(&server, &["--pid", &ours], REQUESTS, REQUESTS)?;
    traces(
        &server,
        &["--pid", &ours, "--exclude-pid", &pid],
        0,
        REQUESTS,
    )
}

#[test]
fn executables() -> Result<()> {
    let server = Server::start(Runtime::PythonTwoProcesses)?;
    traces(&server, &["--exe", "curl"], 0, REQUESTS)?;
    traces(&server, &["--exe", "python3*"], REQUESTS, 0)?;
    traces(&server, &["--exe", "/**/bin/*"], REQUESTS, REQUESTS)?;
    traces(&server, &["--exclude-exe", "curl"], REQUESTS, 0)
}

#[test]
fn ports() -> Result<()> {
    let server = Server::start(Runtime::Python)?;
    let port = server.port().to_string();
    traces(&server, &[], REQUESTS, REQUESTS)?;
    traces(&server, &["--exclude-port", &port], 0, 0)
}

/// Fails unless, so filtered, there are so many SERVER and CLIENT spans.
fn traces(server: &Server, filters: &[&str], servers: usize, clients: usize) -> Result<()> {
    let port = server.port().to_string();
    let agent = Agent::run(&[&["--port", &port], filters].concat())?;
    for _ in 0..REQUESTS {
        let status = Command::new("curl")
            .args(["--silent", "--max-time", "10", "--output", "/dev/null"])
            .arg(format!("http://127.0.0.1:{port}/"))
            .status()
            .context("starting curl")?;
        ensure!(status.success(), "curl: {status}");
    }
    let traced = agent.stop()?;
    let account = traced.account()?;
    let count = |kind| traced.spans.iter().filter(|span| span.kind == kind).count();
    let found = (count(Kind::Server), count(Kind::Client));
    ensure!(
        found == (servers, clients),
        "{filters:?}: {found:?} spans: {account:#?}"
    );
    Ok(())
}
