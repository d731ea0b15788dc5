//! Differential tests: implementations of HTTP talk to each other under wirespan,
//! and what each says that it sent and received is the truth.
//!
//! For each exchange at each end there is one span, with the method, target,
//! version, status and body sizes that this end's own record tells; those of one
//! connection are in its order, and each server's span hangs on its client's.

mod peers;
mod plan;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::agent::Agent;
use wirespan_tests::span::{Kind, Span};

use peers::{Peer, Server, Workshop};
use plan::{Abilities, Random, plan};

/// Connections from each client to each server.
const CONNECTIONS: usize = 12;
/// Any will do; a fixed one finds the same thing again.
const SEED: u64 = 9112;

/// From so many bytes on, less than all of a call is copied: the size of a chunked
/// body may then not be known, and the span must say so.
const COPIED: u64 = 60_000;

/// What one end of an exchange must be seen to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    method: String,
    path: String,
    query: String,
    version: String,
    status: Option<u64>,
    request_body: u64,
    response_body: u64,
}

#[test]
fn h11_node_and_go_with_each_other() -> Result<()> {
    let seed = std::env::var("SEED").ok();
    let seed = seed.map_or(Ok(SEED), |seed| seed.parse())?;
    let workshop = Workshop::new()?;
    let servers = Peer::ALL.map(|peer| (peer, workshop.serve(peer)));
    let servers = servers
        .into_iter()
        .map(|(peer, server)| Ok((peer, server?)))
        .collect::<Result<Vec<_>>>()?;
    let ports: Vec<_> = servers
        .iter()
        .map(|(_, server)| server.port.to_string())
        .collect();
    let agent = Agent::run(&["--query", "keep", "--port", &ports.join(",")])?;
    let clients = talk(&workshop, &servers, seed)?;
    let traced = agent.stop()?;
    traced.account()?;

    let mut truth = clients.clone();
    for (_, server) in &servers {
        truth.extend(server.record()?);
    }
    let context = || format!("with SEED={seed}\n{}", traced.log);
    compare(&truth, &traced.spans).with_context(context)?;
    check_order(&clients, &traced.spans).with_context(context)
}

/// Every client calls every server; returns what the clients recorded.
fn talk(workshop: &Workshop, servers: &[(Peer, Server)], seed: u64) -> Result<Vec<Value>> {
    let mut random = Random(seed);
    let mut records = Vec::new();
    for client in Peer::ALL {
        for (server, running) in servers {
            let name = format!("{}-{}", client.name(), server.name());
            let can = Abilities {
                raw: client == Peer::H11,
                spaces: client != Peer::Node && *server != Peer::Node,
            };
            let plan = plan(&mut random, &name, CONNECTIONS, can);
            let record = workshop.call(client, running.port, &plan)?;
            let planned: usize = plan
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|connection| Some(connection["exchanges"].as_array()?.len()))
                .sum();
            ensure!(
                record.len() == planned,
                "{name}: {} of {planned}",
                record.len()
            );
            records.extend(record);
        }
    }
    Ok(records)
}

/// Each end of each exchange once, and as its own end recorded it.
fn compare(truth: &[Value], spans: &[Span]) -> Result<()> {
    let mut found: BTreeMap<(Kind, String), Vec<&Span>> = BTreeMap::new();
    for span in spans {
        found
            .entry((span.kind, span.path().to_owned()))
            .or_default()
            .push(span);
    }
    let mut differences = String::new();
    for line in truth {
        let expected = Facts::recorded(line)?;
        let key = (kind(line), expected.path.clone());
        match found.remove(&key).as_deref() {
            Some([span]) => {
                let seen = Facts::seen(span);
                if seen != expected && !seen.is_honest_about(&expected, span) {
                    writeln!(differences, "{key:?}\n  is   {expected:?}\n  seen {seen:?}")?;
                    let marks = span.attributes.iter();
                    for mark in marks.filter(|(key, _)| key.starts_with("wirespan.")) {
                        writeln!(differences, "  {mark:?}")?;
                    }
                }
            }
            Some(several) => writeln!(differences, "{key:?} {} times", several.len())?,
            None => writeln!(differences, "{key:?} not seen: {line}")?,
        }
    }
    for span in found.into_values().flatten() {
        writeln!(differences, "invented: {span:?}")?;
    }
    let count = differences.lines().count();
    ensure!(
        differences.is_empty(),
        "{count} lines of differences:\n{differences}"
    );
    Ok(())
}

