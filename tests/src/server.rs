//! Servers of several runtimes, plain code as people write it, from `tests/servers`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::child::Child;
use crate::{place, port};

/// Java compiles its source first.
const READY: Duration = Duration::from_mins(1);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    // Dropped after the server that works in it.
    _directory: TempDir,
}

/// A runtime with the server written for it. All of them answer
/// `METHOD /status/NNN` with that status and a small body, anything else with
/// 200, and read a request's body first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `http.server.ThreadingHTTPServer`, in two processes on one port.
    PythonTwoProcesses,
    /// `http.server.ThreadingHTTPServer`.
    Python,
    /// Node's `http`.
    Node,
    /// Go's `net/http`.
    Go,
    /// Java's `com.sun.net.httpserver`.
    Java,
}

impl Server {
    /// Starts the server of a runtime on a free port of 127.0.0.1.
    pub fn start(runtime: Runtime) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = port::free();
        let mut command = runtime.command(directory.path())?;
        command.arg(port.to_string()).current_dir(directory.path());
        let child = Child::start(
            &format!("{runtime:?}"),
            &command,
            &directory.path().join("log"),
        )?;
        port::wait(port, READY)
            .with_context(|| format!("{runtime:?}: {}", child.log().unwrap_or_default()))?;
        Ok(Self {
            child,
            port,
            _directory: directory,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::PythonTwoProcesses,
        Self::Python,
        Self::Node,
        Self::Go,
        Self::Java,
    ];

    fn command(self, directory: &Path) -> Result<Command> {
        let source = |name: &str| place::servers().join(name);
        Ok(match self {
            Self::Python | Self::PythonTwoProcesses => {
                let mut command = Command::new("python3");
                command.arg(source("backend.py"));
                let processes = if self == Self::Python { "1" } else { "2" };
                command.env("PROCESSES", processes);
                command
            }
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(source("backend.mjs"));
                command
            }
            Self::Go => {
                let binary = directory.join("backend");
                let built = Command::new("go")
                    .args(["build", "-buildvcs=false", "-o"])
                    .arg(&binary)
                    .arg(source("backend.go"))
                    .env("GOTOOLCHAIN", "local")
                    .env("PATH", path_with_tools())
                    .status()
                    .context("go build")?;
                ensure!(built.success(), "go build: {built}");
                Command::new(binary)
            }
            Self::Java => {
                let mut command = Command::new("java");
                command
                    .args(["-XX:TieredStopAtLevel=1", "-Xmx128m"])
                    .arg(source("Backend.java"));
                command
            }
        })
    }
}

/// `$PATH`, and the Go that `cargo xtask setup` installs where there is none.
fn path_with_tools() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{}", place::tools().join("go/bin").display())
}
