//! A ring buffer much too small: what is lost is counted, nothing is invented,
//! and when it is calm again nothing is lost any more.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use wirespan_tests::agent::Agent;
use wirespan_tests::http;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::span::Span;

use crate::chain;

const BURST: u32 = 20_000;
const CALM: u32 = 200;
/// Between two calm requests: the agent has time to read what each one gave.
const PACE: Duration = Duration::from_millis(5);

#[test]
fn what_is_lost_is_counted_and_nothing_is_invented() -> Result<()> {
    let nginx = Nginx::start(1, &Task::Answer(100))?;
    let port = nginx.port().to_string();
    // Sixteen pages: some hundreds of events.
    let agent = Agent::run(&["--port", &port, "--ring-bytes", "65536"])?;
    let load = Load {
        port: nginx.port(),
        ..Load::default()
    };
    Load {
        prefix: "/burst",
        count: BURST,
        connections: 64,
        ..load
    }
    .run()?;
    sleep(Duration::from_secs(1));
    for id in 1..=CALM {
        let status = http::request(nginx.port(), "GET", &format!("/calm/{id}"), b"")?;
        ensure!(status == 200, "status {status}");
        sleep(PACE);
    }
    let traced = agent.stop()?;

    let account = traced.account()?;
    let lost = account.lines.get("events lost: ring full").copied();
    ensure!(lost.unwrap_or(0) > 0, "nothing was lost: {account:#?}");
    chain::unique(&traced.spans)?;
    let sent: BTreeSet<_> = (1..=BURST)
        .map(|id| format!("/burst/{id}"))
        .chain((1..=CALM).map(|id| format!("/calm/{id}")))
        .collect();
    for span in &traced.spans {
        ensure!(sent.contains(span.path()), "invented: {span:#?}");
        let whole = span.status_code().is_none_or(|status| status == 200);
        ensure!(whole && span.method() == "GET", "invented: {span:#?}");
        ensure!(whole_or_marked(span), "told as if whole: {span:#?}");
    }
    // An event that was lost costs the exchange it is of, and at most the one
    // before it.
    let complete = traced
        .spans
        .iter()
        .filter(|span| span.status_code().is_some());
    let (complete, sent) = (complete.count() as u64, sent.len() as u64 * 2);
    ensure!(
        complete + 2 * lost.unwrap_or(0) >= sent,
        "{complete} of {sent}: more is missing than was counted: {account:#?}"
    );
    let calm = traced
        .spans
        .iter()
        .filter(|span| span.path().starts_with("/calm/") && span.status_code() == Some(200));
    let calm = calm.count();
    ensure!(
        calm == CALM as usize * 2,
        "{calm} spans when calm, not {}",
        CALM * 2
    );
    Ok(())
}

/// A span without a status says that something of it was not seen.
fn whole_or_marked(span: &Span) -> bool {
    let mark = |key: &String| key.starts_with("wirespan.capture.") || key == "error.type";
    span.status_code().is_some() || span.attributes.keys().any(mark)
}
