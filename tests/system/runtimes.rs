//! Servers of several runtimes: each request is one SERVER span with its method
//! and status.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::http;
use wirespan_tests::server::{Runtime, Server};
use wirespan_tests::span::Kind;

const REQUESTS: &[(&str, &str, u16)] = &[
    ("GET", "/", 200),
    ("GET", "/status/204", 204),
    ("HEAD", "/head", 200),
    ("POST", "/status/201", 201),
    ("PUT", "/put", 200),
    ("PATCH", "/patch", 200),
    ("DELETE", "/status/404", 404),
    ("GET", "/status/500", 500),
    ("POST", "/status/503", 503),
];

#[test]
fn python() -> Result<()> {
    seen(Runtime::Python)
}

#[test]
fn node() -> Result<()> {
    seen(Runtime::Node)
}

#[test]
fn go() -> Result<()> {
    seen(Runtime::Go)
}

#[test]
fn java() -> Result<()> {
    seen(Runtime::Java)
}

fn seen(runtime: Runtime) -> Result<()> {
    let server = Server::start(runtime)?;
    let agent = Agent::run(&["--port", &server.port().to_string()])?;
    for (method, path, expected) in REQUESTS {
        let body: &[u8] = if matches!(*method, "GET" | "HEAD") {
            b""
        } else {
            b"some body"
        };
        let status = http::request(server.port(), method, path, body)
            .with_context(|| format!("{method} {path}"))?;
        ensure!(status == *expected, "{method} {path} gave {status}");
    }
    let traced = agent.stop()?;
    traced.account()?;
    for kind in [Kind::Server, Kind::Client] {
        let mut found: BTreeMap<(&str, &str, u16), usize> = BTreeMap::new();
        for span in traced.spans.iter().filter(|span| span.kind == kind) {
            let status = span.status_code().with_context(|| format!("{span:#?}"))?;
            *found
                .entry((span.method(), span.path(), status))
                .or_default() += 1;
        }
        let expected: BTreeMap<_, _> = REQUESTS.iter().map(|&request| (request, 1)).collect();
        assert_eq!(found, expected, "{kind:?} spans of {runtime:?}");
    }
    let servers = traced.spans.iter().filter(|span| span.kind == Kind::Server);
    for span in servers {
        let name = span.service();
        ensure!(
            name.eq_ignore_ascii_case("backend"),
            "the service is called {name:?}"
        );
        let error = span.status_code().is_some_and(|status| status >= 500);
        ensure!((span.status == 2) == error, "status of {span:#?}");
    }
    Ok(())
}
