//! A recording replays to the spans that a live run gives.

use anyhow::{Result, ensure};
use wirespan_tests::agent::{self, Agent};
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

const COUNT: u32 = 2_000;

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
fn a_recording_that_was_cut_off_replays_up_to_the_cut() -> Result<()> {
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let load = Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    };
    Agent::record_load(&recording, &nginx.port().to_string(), load)?;
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
