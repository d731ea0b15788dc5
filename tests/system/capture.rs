//! What a packet capture gives is what a live run sees and what tshark reads in
//! the same packets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wirespan_tests::agent::{self, Agent, Traced};
use wirespan_tests::child::Child;
use wirespan_tests::load::Load;
use wirespan_tests::nginx::{Nginx, Task};
use wirespan_tests::server::{Runtime, Server};
use wirespan_tests::span::{self, Kind, Span};
use wirespan_tests::{place, wait};

const LIMIT: Duration = Duration::from_secs(30);
/// A tcpdump that has written nothing for so long has written all there was: the
/// kernel gives it what there is at least every second.
const QUIET: Duration = Duration::from_secs(2);

/// One exchange: method, path, status, and the sizes of the bodies, which are
/// empty where they are not told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    method: String,
    path: String,
    status: Option<u16>,
    sizes: [String; 2],
}

/// The exchanges of each connection in their order, by the server's and the
/// client's port.
type Connections = BTreeMap<(u16, u16), Vec<Seen>>;

#[test]
fn live_and_captured_and_by_tshark() -> Result<()> {
    let servers = Servers::start()?;
    let capture = Capture::start(&servers, &["-i", "lo"])?;
    let agent = Agent::run(&["--port", &servers.ports()])?;
    servers.talk("127.0.0.1")?;
    let live = connections(&agent.stop()?)?;
    let file = capture.stop()?;
    let captured = connections(&agent::replay(&file.path)?)?;
    let read = tshark(&file.path, &servers)?;
    println!(
        "connections, exchanges: live {}, captured {}, tshark {}",
        figures(&live),
        figures(&captured),
        figures(&read)
    );
    same("live", &live, "captured", &captured)?;
    let without_sizes = without_sizes(&captured);
    same("captured", &without_sizes, "tshark", &read)
}

