//! A real OpenTelemetry Collector that writes what it receives to a file.

use std::fs;
use std::path::{Path, PathBuf};
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
    scheme: &'static str,
    port: u16,
    file: PathBuf,
    directory: TempDir,
}

impl Collector {
    /// Starts it; returns when it listens.
    pub fn start() -> Result<Self> {
        Self::start_with("http", &[], &[])
    }

    /// Starts it with TLS: it shows this certificate for `localhost`, whose key is
    /// in another file. With `clients`, the certificate of an authority, it lets
    /// in only those who show one by that.
    pub fn start_secure(certificate: &Path, key: &Path, clients: Option<&Path>) -> Result<Self> {
        let environment = [
            ("TLS_CERTIFICATE", certificate),
            ("TLS_KEY", key),
            ("TLS_CLIENT_AUTHORITY", clients.unwrap_or(Path::new(""))),
        ];
        Self::start_with("https", &["tls.yaml"], &environment)
    }

    fn start_with(
        scheme: &'static str,
        configs: &[&str],
        environment: &[(&str, &Path)],
    ) -> Result<Self> {
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
        // Later ones are laid over earlier ones.
        for config in ["config.yaml"].iter().chain(configs) {
            let path = place::root().join("tests/collector").join(config);
            command.arg("--config").arg(path);
        }
        command
            .env("OTLP_ENDPOINT", format!("127.0.0.1:{port}"))
            .env("TRACES_FILE", &file)
            .envs(environment.iter().copied());
        let mut child = Child::start("otelcol", &command, &directory.path().join("log"))?;
        child.wait_for("Everything is ready", Duration::from_secs(20))?;
        Ok(Self {
            child,
            scheme,
            port,
            file,
            directory,
        })
    }

    /// For the agent's `--otlp`.
    pub fn url(&self) -> String {
        // Certificates are for names.
        let host = match self.scheme {
            "https" => "localhost",
            _ => "127.0.0.1",
        };
        format!("{}://{host}:{}", self.scheme, self.port)
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
