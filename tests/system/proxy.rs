//! `wrk → nginx → two Python processes`: every request, with every span and
//! every parent across the wire, whatever the connections are like.

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

use crate::chain::{self, Inside};

/// Share of nginx's calls that may be given to another request, and share that
/// must be given to the right one. It is an event loop with up to 16 requests
/// in flight.
const WRONG: f64 = 0.005;
const RIGHT: f64 = 0.95;

#[test]
fn connections_kept_open() -> Result<()> {
    every_request(Task::ProxyKeepAlive, 10_000, 16, false)
}

#[test]
fn a_new_connection_each_one_at_a_time() -> Result<()> {
    every_request(Task::Proxy, 2_000, 1, true)
}

#[test]
fn a_new_connection_each_16_at_once() -> Result<()> {
    every_request(Task::Proxy, 10_000, 16, true)
}

/// 512 connections are opened at once, and all send at once.
#[test]
fn an_unpaced_burst() -> Result<()> {
    every_request(Task::Proxy, 4_000, 512, true)
}

fn every_request(
    task: fn(u16) -> Task<'static>,
    count: u32,
    connections: u32,
    close: bool,
) -> Result<()> {
    let backend = Server::start(Runtime::PythonTwoProcesses)?;
    let nginx = Nginx::start(1, &task(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let agent = Agent::run(&["--port", &ports])?;
    Load {
        port: nginx.port(),
        count,
        connections,
        close,
        ..Load::default()
    }
    .run()?;
    let traced = agent.stop()?;
    ensure!(
        nginx.accesses()?.len() == count as usize,
        "the load is not exact"
    );
    let inside = chain::check(&traced, "/r", 1..=count)
        .with_context(|| format!("the agent wrote:\n{}", traced.log))?;
    println!("{count} requests over {connections} connections, close: {close}: {inside:?}");
    causes(inside)
}

fn causes(inside: Inside) -> Result<()> {
    let calls = (inside.right + inside.missing + inside.wrong) as f64;
    ensure!(
        inside.wrong as f64 <= calls * WRONG,
        "wrong causes: {inside:?}"
    );
    ensure!(
        inside.right as f64 >= calls * RIGHT,
        "few causes: {inside:?}"
    );
    Ok(())
}