/// In the order of the connection at the client, and each server's span the
/// child of the client's.
fn check_order(clients: &[Value], spans: &[Span]) -> Result<()> {
    let by_path = |kind| -> BTreeMap<_, _> {
        let of_kind = spans.iter().filter(|span| span.kind == kind);
        of_kind.map(|span| (span.path(), span)).collect()
    };
    let (calls, served) = (by_path(Kind::Client), by_path(Kind::Server));
    let path = |line: &Value| Ok::<_, anyhow::Error>(Facts::recorded(line)?.path);
    for line in clients {
        let path = path(line)?;
        let (call, served) = (calls[&*path], served[&*path]);
        ensure!(
            served.parent == call.span_id,
            "{served:?}\n is not under {call:?}"
        );
        ensure!(served.get("wirespan.causality.method") == "same_connection");
        ensure!(
            call.start <= served.start && served.end <= call.end,
            "{call:?}\n{served:?}"
        );
    }
    for pair in clients.windows(2) {
        let (first, second) = (path(&pair[0])?, path(&pair[1])?);
        // A client writes its record in the order of its connections.
        let one = first.split('/').nth(1) == second.split('/').nth(1)
            && pair[0]["connection"] == pair[1]["connection"];
        let (first, second) = (calls[&*first], calls[&*second]);
        if one {
            ensure!(
                first.start <= second.start && first.end <= second.end,
                "{pair:?}"
            );
        }
    }
    Ok(())
}

fn kind(line: &Value) -> Kind {
    match line["side"].as_str() {
        Some("server") => Kind::Server,
        _ => Kind::Client,
    }
}

impl Facts {
    fn recorded(line: &Value) -> Result<Self> {
        let text = |key: &str| {
            let value = line[key].as_str();
            value
                .map(str::to_owned)
                .with_context(|| format!("{key} in {line}"))
        };
        let size = |key: &str| {
            line[key]
                .as_u64()
                .with_context(|| format!("{key} in {line}"))
        };
        let target = text("target")?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(Self {
            method: text("method")?,
            path: path.to_owned(),
            query: query.to_owned(),
            version: text("version")?,
            status: Some(size("status")?),
            request_body: size("request_body")?,
            response_body: size("response_body")?,
        })
    }

    /// The same but for the size of a body of which not all was copied, and the
    /// span says so.
    fn is_honest_about(&self, expected: &Self, span: &Span) -> bool {
        let honest = |told: u64, size: u64| told == size || told == 0 && size >= COPIED;
        let with_these_sizes = Self {
            request_body: self.request_body,
            response_body: self.response_body,
            ..expected.clone()
        };
        span.get("wirespan.capture.body_size_unknown") == "true"
            && *self == with_these_sizes
            && honest(self.request_body, expected.request_body)
            && honest(self.response_body, expected.response_body)
    }

    fn seen(span: &Span) -> Self {
        // Left out where it is 0.
        let size = |key| span.get(key).parse().unwrap_or(0);
        Self {
            method: span.method().to_owned(),
            path: span.path().to_owned(),
            query: span.get("url.query").to_owned(),
            version: span.get("network.protocol.version").to_owned(),
            status: span.status_code().map(u64::from),
            request_body: size("http.request.body.size"),
            response_body: size("http.response.body.size"),
        }
    }
}
