//! What `wirespan replay` tells of a capture.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wirespan_tests::span::{self, Span};
use wirespan_tests::{place, wait};

use super::exchange::{self, Connections, Exchange};

/// No capture may take longer.
const LIMIT: Duration = Duration::from_mins(2);

/// The exchanges in it; `None` if it is told to be no capture.
pub(super) fn read(file: &Path) -> Result<Option<Connections>> {
    let directory = tempfile::tempdir()?;
    let (json, log) = (directory.path().join("json"), directory.path().join("log"));
    let mut replay = Command::new(place::wirespan())
        .arg("replay")
        .arg(file)
        .args(["--query", "keep", "--json", "-"])
        .stdin(Stdio::null())
        .stdout(File::create(&json)?)
        .stderr(File::create(&log)?)
        .spawn()
        .context("starting wirespan")?;
    let Ok(status) = wait::until(LIMIT, "the end", || Ok(replay.try_wait()?)) else {
        replay.kill()?;
        replay.wait()?;
        bail!("has not ended after {LIMIT:?}");
    };
    let log = fs::read_to_string(log)?;
    match status.code() {
        Some(0) => {}
        Some(1) if log.contains("neither a wirespan recording nor a packet capture") => {
            return Ok(None);
        }
        _ => bail!("{status}: {log}"),
    }
    let mut spans = span::parse(&fs::read_to_string(json)?)?;
    spans.sort_by_key(|span| span.start);
    let mut connections = Connections::new();
    for span in &spans {
        let service = span.service();
        let (_, port) = service.rsplit_once(':').unwrap_or_default();
        let ports = (port.parse(), span.get("network.peer.port").parse());
        let (Ok(port), Ok(peer)) = ports else {
            bail!("{service}: no port");
        };
        let ends = exchange::ends(port, peer);
        connections.entry(ends).or_default().push(exchange(span));
    }
    Ok(Some(connections))
}

fn exchange(span: &Span) -> Exchange {
    let method = match span.get("http.request.method_original") {
        "" => span.method(),
        original => original,
    };
    let target = match span.get("url.query") {
        "" => span.path().to_owned(),
        query => format!("{}?{query}", span.path()),
    };
    Exchange {
        method: method.to_owned(),
        target: exchange::target(method, &target),
        status: span.status_code(),
        size: span.get("http.response.body.size").parse().ok(),
    }
}
