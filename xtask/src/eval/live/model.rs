//! The servers of the zoo, each with the way to start it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use wirespan_tests::child::Child;
use wirespan_tests::{place, port};

use super::graph::Graph;
use super::leaf::Leaf;

/// From start to the first accepted connection.
const READY: Duration = Duration::from_secs(30);

/// One kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Model {
    /// Python: a thread for each connection.
    PythonThreads,
    /// Python: the same, with parallel calls on a pool of threads.
    PythonFutures,
    /// gunicorn: four processes, one request at a time each.
    GunicornSync,
    /// gunicorn: two processes with eight threads each.
    GunicornThreads,
    /// Ruby: Puma with eight threads.
    Puma,
    /// Java: handlers on one pool, calls on another.
    JavaPools,
    /// Java: handlers on a pool, the JDK's `HttpClient`.
    JavaClient,
    /// Java: a virtual thread for each request.
    JavaVirtual,
    /// Go: net/http with its default transport.
    Go,
    /// Go: the same, calls made by workers behind a channel.
    GoWorkers,
    /// Rust: axum and reqwest on tokio.
    Tokio,
    /// Python: aiohttp on asyncio.
    Asyncio,
    /// Node's http with an agent of few sockets.
    Node,
    /// nginx as a reverse proxy with upstream keep-alive.
    Nginx,
    /// `HAProxy` as a reverse proxy with upstream keep-alive.
    Haproxy,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Its process id; its children belong to it.
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The port it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Model {
    /// As on the command line.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Models of one kind have much the same evidence.
    pub(super) fn group(self) -> &'static str {
        match self {
            Self::PythonThreads
            | Self::PythonFutures
            | Self::GunicornSync
            | Self::GunicornThreads
            | Self::Puma => "threads",
            Self::JavaPools | Self::JavaClient | Self::JavaVirtual => "jvm",
            Self::Go | Self::GoWorkers => "go",
            Self::Tokio => "tokio",
            Self::Asyncio => "asyncio",
            Self::Node => "node",
            Self::Nginx | Self::Haproxy => "proxies",
        }
    }

    /// Whether it passes requests on instead of following a plan.
    pub(super) fn is_proxy(self) -> bool {
        matches!(self, Self::Nginx | Self::Haproxy)
    }

    /// Starts it; `directory` is empty and its own.
    pub(super) fn start(self, graph: &Graph, leaves: &[&Leaf], directory: &Path) -> Result<Server> {
        let port = port::free();
        let mut command = self.command(port, leaves, directory)?;
        command
            .envs(graph.environment())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(directory);
        let child = Child::start(&self.name(), &command, &directory.join("log"))?;
        port::wait(port, READY)
            .with_context(|| format!("{self:?} wrote: {}", child.log().unwrap_or_default()))?;
        Ok(Server { child, port })
    }

    fn command(self, port: u16, leaves: &[&Leaf], directory: &Path) -> Result<Command> {
        let zoo = place::root().join("tests/zoo");
        let tools = place::tools().join("zoo");
        let python = |program: &str| Command::new(tools.join("python/bin").join(program));
        let port_text = port.to_string();
        let port = port_text.as_str();
        Ok(match self {
            Self::PythonThreads => {
                with(python("python"), &[&path(&zoo, "python/threads.py"), port])
            }
            Self::PythonFutures => with(
                python("python"),
                &[&path(&zoo, "python/threads.py"), port, "futures"],
            ),
            Self::Asyncio => with(python("python"), &[&path(&zoo, "python/loop.py"), port]),
            Self::GunicornSync => gunicorn(python("gunicorn"), &zoo, port, &["--workers=4"]),
            Self::GunicornThreads => gunicorn(
                python("gunicorn"),
                &zoo,
                port,
                &["--workers=2", "--threads=8", "--worker-class=gthread"],
            ),
            Self::Puma => {
                let listen = format!("--bind=tcp://127.0.0.1:{port}");
                let rackup = path(&zoo, "ruby/config.ru");
                let puma = Command::new("puma");
                with(
                    puma,
                    &[
                        &listen,
                        "--threads=8:8",
                        "--environment=production",
                        &rackup,
                    ],
                )
            }
            Self::JavaPools => java("java".into(), &tools, port, "pools"),
            Self::JavaClient => java("java".into(), &tools, port, "client"),
            Self::JavaVirtual => java(
                super::install::java_with_virtual_threads()?,
                &tools,
                port,
                "virtual",
            ),
            Self::Go => with(Command::new(tools.join("go")), &[port]),
            Self::GoWorkers => with(Command::new(tools.join("go")), &[port, "workers"]),
            Self::Tokio => with(Command::new(tools.join("rust/release/zoo")), &[port]),
            Self::Node => with(
                Command::new("node"),
                &[&path(&zoo, "node/server.mjs"), port],
            ),
            Self::Nginx => {
                let config = configure(&zoo.join("proxy/nginx.conf"), directory, port, leaves)?;
                with(
                    Command::new("nginx"),
                    &["-p", &path(directory, ""), "-c", &config, "-e", "stderr"],
                )
            }
            Self::Haproxy => {
                let config = configure(&zoo.join("proxy/haproxy.cfg"), directory, port, leaves)?;
                with(Command::new("haproxy"), &["-db", "-f", &config])
            }
        })
    }
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

fn gunicorn(command: Command, zoo: &Path, port: &str, arguments: &[&str]) -> Command {
    let directory = format!("--chdir={}", zoo.join("python").display());
    let bind = format!("--bind=127.0.0.1:{port}");
    let mut command = with(command, &[&directory, &bind, "--backlog=1024"]);
    command.args(arguments).arg("wsgi:application");
    command
}

fn java(program: std::path::PathBuf, tools: &Path, port: &str, mode: &str) -> Command {
    let classes = path(tools, "java");
    with(
        Command::new(program),
        &[
            "-XX:TieredStopAtLevel=1",
            "-Xmx256m",
            // Its answers are two writes: without this, the second waits 40 ms.
            "-Dsun.net.httpserver.nodelay=true",
            "-cp",
            &classes,
            "Zoo",
            port,
            mode,
        ],
    )
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

/// Fills in a proxy's configuration.
fn configure(source: &Path, directory: &Path, port: &str, leaves: &[&Leaf]) -> Result<String> {
    let mut text = fs::read_to_string(source)
        .with_context(|| format!("reading {}", source.display()))?
        .replace("@PORT@", port);
    for (name, leaf) in ["@FIRST@", "@SECOND@"].iter().zip(leaves) {
        text = text.replace(name, &leaf.port().to_string());
    }
    let config = directory.join("config");
    fs::write(&config, text)?;
    Ok(config.display().to_string())
}
