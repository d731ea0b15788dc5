//! OTLP over TLS and mutual TLS to a real OpenTelemetry Collector; what is not
//! trusted gets nothing, and that is said.

use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::{Agent, Traced};
use wirespan_tests::collector::Collector;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};

use crate::authority::{Authority, Paths};

const COUNT: u32 = 500;
/// Both ends of each.
const SPANS: u64 = COUNT as u64 * 2;
const LIMIT: Duration = Duration::from_secs(20);

const AUTHORITY: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";

type Environment<'a> = Vec<(&'a str, &'a OsStr)>;

#[test]
fn over_tls() -> Result<()> {
    let ours = Authority::new()?;
    let collector = start(&ours.issue("localhost")?, None)?;
    is_collected(collector, &trusting(&ours))
}

#[test]
fn over_mutual_tls() -> Result<()> {
    let (ours, theirs) = (Authority::new()?, Authority::new()?);
    let server = ours.issue("localhost")?;
    let collector = start(&server, Some(&theirs))?;
    let client = theirs.issue("wirespan")?;
    is_collected(collector, &presenting(&client, &ours))
}

#[test]
fn a_collector_by_an_unknown_authority_gets_nothing() -> Result<()> {
    let (ours, theirs) = (Authority::new()?, Authority::new()?);
    let collector = start(&theirs.issue("localhost")?, None)?;
    is_refused(collector, &trusting(&ours), "certificate")
}

#[test]
fn a_collector_by_another_name_gets_nothing() -> Result<()> {
    let ours = Authority::new()?;
    let collector = start(&ours.issue("collector.example")?, None)?;
    is_refused(collector, &trusting(&ours), "localhost")
}

#[test]
fn a_collector_that_asks_for_our_certificate_is_told_of() -> Result<()> {
    let (ours, theirs) = (Authority::new()?, Authority::new()?);
    let server = ours.issue("localhost")?;
    let collector = start(&server, Some(&theirs))?;
    is_refused(collector, &trusting(&ours), "ertificate")
}

/// A collector with this certificate, which lets in clients of this authority.
fn start(server: &Paths, clients: Option<&Authority>) -> Result<Collector> {
    let clients = clients.map(|authority| authority.certificate().as_path());
    Collector::start_secure(&server.certificate, &server.key, clients)
}

fn trusting(authority: &Authority) -> Environment<'_> {
    vec![(AUTHORITY, authority.certificate().as_os_str())]
}

fn presenting<'a>(client: &'a Paths, trusted: &'a Authority) -> Environment<'a> {
    let mut environment = trusting(trusted);
    environment.push((CERTIFICATE, client.certificate.as_os_str()));
    environment.push((KEY, client.key.as_os_str()));
    environment
}

fn is_collected(collector: Collector, environment: &Environment<'_>) -> Result<()> {
    let traced = trace(&collector, environment, None)?;
    let collected = collector.stop()?;
    ensure!(
        collected == traced.spans,
        "{} collected of {}",
        collected.len(),
        traced.spans.len()
    );
    ensure!(traced.account()?.exported == SPANS, "{}", traced.log);
    Ok(())
}

/// It is warned of once, with the reason; the other output has all, and the
/// account says what this one lost.
fn is_refused(collector: Collector, environment: &Environment<'_>, reason: &str) -> Result<()> {
    let warning = format!("wirespan: warn: {} takes no spans", collector.url());
    let traced = trace(&collector, environment, Some(&warning))?;
    let collected = collector.stop()?;
    ensure!(collected.is_empty(), "{} collected", collected.len());
    let mut warnings = traced.log.lines().filter(|line| line.contains(&warning));
    let said = warnings.next().context("no warning")?;
    ensure!(said.contains(reason), "it does not say why: {said}");
    ensure!(warnings.next().is_none(), "said again: {}", traced.log);
    let lines = traced.account()?.lines;
    let line = |words: &str| lines.get(words).copied();
    ensure!(
        line("json exported") == Some(SPANS)
            && line("otlp exported") == Some(0)
            && line("otlp lost, unsent") == Some(SPANS),
        "{}",
        traced.log
    );
    Ok(())
}

/// Traces a load, and waits for `said` before the agent is stopped.
fn trace(
    collector: &Collector,
    environment: &Environment<'_>,
    said: Option<&str>,
) -> Result<Traced> {
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let port = nginx.port().to_string();
    let arguments = ["--port", &port, "--otlp", &collector.url()];
    let mut agent = Agent::run_in(&arguments, environment)?;
    Load {
        port: nginx.port(),
        count: COUNT,
        ..Load::default()
    }
    .run()?;
    if let Some(said) = said {
        agent.wait_for(said, LIMIT)?;
    }
    let traced = agent.stop()?;
    ensure!(
        traced.spans.len() as u64 == SPANS,
        "{} spans",
        traced.spans.len()
    );
    Ok(traced)
}
