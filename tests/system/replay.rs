//! A recording replays to the spans that a live run gives.

use anyhow::{Result, ensure};
use wirespan_tests::agent::{self, Agent};
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

const COUNT: u32 = 2_000;
/// The emulator takes milliseconds a span.
const EMULATED: u32 = 500;

#[test]
fn live_and_replayed_spans_are_equal() -> Result<()> {
    let backend = Server::start(Runtime::PythonTwoProcesses)?;
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let recording_path = recording.display().to_string();
    let agent = Agent::run(&["--port", &ports, "--record", &recording_path])?;
    Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    }
    .run()?;
    let live = agent.stop()?;
    let replayed = agent::replay(&recording)?;

    ensure!(
        live.spans.len() == COUNT as usize * 4,
        "{} spans",
        live.spans.len()
    );
    ensure!(
        live.spans.len() == replayed.spans.len(),
        "{} replayed",
        replayed.spans.len()
    );
    live.account()?;
    replayed.account()?;
    for (live, replayed) in live.spans.iter().zip(&replayed.spans) {
        ensure!(live == replayed, "live {live:#?}\nreplayed {replayed:#?}");
    }
    Ok(())
}

#[test]
fn another_processor_gives_the_same_spans() -> Result<()> {
    let backend = Server::start(Runtime::PythonTwoProcesses)?;
    let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
    let ports = format!("{},{}", nginx.port(), backend.port());
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let agent = Agent::record(&recording, &["--port", &ports])?;
    Load {
        port: nginx.port(),
        count: EMULATED,
        ..Load::default()
    }
    .run()?;
    agent.stop()?;
    let here = agent::replay(&recording)?;
    let there = agent::replay_on_aarch64(&recording)?;

    ensure!(
        here.spans.len() == EMULATED as usize * 4,
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
fn a_recording_that_was_cut_off_replays_up_to_the_cut() -> Result<()> {
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let agent = Agent::record(&recording, &["--port", &nginx.port().to_string()])?;
    Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    }
    .run()?;
    agent.stop()?;
    let whole = agent::replay(&recording)?;
    ensure!(
        whole.spans.len() == COUNT as usize * 2,
        "{} spans",
        whole.spans.len()
    );

    let file = std::fs::File::options().write(true).open(&recording)?;
    file.set_len(file.metadata()?.len() / 2)?;
    let half = agent::replay(&recording)?;
    ensure!(
        half.log.contains("cut off"),
        "it does not say so: {}",
        half.log
    );
    half.account()?;
    let count = half.spans.len();
    ensure!(
        count > 0 && count < whole.spans.len(),
        "{count} spans of half a recording"
    );
    Ok(())
}
