//! The built agent: `wirespan run`, `record` and `replay` as a user calls them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::account::Account;
use crate::child::Child;
use crate::load::Load;
use crate::span::{self, Span};
use crate::{place, wait};

/// From start to "wirespan: tracing": loading and verifying the programs.
const READY: Duration = Duration::from_secs(30);

/// A running `wirespan run` or `wirespan record`.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    json: PathBuf,
    directory: TempDir,
}

/// What an agent leaves behind when it ends.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The spans that it wrote with `--json`; none for `record`.
    pub spans: Vec<Span>,
    /// What it wrote to standard error.
    pub log: String,
}

impl Agent {
    /// Starts `wirespan run --json FILE` with further arguments; returns when
    /// it sees the next request.
    pub fn run<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self> {
        Self::run_in(arguments, &[])
    }

    /// The same, with these environment variables.
    pub fn run_in<A: AsRef<OsStr>>(
        arguments: &[A],
        environment: &[(&str, &OsStr)],
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let json = directory.path().join("spans.jsonl");
        let mut command = Command::new(place::wirespan());
        command.arg("run").arg("--json").arg(&json).args(arguments);
        command.envs(environment.iter().copied());
        begin_cold(&mut command);
        Self::start(&command, json, directory)
    }

    /// The same without `--json`: no spans are read when it stops.
    pub fn run_without_json<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let json = directory.path().join("none");
        let mut command = Command::new(place::wirespan());
        command.arg("run").args(arguments);
        begin_cold(&mut command);
        Self::start(&command, json, directory)
    }

    /// Records what `load` does to these ports, to its end.
    pub fn record_load(recording: &Path, ports: &str, load: Load) -> Result<()> {
        let agent = Self::record(recording, &["--port", ports])?;
        load.run()?;
        agent.stop()?;
        Ok(())
    }

    /// Starts `wirespan record FILE` with further arguments.
    pub fn record<A: AsRef<OsStr>>(recording: &Path, arguments: &[A]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let json = directory.path().join("spans.jsonl");
        let mut command = Command::new(place::wirespan());
        command.arg("record").arg(recording).args(arguments);
        Self::start(&command, json, directory)
    }

    fn start(command: &Command, json: PathBuf, directory: TempDir) -> Result<Self> {
        let log = directory.path().join("log");
        let mut child = Child::start_with_output("wirespan", command, Stdio::null(), &log)?;
        child
            .wait_for("wirespan: tracing", READY)
            .context("whole-system tests need root and BPF; `wirespan doctor` tells more")?;
        Ok(Self {
            child,
            json,
            directory,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until it has written `text` to standard error.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<()> {
        self.child.wait_for(text, limit)
    }

    /// Waits until at least `count` spans are in its JSON file.
    pub fn wait_for_spans(&self, count: usize, limit: Duration) -> Result<()> {
        wait::until(limit, &format!("{count} spans"), || {
            let text = fs::read_to_string(&self.json).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            Ok((span::parse(whole)?.len() >= count).then_some(()))
        })
    }

    /// Stops it as a user would. Fails unless it then exits with 0,
    /// having written every span that it had to write.
    pub fn stop(mut self) -> Result<Traced> {
        let status = self.child.stop()?;
        let log = self.child.log()?;
        ensure!(status.success(), "wirespan ended with {status}:\n{log}");
        ensure!(
            !log.contains("write failed"),
            "spans could not be written:\n{log}"
        );
        let text = match fs::read_to_string(&self.json) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let spans = span::parse(&text).with_context(|| format!("wirespan wrote:\n{log}"))?;
        drop(self.directory);
        Ok(Traced { spans, log })
    }

    /// Ends it on the spot, as a crash would.
    pub fn kill(self) -> Result<()> {
        self.child.kill()
    }
}

/// What other runs learnt must not show, unless a test asks for it.
fn begin_cold(command: &mut Command) {
    if command.get_args().all(|argument| argument != "--state-dir") {
        command.arg("--no-state");
    }
}

impl Traced {
    /// Its account, which must add up.
    pub fn account(&self) -> Result<Account> {
        let account = Account::parse(&self.log)?;
        account.check()?;
        Ok(account)
    }
}

/// Runs `wirespan replay FILE --json …` to its end.
pub fn replay(recording: &Path) -> Result<Traced> {
    replay_by(&mut Command::new(place::wirespan()), recording)
}

/// The same by the agent for 64-bit ARM.
pub fn replay_on_aarch64(recording: &Path) -> Result<Traced> {
    replay_by(&mut on_aarch64()?, recording)
}

/// The agent for 64-bit ARM under an emulator, without arguments.
pub fn on_aarch64() -> Result<Command> {
    let agent = place::cross_wirespan("aarch64-unknown-linux-gnu", "debug");
    ensure!(
        agent.exists(),
        "{} is missing: run `cargo xtask test`, which builds it",
        agent.display()
    );
    let mut command = Command::new("qemu-aarch64-static");
    command.arg(agent);
    Ok(command)
}

fn replay_by(agent: &mut Command, recording: &Path) -> Result<Traced> {
    let output = agent
        .arg("replay")
        .arg(recording)
        .args(["--json", "-"])
        .output()
        .context("starting wirespan replay")?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "wirespan replay ended with {}:\n{log}",
        output.status
    );
    let spans = span::parse(std::str::from_utf8(&output.stdout)?)?;
    Ok(Traced { spans, log })
}
