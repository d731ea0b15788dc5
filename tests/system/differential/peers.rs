//! The programs in `tests/differential`: clients and servers of other
//! implementations, each of which keeps its own record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::child::Child;
use wirespan_tests::{place, port};

const READY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_mins(3);

/// An implementation of HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Python's `h11`, over sockets of its caller's.
    H11,
    /// Node's `http`.
    Node,
    /// Go's `net/http`.
    Go,
}

/// What was built and is written for one test.
#[derive(Debug)]
pub(super) struct Workshop {
    directory: tempfile::TempDir,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) port: u16,
    record: PathBuf,
    _child: Child,
}

impl Peer {
    pub(super) const ALL: [Self; 3] = [Self::H11, Self::Node, Self::Go];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::H11 => "h11",
            Self::Node => "node",
            Self::Go => "go",
        }
    }
}

impl Workshop {
    pub(super) fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let built = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(directory.path().join("peer"))
            .arg(source("peer.go"))
            .env("GOTOOLCHAIN", "local")
            .env("PATH", path_with_tools())
            .status()
            .context("go build")?;
        ensure!(built.success(), "go build: {built}");
        Ok(Self { directory })
    }

    /// Starts a server of this implementation.
    pub(super) fn serve(&self, peer: Peer) -> Result<Server> {
        let port = port::free();
        let record = self.file(&format!("{}-server", peer.name()));
        let mut command = self.command(peer, "server");
        command.arg(port.to_string()).arg(&record);
        let log = record.with_extension("log");
        let child = Child::start(peer.name(), &command, &log)?;
        port::wait(port, READY).with_context(|| child.log().unwrap_or_default())?;
        Ok(Server {
            port,
            record,
            _child: child,
        })
    }

    /// Runs a client of this implementation to its end; returns its record.
    pub(super) fn call(&self, peer: Peer, port: u16, plan: &Value) -> Result<Vec<Value>> {
        let record = self.file(&format!("{}-client-{port}", peer.name()));
        let plan_file = record.with_extension("json");
        fs::write(&plan_file, plan.to_string())?;
        let mut command = self.command(peer, "client");
        command.arg(port.to_string()).arg(&record).arg(&plan_file);
        let log = record.with_extension("log");
        let mut child = Child::start(peer.name(), &command, &log)?;
        let status = child.wait(LIMIT)?;
        ensure!(status.success(), "{peer:?}: {status}\n{}", child.log()?);
        lines(&record)
    }

    fn command(&self, peer: Peer, side: &str) -> Command {
        match peer {
            Peer::H11 => {
                let mut command = Command::new(place::tools().join("h11/bin/python"));
                command.arg(source(&format!("{side}.py")));
                command
            }
            Peer::Node => {
                let mut command = Command::new("node");
                command.arg(source(&format!("{side}.mjs")));
                command
            }
            Peer::Go => {
                let mut command = Command::new(self.directory.path().join("peer"));
                command.arg(side);
                command
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Server {
    /// What it recorded so far.
    pub(super) fn record(&self) -> Result<Vec<Value>> {
        lines(&self.record)
    }
}

fn lines(record: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(record)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

fn source(name: &str) -> PathBuf {
    place::root().join("tests/differential").join(name)
}

/// `$PATH`, and the Go that `cargo xtask setup` installs where there is none.
fn path_with_tools() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{}", place::tools().join("go/bin").display())
}
