//! Goroutines behind the calls of a real `net/http` server and client.
//!
//! Needs root and Go.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wirespan::probe::{Capture, Config, now};
use wirespan_stitch::event::decode::Decoded;
use wirespan_stitch::event::{Data, Direction, Event, Opened, SocketId, Task};

const CONNECTIONS: usize = 3;
const REQUESTS: usize = 2;
/// How long a new process may take until the agent has looked at it.
const FIRST_SIGHT: Duration = Duration::from_millis(500);

struct Server {
    child: Child,
    front: u16,
    back: u16,
    _directory: TempDir,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("server");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goroutines/main.go");
        let mut build = Command::new("go");
        build.arg("build").args(flags).arg("-o").arg(&program);
        let done = build.arg(source).status().expect("this test needs Go");
        assert!(done.success());
        let mut command = Command::new(program);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line
            .split_whitespace()
            .map(|port| port.parse().unwrap())
            .collect();
        Self {
            child,
            front: ports[0],
            back: ports[1],
            _directory: directory,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Seen {
    data: Vec<Data>,
    opened: Vec<Opened>,
}

impl Seen {
    fn drain(&mut self, capture: &mut Capture) {
        let start = now();
        let mut sink = |decoded| match decoded {
            Decoded::Event(Event::Data(data)) => self.data.push(data),
            Decoded::Event(Event::Opened(opened)) => self.opened.push(opened),
            _ => {}
        };
        while capture.drain(&mut sink).complete < Some(start) {}
    }

    /// Tasks that moved bytes in `direction`, by socket, of process `pid` at the
    /// end of a connection that is on `port`, or talks to it.
    fn tasks(
        &self,
        pid: u32,
        local: bool,
        port: u16,
        direction: Direction,
    ) -> BTreeMap<SocketId, BTreeSet<Task>> {
        let mut tasks: BTreeMap<_, BTreeSet<Task>> = BTreeMap::new();
        // While a handler is at work, another goroutine waits for the first byte of
        // the next request, and gets it if that is early.
        for data in self.data.iter().filter(|data| data.length > 1) {
            let end = if local {
                data.connection.local
            } else {
                data.connection.peer
            };
            if data.task.pid == pid && data.direction == direction && end.port() == port {
                let task = Task {
                    tid: 0,
                    ..data.task
                };
                tasks.entry(data.socket).or_default().insert(task);
            }
        }
        tasks
    }
}

fn capture() -> Capture {
    let config = Config::default();
    Capture::load(&config)
        .unwrap_or_else(|error| panic!("this test loads BPF programs, and cannot: {error}"))
}

fn ask(connection: &mut TcpStream) {
    connection
        .write_all(b"GET /path HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"from the back") {
        let mut buffer = [0; 1024];
        let length = connection.read(&mut buffer).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..length]);
    }
}

fn only(tasks: &BTreeSet<Task>) -> Task {
    assert_eq!(tasks.len(), 1, "{tasks:#?}");
    *tasks.first().unwrap()
}

fn check(capture: &mut Capture, server: &Server) {
    let mut seen = Seen::default();
    let mut connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(("127.0.0.1", server.front)).unwrap())
        .collect();
    for _ in 0..REQUESTS {
        for connection in &mut connections {
            ask(connection);
            seen.drain(capture);
        }
    }
    let pid = server.child.id();
    let read = seen.tasks(pid, true, server.front, Direction::Receive);
    let written = seen.tasks(pid, true, server.front, Direction::Send);
    assert_eq!(read.len(), CONNECTIONS);
    assert_eq!(
        read, written,
        "a goroutine reads a request and answers it, one for each connection"
    );
    let serving: BTreeSet<u64> = read.values().map(|tasks| only(tasks).coroutine).collect();
    assert_eq!(serving.len(), CONNECTIONS);
    assert!(!serving.contains(&0));
    let parents = read.values().map(|tasks| only(tasks).coroutine_parent);
    assert_eq!(parents.collect::<BTreeSet<_>>(), [1].into());

    let asked = seen.tasks(pid, false, server.back, Direction::Send);
    assert_eq!(asked.len(), CONNECTIONS * REQUESTS);
    for (socket, tasks) in asked {
        let opened = seen.opened.iter().find(|opened| opened.socket == socket);
        let dialling = opened.unwrap().task;
        assert_eq!(only(&tasks).coroutine_parent, dialling.coroutine);
        assert!(serving.contains(&dialling.coroutine_parent));
    }
}

#[test]
fn of_a_server_that_ran_before() {
    let server = Server::start(&[]);
    check(&mut capture(), &server);
}

#[test]
fn of_a_stripped_server_that_starts_later() {
    let mut capture = capture();
    let server = Server::start(&["-trimpath", "-ldflags=-s -w"]);
    let deadline = Instant::now() + FIRST_SIGHT;
    while Instant::now() < deadline {
        Seen::default().drain(&mut capture);
        capture.wait(Duration::from_millis(10)).unwrap();
    }
    check(&mut capture, &server);
}
