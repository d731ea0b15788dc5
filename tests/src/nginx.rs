//! nginx with a configuration of ours, in the foreground, in its own directory.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::child::Child;
use crate::port;

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    port: u16,
    directory: TempDir,
}

/// What nginx does with requests.
#[derive(Clone, Debug)]
pub enum Task<'a> {
    /// It answers itself: 200 with a body of so many bytes.
    Answer(usize),
    /// It asks the server on this port, over connections it keeps open.
    ProxyKeepAlive(u16),
    /// It asks the server on this port, with a new connection for each request.
    Proxy(u16),
    /// The body of the `server` block.
    Custom(&'a str),
}

/// One line of the access log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Request method.
    pub method: String,
    /// Request target.
    pub target: String,
    /// Response status; nginx writes 499 where the client went away.
    pub status: u16,
}

impl Nginx {
    /// Starts nginx with so many workers on a free port.
    pub fn start(workers: u32, task: &Task<'_>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        // Workers run as another user, and write only to what the master opened.
        let port = port::free();
        let config = directory.path().join("nginx.conf");
        fs::write(&config, configuration(workers, port, task))?;
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&config)
            .args(["-e", "stderr"]);
        let child = Child::start("nginx", &command, &directory.path().join("log"))?;
        port::wait(port, Duration::from_secs(10))
            .with_context(|| format!("nginx wrote: {}", child.log().unwrap_or_default()))?;
        Ok(Self {
            child,
            port,
            directory,
        })
    }

    /// The port it listens on, on 127.0.0.1 and `::1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The master's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The requests that it has logged.
    pub fn accesses(&self) -> Result<Vec<Access>> {
        let log = fs::read_to_string(self.access_log())?;
        log.lines().map(access).collect()
    }

    /// What it wrote to its error log.
    pub fn errors(&self) -> Result<String> {
        self.child.log()
    }

    fn access_log(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }
}

fn access(line: &str) -> Result<Access> {
    let mut words = line.split(' ');
    let mut word = || words.next().with_context(|| format!("access log: {line}"));
    Ok(Access {
        method: word()?.to_owned(),
        target: word()?.to_owned(),
        status: word()?.parse()?,
    })
}

fn configuration(workers: u32, port: u16, task: &Task<'_>) -> String {
    let (upstream, server) = match task {
        Task::Answer(size) => (
            String::new(),
            format!("location / {{ return 200 \"{}\"; }}", "x".repeat(*size)),
        ),
        Task::ProxyKeepAlive(backend) => (
            format!("upstream backend {{ server 127.0.0.1:{backend}; keepalive 32; }}"),
            "location / { proxy_pass http://backend; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; }"
                .to_owned(),
        ),
        Task::Proxy(backend) => (
            String::new(),
            format!("location / {{ proxy_pass http://127.0.0.1:{backend}; }}"),
        ),
        Task::Custom(server) => (String::new(), (*server).to_owned()),
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "daemon off;
worker_processes {workers};
worker_rlimit_nofile 8192;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    log_format plain '$request_method $request_uri $status';
    access_log access.log plain;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen [::1]:{port} backlog=4096;
        {server}
    }}
}}
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_log_line_is_read() {
        let expected = Access {
            method: "GET".to_owned(),
            target: "/a?b=c".to_owned(),
            status: 499,
        };
        assert_eq!(access("GET /a?b=c 499").unwrap(), expected);
        assert!(access("GET /a").is_err());
    }
}
