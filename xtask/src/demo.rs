//! `cargo xtask demo`: a small shop of services that nobody instrumented, a few
//! requests, and the traces that wirespan made of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use signal_hook::consts::SIGINT;
use wirespan_tests::child::Child;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::{place, port};

use crate::{build, run, setup};

/// How to run the demo.
#[derive(Args)]
pub(crate) struct Options {
    /// Leave everything running until Ctrl-C, for requests of your own
    #[arg(long)]
    keep: bool,
}

const INTRODUCTION: &str = "
A small shop, started on this machine:

    curl ─ nginx ─ shop (Python) ┬─ stock (Node) ── warehouse (Python)
                                 ├─ prices (Python)
                                 └─ payments (Python; it fails today)

None of these programs knows of tracing: no library, no header passed on. wirespan
watches their sockets from inside the kernel and finds out by itself which request
caused which.
";

const LEGEND: &str = "
Three requests follow, and what wirespan sees of them. Each block is one trace: all that
one request set off, across processes. A line is one side of one HTTP exchange: the service,
what it served (or, behind an arrow, what it asked another one for), when and for how long
(the bar, on the trace's own time axis: █ at work, ▒ waiting for an answer), and the
status. What it caused stands below it, indented; at the end of the line, where it could
not be seen on the wire, by which kind of evidence that is known, and how surely.
";

const READY: Duration = Duration::from_secs(30);

/// Sets up, builds, starts, calls, shows and stops everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::to_demonstrate()?;
    build::agent()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;

    println!("{INTRODUCTION}");
    let directory = tempfile::tempdir()?;
    let shop = Shop::start(directory.path())?;
    let mut agent = start_agent(directory.path())?;
    println!("{LEGEND}");
    call(shop.nginx.port())?;
    if options.keep {
        let url = format!("http://127.0.0.1:{}", shop.nginx.port());
        println!("\nStill running. Try `curl {url}/product/8`; Ctrl-C ends it.");
        println!("A trace is shown once it has been quiet for some seconds.\n");
        while !interrupted.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(100));
        }
    }
    let status = agent.stop()?;
    let log = agent.log()?;
    ensure!(status.success(), "wirespan ended with {status}:\n{log}");
    conclude(&log);
    Ok(())
}

/// The services. Dropped, they stop.
struct Shop {
    nginx: Nginx,
    _services: Vec<Child>,
}

impl Shop {
    fn start(directory: &Path) -> Result<Self> {
        let [shop, stock, warehouse, prices, payments] = std::array::from_fn(|_| port::free());
        let ports = [
            ("STOCK_PORT", stock),
            ("WAREHOUSE_PORT", warehouse),
            ("PRICES_PORT", prices),
            ("PAYMENTS_PORT", payments),
        ];
        let mut services = Vec::new();
        for (program, source, name, port) in [
            ("python3", "simple.py", "warehouse.py", warehouse),
            ("python3", "simple.py", "prices.py", prices),
            ("python3", "simple.py", "payments.py", payments),
            ("node", "stock.mjs", "stock.mjs", stock),
            ("python3", "shop.py", "shop.py", shop),
        ] {
            let script = directory.join(name);
            fs::copy(place::root().join("xtask/demo").join(source), &script)?;
            let mut command = Command::new(program);
            command.arg(&script).arg(port.to_string());
            command.envs(ports.map(|(name, port)| (name, port.to_string())));
            services.push(Child::start(
                name,
                &command,
                &directory.join(format!("{name}.log")),
            )?);
        }
        for port in [warehouse, prices, payments, stock, shop] {
            port::wait(port, READY)?;
        }
        let nginx = Nginx::start(1, &Task::Proxy(shop))?;
        Ok(Self {
            nginx,
            _services: services,
        })
    }
}

/// `wirespan run --print`, for this process's children only: the shop, and curl.
fn start_agent(directory: &Path) -> Result<Child> {
    let mut command = Command::new(place::wirespan());
    command.args(["run", "--no-state", "--print", "--pid"]);
    command.arg(std::process::id().to_string());
    let log = directory.join("wirespan.log");
    let mut agent = Child::start_with_output("wirespan", &command, Stdio::inherit(), &log)?;
    agent
        .wait_for("wirespan: tracing", READY)
        .context("tracing needs root and BPF; `target/release/wirespan doctor` tells more")?;
    Ok(agent)
}

fn call(port: u16) -> Result<()> {
    for (path, body) in [
        ("/product/7", None),
        ("/product/7", None),
        ("/order", Some("{\"product\": 7}")),
    ] {
        let url = format!("http://127.0.0.1:{port}{path}");
        let mut curl = run::command("curl", &["--silent", "--max-time", "10"]);
        if let Some(body) = body {
            curl.args(["--data", body]);
        }
        let answer = run::read(curl.arg(&url))?;
        let data = body.map_or_else(String::new, |body| format!("--data '{body}' "));
        println!("$ curl {data}{url}\n{}", answer.trim_end());
        // So that one is over before the next.
        sleep(Duration::from_millis(300));
    }
    println!();
    Ok(())
}

/// The account, and where to go from here.
fn conclude(log: &str) {
    let account = log.rfind("wirespan: account").map_or(log, |at| &log[at..]);
    println!(
        "\n{account}
That is wirespan's account of itself: every request it saw became a span or is listed
here with the reason why not.

On your own services:   sudo target/release/wirespan run
To a collector:         sudo target/release/wirespan run --otlp http://localhost:4317
What this kernel can:   sudo target/release/wirespan doctor"
    );
}
