//! The harness itself: the load is exact, and every server answers.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};

#[test]
fn a_load_is_exact_through_a_proxy() -> Result<()> {
    for close in [false, true] {
        let backend = Server::start(Runtime::PythonTwoProcesses)?;
        let nginx = Nginx::start(1, &Task::ProxyKeepAlive(backend.port()))?;
        let start = Instant::now();
        Load {
            port: nginx.port(),
            close,
            ..Load::default()
        }
        .run()?;
        println!("1000 requests, close: {close}: {:?}", start.elapsed());
        let accesses = nginx.accesses()?;
        assert_eq!(accesses.len(), 1000);
        let targets: BTreeSet<_> = accesses.into_iter().map(|access| access.target).collect();
        let expected: BTreeSet<_> = (1..=1000).map(|id| format!("/r/{id}")).collect();
        assert!(targets == expected, "not each id once");
    }
    Ok(())
}

#[test]
fn every_runtime_starts() -> Result<()> {
    for runtime in Runtime::ALL {
        let server = Server::start(runtime)?;
        Load {
            port: server.port(),
            count: 20,
            connections: 2,
            ..Load::default()
        }
        .run()?;
    }
    Ok(())
}
