//! The agent is one file: it runs in a root directory that has nothing else.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use wirespan_tests::account::Account;
use wirespan_tests::agent::Agent;
use wirespan_tests::collector::Collector;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::place;

const COUNT: u32 = 100;

#[test]
fn it_runs_and_finds_a_collector_by_name_where_nothing_is_installed() -> Result<()> {
    let root = tempfile::tempdir()?;
    let inside = |path: &str| root.path().join(path);
    fs::copy(place::wirespan(), inside("wirespan"))?;
    fs::create_dir(inside("etc"))?;
    fs::write(inside("etc/hosts"), "127.0.0.1 collector.test\n")?;
    // Modules of a C library that is not there, as many hosts name them.
    fs::write(
        inside("etc/nsswitch.conf"),
        "hosts: mymachines resolve [!UNAVAIL=return] myhostname\n",
    )?;

    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let load = Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    };
    Agent::record_load(&inside("load.wsr"), &nginx.port().to_string(), load)?;
    let collector = Collector::start()?;
    let output = Command::new("chroot")
        .arg(root.path())
        .args(["/wirespan", "replay", "/load.wsr", "--otlp"])
        .arg(format!("http://collector.test:{}", collector.port()))
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = collector.stop()?;

    ensure!(output.status.success(), "{}:\n{log}", output.status);
    let account = Account::parse(&log)?;
    account.check()?;
    ensure!(account.exported == u64::from(COUNT) * 2, "{log}");
    ensure!(
        collected.len() == COUNT as usize * 2,
        "{} spans",
        collected.len()
    );
    Ok(())
}
