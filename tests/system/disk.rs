//! A disk that is full for a while: what could not be written is counted, and
//! what could be is whole.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wirespan_tests::account::Account;
use wirespan_tests::agent::Agent;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::{place, span};

/// Spans of a line of JSON, when there are many.
const BATCH: u32 = 4096;
/// Spans of the last line.
const REST: u32 = 400;
/// Room for one line of so many spans and that of the rest, not for two.
const ROOM: &str = "size=6m";

#[test]
fn a_full_disk_costs_the_lines_that_did_not_fit() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let recording = directory.path().join("load.wsr");
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let agent = Agent::record(&recording, &["--port", &nginx.port().to_string()])?;
    Load {
        port: nginx.port(),
        count: BATCH + REST / 2,
        ..Load::default()
    }
    .run()?;
    agent.stop()?;
    let disk = Disk::of(ROOM)?;
    let json = disk.path().join("spans.jsonl");
    let output = Command::new(place::wirespan())
        .arg("replay")
        .arg(&recording)
        .arg("--json")
        .arg(&json)
        .output()
        .context("starting wirespan replay")?;
    let log = String::from_utf8_lossy(&output.stderr);

    ensure!(output.status.success(), "{}:\n{log}", output.status);
    ensure!(log.contains("cannot write JSON: No space left"), "{log}");
    let text = std::fs::read_to_string(&json)?;
    ensure!(text.lines().count() == 2, "{} lines", text.lines().count());
    ensure!(span::parse(&text)?.len() as u32 == BATCH + REST);
    let account = Account::parse(&log)?;
    account.check()?;
    ensure!(account.exported == u64::from(BATCH + REST), "{account:#?}");
    ensure!(
        account.dropped["write failed"] == u64::from(BATCH),
        "{account:#?}"
    );
    Ok(())
}

/// A file system in memory; goes away with this value.
struct Disk(TempDir);

impl Disk {
    fn of(size: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "tmpfs"])
            .arg(directory.path())
            .status()?;
        ensure!(status.success(), "mount: {status} (it needs root)");
        Ok(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: it also goes where a file of it is still open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
