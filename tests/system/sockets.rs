//! Every way that bytes go through a socket: all calls, both address families,
//! split anywhere, and on a connection older than the agent.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::{Agent, Traced};
use wirespan_tests::http::{Family, Pair};
use wirespan_tests::span::Kind;
use wirespan_tests::{place, port};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn all_calls() -> Result<()> {
    let port = port::free().to_string();
    let agent = Agent::run(&["--port", &port])?;
    let output = Command::new("python3")
        .arg(place::servers().join("calls.py"))
        .arg(&port)
        .output()
        .context("starting python3")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let traced = agent.stop()?;
    let output = String::from_utf8(output.stdout)?;
    let paths: Vec<_> = output.lines().collect();
    ensure!(paths.len() == 7 * 7, "{} exchanges", paths.len());
    once_at_both_ends(&traced, &paths)?;
    for span in &traced.spans {
        let size = span.get("http.response.body.size");
        ensure!(size == "100000", "body of {size:?}: {span:#?}");
    }
    Ok(())
}

#[test]
fn both_address_families() -> Result<()> {
    for family in [Family::V4, Family::V6, Family::V4Mapped] {
        let mut pair = Pair::connect(family)?;
        let agent = Agent::run(&["--port", &pair.port()?.to_string()])?;
        pair.exchange(&[&request("/family")], &[RESPONSE])?;
        let traced = agent.stop()?;
        once_at_both_ends(&traced, &["/family"]).with_context(|| format!("{family:?}"))?;
        for span in &traced.spans {
            let address = span.get("network.peer.address");
            let expected = if family == Family::V6 {
                "::1"
            } else {
                "127.0.0.1"
            };
            ensure!(address == expected, "{family:?}: peer {address:?}");
        }
    }
    Ok(())
}

#[test]
fn a_head_split_at_every_byte() -> Result<()> {
    let mut pair = Pair::connect(Family::V4)?;
    let agent = Agent::run(&["--port", &pair.port()?.to_string()])?;
    let mut paths = Vec::new();
    for split in 1..request("/split/000").len() {
        let path = format!("/split/{split:03}");
        let request = request(&path);
        let (first, second) = request.split_at(split);
        let (third, fourth) = RESPONSE.split_at(split.min(RESPONSE.len() - 1));
        pair.exchange(&[first, second], &[third, fourth])?;
        paths.push(path);
    }
    let bytes = request("/split/all");
    let request: Vec<_> = bytes.chunks(1).collect();
    let response: Vec<_> = RESPONSE.chunks(1).collect();
    pair.exchange(&request, &response)?;
    paths.push("/split/all".to_owned());
    let traced = agent.stop()?;
    once_at_both_ends(&traced, &paths)
}

#[test]
fn a_connection_older_than_the_agent() -> Result<()> {
    let mut pair = Pair::connect(Family::V4)?;
    for _ in 0..3 {
        pair.exchange(&[&request("/before")], &[RESPONSE])?;
    }
    let agent = Agent::run(&["--port", &pair.port()?.to_string()])?;
    let paths = ["/after/1", "/after/2", "/after/3"];
    for path in paths {
        pair.exchange(&[&request(path)], &[RESPONSE])?;
    }
    once_at_both_ends(&agent.stop()?, &paths)
}

/// Between the two halves of a request, and between a request and its response.
#[test]
fn an_agent_that_comes_in_the_middle_of_an_exchange() -> Result<()> {
    let mut pair = Pair::connect(Family::V4)?;
    let port = pair.port()?.to_string();
    let first = request("/unseen");
    pair.exchange(&[&first[..10]], &[])?;
    let agent = Agent::run(&["--port", &port])?;
    pair.exchange(&[&first[10..]], &[RESPONSE])?;
    pair.exchange(&[&request("/seen")], &[RESPONSE])?;
    let traced = agent.stop()?;
    let found: Vec<_> = traced
        .spans
        .iter()
        .filter(|span| span.path() == "/seen")
        .collect();
    ensure!(found.len() == 2, "{:#?}", traced.spans);
    let invented = traced.spans.iter().find(|span| span.path() != "/seen");
    ensure!(invented.is_none(), "{invented:#?}");
    Ok(())
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").into_bytes()
}

/// Each path has one CLIENT and one SERVER span with status 200, linked across
/// the wire, and there is nothing else.
fn once_at_both_ends<P: AsRef<str>>(traced: &Traced, paths: &[P]) -> Result<()> {
    let account = traced.account()?;
    let mut by_path: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for span in &traced.spans {
        by_path.entry(span.path()).or_default().push(span);
    }
    for path in paths {
        let path = path.as_ref();
        let spans = by_path.remove(path).unwrap_or_default();
        let of = |kind| spans.iter().find(|span| span.kind == kind);
        let (Some(client), Some(server), 2) = (of(Kind::Client), of(Kind::Server), spans.len())
        else {
            let kinds: Vec<_> = spans.iter().map(|span| span.kind).collect();
            anyhow::bail!("{path} has {kinds:?}; the account is {account:#?}");
        };
        ensure!(
            server.parent == client.span_id,
            "{path}: {client:#?} {server:#?}"
        );
        for span in spans {
            ensure!(span.status_code() == Some(200), "{span:#?}");
        }
    }
    ensure!(by_path.is_empty(), "spans of {:?} too", by_path.keys());
    Ok(())
}
