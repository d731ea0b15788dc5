//! A server that takes OTLP over gRPC and throws it away, for benchmarks.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::child::Child;
use crate::{place, port};

/// A running sink.
#[derive(Debug)]
pub struct Sink {
    child: Child,
    port: u16,
    // Dropped after the process that writes its log there.
    _directory: TempDir,
}

impl Sink {
    /// Starts it; returns when it listens.
    pub fn start() -> Result<Self> {
        let binary = place::tools().join("otlp-sink");
        ensure!(
            binary.exists(),
            "{} is missing: run `cargo xtask setup`",
            binary.display()
        );
        let directory = tempfile::tempdir()?;
        let port = port::free();
        let mut command = Command::new(binary);
        command.arg(format!("127.0.0.1:{port}"));
        let mut child = Child::start("otlp-sink", &command, &directory.path().join("log"))?;
        child.wait_for("sink: ready", Duration::from_secs(10))?;
        Ok(Self {
            child,
            port,
            _directory: directory,
        })
    }

    /// For the agent's `--otlp`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }
}
