//! A real OpenTelemetry Collector that writes what it receives to a file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::child::{Child, ended_well};
use crate::span::{self, Span};
use crate::{place, port};

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    port: u16,
    file: PathBuf,
    directory: TempDir,
}

impl Collector {
    /// Starts it; returns when it listens.
    pub fn start() -> Result<Self> {
        let binary = place::tools().join("otelcol");
        ensure!(
            binary.exists(),
            "{} is missing: run `cargo xtask setup`",
            binary.display()
        );
        let directory = tempfile::tempdir()?;
        let port = port::free();
        let file = directory.path().join("traces.jsonl");
        let mut command = Command::new(binary);
        command
            .arg("--config")
            .arg(place::root().join("tests/collector/config.yaml"))
            .env("OTLP_ENDPOINT", format!("127.0.0.1:{port}"))
            .env("TRACES_FILE", &file);
        let mut child = Child::start("otelcol", &command, &directory.path().join("log"))?;
        child.wait_for("Everything is ready", Duration::from_secs(20))?;
        Ok(Self {
            child,
            port,
            file,
            directory,
        })
    }

    /// For the agent's `--otlp`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Stops it, which makes it write everything; the spans that it received.
    pub fn stop(mut self) -> Result<Vec<Span>> {
        let status = self.child.stop()?;
        ensure!(ended_well(status), "the collector ended with {status}");
        let spans = span::parse(&fs::read_to_string(&self.file).unwrap_or_default())?;
        drop(self.directory);
        Ok(spans)
    }
}
