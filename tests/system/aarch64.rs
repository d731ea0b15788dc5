//! The agent for 64-bit ARM, which `cargo xtask test` builds, under an emulator.
//!
//! Engine, recordings and outputs run there as they would on such a machine. The
//! kernel is this machine's, so of the capture only its beginning is seen.

use anyhow::{Result, ensure};
use wirespan_tests::agent::{self, Agent};
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

/// The emulator takes milliseconds a span.
const COUNT: u32 = 500;

#[test]
fn another_processor_gives_the_same_spans() -> Result<()> {
    let backend = Server::start(Runtime::PythonTwoProcesses)?;
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let load = Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    };
    Agent::record_load(&recording, &ports, load)?;
    let here = agent::replay(&recording)?;
    let there = agent::replay_on_aarch64(&recording)?;

    ensure!(
        here.spans.len() == COUNT as usize * 4,
        "{} spans",
        here.spans.len()
    );
    ensure!(here.account()? == there.account()?, "{}", there.log);
    ensure!(here.spans.len() == there.spans.len());
    for (here, there) in here.spans.iter().zip(&there.spans) {
        ensure!(here == there, "x86_64 {here:#?}\naarch64 {there:#?}");
    }
    Ok(())
}

#[test]
fn it_looks_for_the_registers_of_its_own_processor() -> Result<()> {
    let output = agent::on_aarch64()?.arg("doctor").output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    // Kernels for x86_64 call it `orig_ax`.
    ensure!(
        report.contains("no field pt_regs.syscallno"),
        "{}:\n{report}",
        output.status
    );
    Ok(())
}
