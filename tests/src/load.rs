//! Load from `wrk`: a given number of requests, each with a path of its own.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::child::Child;
use crate::place;

/// How long a load may take.
const LIMIT: Duration = Duration::from_mins(3);

/// `GET PREFIX/1` to `GET PREFIX/COUNT` over IPv4 loopback.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What their paths begin with.
    pub prefix: &'static str,
    /// The server's port.
    pub port: u16,
    /// How many requests.
    pub count: u32,
    /// How many connections at once.
    pub connections: u32,
    /// A new connection for each request.
    pub close: bool,
}

impl Default for Load {
    /// 1,000 requests over 16 connections that are kept open, to no port yet.
    fn default() -> Self {
        Self {
            prefix: "/r",
            port: 0,
            count: 1000,
            connections: 16,
            close: false,
        }
    }
}

impl Load {
    /// Runs it to its end. Fails unless each request got its answer, with 200.
    pub fn run(self) -> Result<()> {
        self.start()?.finish()
    }

    /// Starts it and leaves it running; `finish` its end.
    pub fn start(self) -> Result<Running> {
        let directory = tempfile::tempdir()?;
        let log = directory.path().join("log");
        let child = Child::start("wrk", &self.command(), &log)?;
        Ok(Running {
            child,
            load: self,
            _directory: directory,
        })
    }

    fn command(self) -> Command {
        let mut command = Command::new("wrk");
        command
            .args(["-t1", "--timeout", "60s"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", LIMIT.as_secs()))
            .arg("-s")
            .arg(place::servers().join("load.lua"))
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .env("PREFIX", self.prefix)
            .env("COUNT", self.count.to_string())
            .env("CLOSE", u8::from(self.close).to_string());
        command
    }
}

/// A load under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    load: Load,
    _directory: tempfile::TempDir,
}

impl Running {
    /// Waits for its end. Fails unless each request got its answer, with 200.
    pub fn finish(mut self) -> Result<()> {
        self.child.wait(LIMIT).context("wrk")?;
        let output = self.child.log()?;
        let expected = format!("answered {} failed 0", self.load.count);
        ensure!(output.contains(&expected), "wrk wrote:\n{output}");
        Ok(())
    }
}