#[test]
fn from_a_pipe_as_it_is_captured() -> Result<()> {
    let servers = Servers::start()?;
    let directory = tempfile::tempdir()?;
    let mut replay = Command::new(place::wirespan())
        .args(["replay", "-", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(File::create(directory.path().join("spans"))?)
        .stderr(File::create(directory.path().join("replay.log"))?)
        .spawn()
        .context("starting wirespan replay")?;
    let pipe = replay.stdin.take().context("standard input")?;
    let mut command = tcpdump(&servers, &["-i", "lo"]);
    command.args(["-w", "-"]);
    let log = directory.path().join("tcpdump.log");
    let mut tcpdump = Child::start_with_output("tcpdump", &command, pipe.into(), &log)?;
    tcpdump.wait_for("listening on", LIMIT)?;
    servers.talk("127.0.0.1")?;
    stop(&mut tcpdump)?;
    let ended = wait::until(
        LIMIT,
        "wirespan replay has ended",
        || Ok(replay.try_wait()?),
    );
    if ended.is_err() {
        replay.kill()?;
    }
    let log = fs::read_to_string(directory.path().join("replay.log"))?;
    ensure!(ended?.success(), "wirespan replay wrote:\n{log}");
    let spans = span::parse(&fs::read_to_string(directory.path().join("spans"))?)?;
    servers.check(&connections(&Traced { spans, log })?)
}

#[test]
fn of_all_interfaces_and_compressed() -> Result<()> {
    let servers = Servers::start()?;
    let capture = Capture::start(&servers, &["-i", "any", "-y", "LINUX_SLL2"])?;
    servers.talk("127.0.0.1")?;
    let file = capture.stop()?;
    let plain = connections(&agent::replay(&file.path)?)?;
    servers.check(&plain)?;
    let status = Command::new("gzip").arg(&file.path).status()?;
    ensure!(status.success(), "gzip: {status}");
    let mut zipped = file.path.clone().into_os_string();
    zipped.push(".gz");
    let unpacked = connections(&agent::replay(Path::new(&zipped))?)?;
    same("plain", &plain, "compressed", &unpacked)
}

#[test]
fn over_ipv6() -> Result<()> {
    let servers = Servers::start()?;
    let capture = Capture::start(&servers, &["-i", "lo"])?;
    curl("[::1]", servers.nginx.port())?;
    let file = capture.stop()?;
    let captured = connections(&agent::replay(&file.path)?)?;
    let read = tshark(&file.path, &servers)?;
    same("captured", &without_sizes(&captured), "tshark", &read)
}

/// Only the beginning of each head was captured: what is told is told as
/// incomplete, and true.
#[test]
fn of_short_packets() -> Result<()> {
    let servers = Servers::start()?;
    let whole = Capture::start(&servers, &["-i", "lo"])?;
    let short = Capture::start(&servers, &["-i", "lo", "-s", "96"])?;
    servers.talk("127.0.0.1")?;
    let (whole, short) = (whole.stop()?, short.stop()?);
    let truth = connections(&agent::replay(&whole.path)?)?;
    let cut = agent::replay(&short.path)?;
    let unmarked = cut.spans.iter().find(|span| !is_marked(span));
    ensure!(unmarked.is_none(), "told as if complete: {unmarked:#?}");
    let cut = connections(&cut)?;
    println!("whole {}, short {}", figures(&truth), figures(&cut));
    for (ports, exchanges) in &cut {
        let mut left = truth.get(ports).map_or(&[][..], Vec::as_slice).iter();
        for seen in exchanges {
            let found = left.any(|true_one| {
                let same = (&true_one.method, &true_one.path) == (&seen.method, &seen.path);
                same && (seen.status.is_none() || seen.status == true_one.status)
            });
            ensure!(found, "{ports:?}: {seen:?} is not so, or not in its place");
        }
    }
    Ok(())
}

/// The servers, and what is asked of them.
struct Servers {
    python: Server,
    node: Server,
    nginx: Nginx,
}

/// Requests by `wrk`.
const COUNT: u32 = 1000;

impl Servers {
    fn start() -> Result<Self> {
        let python = Server::start(Runtime::Python)?;
        let node = Server::start(Runtime::Node)?;
        let mut server = String::from("location /same { return 304; }");
        for (path, port) in [("python", python.port()), ("node", node.port())] {
            write!(
                server,
                "location /{path}/ {{ proxy_pass http://127.0.0.1:{port}/; \
                 proxy_http_version 1.1; proxy_set_header Connection \"\"; }}"
            )?;
        }
        server.push_str("location / { return 200 \"here\"; }");
        let nginx = Nginx::start(2, &Task::Custom(&server))?;
        Ok(Self {
            python,
            node,
            nginx,
        })
    }

    fn all(&self) -> [u16; 3] {
        [self.nginx.port(), self.python.port(), self.node.port()]
    }

    fn ports(&self) -> String {
        self.all().map(|port| port.to_string()).join(",")
    }

    /// Every kind of exchange with each of them.
    fn talk(&self, host: &str) -> Result<()> {
        for port in self.all() {
            curl(host, port)?;
        }
        for port in [self.nginx.port(), self.python.port()] {
            Load {
                port,
                count: COUNT,
                ..Load::default()
            }
            .run()?;
        }
        Ok(())
    }

    /// All that was asked for is there, as the access log has it.
    fn check(&self, seen: &Connections) -> Result<()> {
        let of_nginx = |(ports, _): &(&(u16, u16), &Vec<Seen>)| ports.0 == self.nginx.port();
        let exchanges = seen.iter().filter(of_nginx).flat_map(|(_, seen)| seen);
        let mut told: Vec<_> = exchanges
            .map(|seen| (&*seen.method, &*seen.path, seen.status.unwrap_or(0)))
            .collect();
        let accesses = self.nginx.accesses()?;
        let mut logged: Vec<_> = accesses
            .iter()
            .map(|access| (&*access.method, &*access.target, access.status))
            .collect();
        told.sort_unstable();
        logged.sort_unstable();
        ensure!(
            told == logged,
            "{} exchanges, {} logged",
            told.len(),
            logged.len()
        );
        let count = |port| -> usize {
            let of_port = seen.iter().filter(|(ports, _)| ports.0 == port);
            of_port.map(|(_, seen)| seen.len()).sum()
        };
        // Those of wrk, eleven of curl, two that nginx passes on for each curl.
        let counts = [self.python.port(), self.node.port()].map(count);
        ensure!(counts == [COUNT as usize + 13, 13], "{counts:?} exchanges");
        Ok(())
    }
}

/// Every kind of request, all over one connection.
fn curl(host: &str, port: u16) -> Result<()> {
    let url = |path: &str| format!("http://{host}:{port}{path}");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30"])
        .args([url("/a"), url("/b"), url("/status/404"), url("/status/500")])
        .args(["--next", "-sS", "-I"])
        .arg(url("/head"))
        .args(["--next", "-sS"])
        .args([url("/same"), url("/node/chunked"), url("/python/c")])
        .args(["--next", "-sS", "-d", &"b".repeat(100)])
        .arg(url("/small"))
        .args(["--next", "-sS", "-d", &"b".repeat(50_000)])
        .args([url("/node/large"), url("/python/large")])
        .stdout(Stdio::null());
    let status = curl.status().context("starting curl")?;
    ensure!(status.success(), "curl: {status}");
    Ok(())
}

/// A running tcpdump.
struct Capture {
    child: Child,
    path: PathBuf,
    directory: TempDir,
}

/// What it wrote.
struct Captured {
    path: PathBuf,
    _directory: TempDir,
}

impl Capture {
    fn start(servers: &Servers, arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("capture.pcap");
        let mut command = tcpdump(servers, arguments);
        command.arg("-w").arg(&path);
        let log = directory.path().join("log");
        let mut child = Child::start("tcpdump", &command, &log)?;
        child.wait_for("listening on", LIMIT)?;
        Ok(Self {
            child,
            path,
            directory,
        })
    }

    fn stop(mut self) -> Result<Captured> {
        stop(&mut self.child)?;
        Ok(Captured {
            path: self.path,
            _directory: self.directory,
        })
    }
}

/// Stops it when it has written all. Fails if it missed any.
fn stop(tcpdump: &mut Child) -> Result<()> {
    wait_for_quiet(tcpdump)?;
    tcpdump.stop()?;
    let log = tcpdump.log()?;
    ensure!(log.contains("\n0 packets dropped by kernel"), "{log}");
    Ok(())
}

fn wait_for_quiet(tcpdump: &Child) -> Result<()> {
    let io = format!("/proc/{}/io", tcpdump.pid());
    let mut before = String::new();
    wait::until(LIMIT, "tcpdump is quiet", || {
        std::thread::sleep(QUIET);
        let text = fs::read_to_string(&io)?;
        let written = text.lines().find(|line| line.starts_with("wchar"));
        let now = written.context("no wchar")?.to_owned();
        let quiet = now == before;
        before = now;
        Ok(quiet.then_some(()))
    })
}

fn tcpdump(servers: &Servers, arguments: &[&str]) -> Command {
    let ports = servers.all().map(|port| format!("tcp port {port}"));
    let mut command = Command::new("tcpdump");
    command
        .args(["-n", "-U", "-B", "65536", "-Z", "root"])
        .args(arguments)
        .arg(ports.join(" or "));
    command
}

/// The exchanges that were told as SERVER spans.
fn connections(traced: &Traced) -> Result<Connections> {
    traced.account()?;
    let mut spans: Vec<_> = traced
        .spans
        .iter()
        .filter(|span| span.kind == Kind::Server)
        .collect();
    spans.sort_by_key(|span| span.start);
    let mut connections = Connections::new();
    for span in spans {
        let port = |key| {
            let text = span.get(key);
            text.parse()
                .with_context(|| format!("{key} {text:?}: {span:#?}"))
        };
        let ports = (port("server.port")?, port("network.peer.port")?);
        connections.entry(ports).or_default().push(Seen {
            method: span.method().to_owned(),
            path: span.path().to_owned(),
            status: span.status_code(),
            sizes: ["request", "response"]
                .map(|which| span.get(&format!("http.{which}.body.size")).to_owned()),
        });
    }
    Ok(connections)
}

/// The exchanges that tshark reads: the first response of a connection answers
/// its first request, and so on, for no client here pipelines.
fn tshark(file: &Path, servers: &Servers) -> Result<Connections> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file);
    for port in servers.all() {
        command.args(["-d", &format!("tcp.port=={port},http")]);
    }
    command.args(["-Y", "http", "-T", "fields"]);
    for field in [
        "tcp.srcport",
        "tcp.dstport",
        "http.request.method",
        "http.request.uri",
        "http.response.code",
    ] {
        command.args(["-e", field]);
    }
    let output = command.output().context("starting tshark")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tshark: {log}");
    let mut connections = Connections::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let &[from, to, method, uri, code] = fields.as_slice() else {
            anyhow::bail!("tshark wrote {line:?}");
        };
        let (from, to) = (from.parse()?, to.parse()?);
        if code.is_empty() {
            connections.entry((to, from)).or_default().push(Seen {
                method: method.to_owned(),
                path: uri.to_owned(),
                status: None,
                sizes: Default::default(),
            });
        } else {
            let exchanges = connections.entry((from, to)).or_default();
            let open = exchanges.iter_mut().find(|seen| seen.status.is_none());
            let open = open.with_context(|| format!("a response to nothing: {line}"))?;
            // Those below 200 are not the last.
            let status = code.parse()?;
            open.status = (status >= 200).then_some(status);
        }
    }
    Ok(connections)
}

fn is_marked(span: &Span) -> bool {
    span.attributes
        .keys()
        .any(|key| key.starts_with("wirespan.capture."))
}

fn without_sizes(connections: &Connections) -> Connections {
    let mut connections = connections.clone();
    for seen in connections.values_mut().flatten() {
        seen.sizes = Default::default();
    }
    connections
}

fn figures(connections: &Connections) -> String {
    let exchanges: usize = connections.values().map(Vec::len).sum();
    format!("{}, {exchanges}", connections.len())
}

fn same(one: &str, left: &Connections, other: &str, right: &Connections) -> Result<()> {
    ensure!(!left.is_empty(), "{one} saw nothing");
    for ports in left.keys().chain(right.keys()) {
        let (left, right) = (left.get(ports), right.get(ports));
        ensure!(
            left == right,
            "{ports:?}: {one} {left:#?}\n{other} {right:#?}"
        );
    }
    Ok(())
}
