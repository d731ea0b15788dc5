//! OTLP over gRPC to a real OpenTelemetry Collector.

use anyhow::{Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::collector::Collector;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

const COUNT: u32 = 2_000;

#[test]
fn the_collector_writes_what_json_says() -> Result<()> {
    let backend = Server::start(Runtime::Python)?;
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let collector = Collector::start()?;
    // The collector's port too: the agent's own export must not be traced.
    let ports = format!("{},{},{}", nginx.port(), backend.port(), collector.port());
    let agent = Agent::run(&["--port", &ports, "--otlp", &collector.url()])?;
    Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    }
    .run()?;
    let traced = agent.stop()?;
    let collected = collector.stop()?;

    ensure!(
        traced.spans.len() == COUNT as usize * 4,
        "{} spans",
        traced.spans.len()
    );
    ensure!(
        collected.len() == traced.spans.len(),
        "{} collected",
        collected.len()
    );
    for (written, collected) in traced.spans.iter().zip(&collected) {
        ensure!(
            written == collected,
            "--json {written:#?}\ncollector {collected:#?}"
        );
    }
    Ok(())
}

#[test]
fn without_a_collector_the_agent_keeps_going_and_counts() -> Result<()> {
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let nobody = format!("http://127.0.0.1:{}", wirespan_tests::port::free());
    let port = nginx.port().to_string();
    let agent = Agent::run(&["--port", &port, "--otlp", &nobody])?;
    Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    }
    .run()?;
    let traced = agent.stop()?;
    ensure!(
        traced.spans.len() == COUNT as usize * 2,
        "{} spans",
        traced.spans.len()
    );
    ensure!(
        traced.log.contains(&nobody),
        "no word of the collector: {}",
        traced.log
    );
    Ok(())
}
