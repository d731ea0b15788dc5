//! Requests to a server of the zoo: so many at once (closed loop), or at so
//! many a second whether or not it keeps up (open loop).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::random::Random;
use super::truth;

/// More are not opened, whatever the rate.
const MOST_AT_ONCE: usize = 512;
/// For one answer.
const LIMIT: Duration = Duration::from_secs(20);

/// How requests come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// So many at any time.
    InFlight(u32),
    /// So many a second, at random times.
    Rate(u32),
}

/// What to ask of a server.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// The server's port.
    pub(super) port: u16,
    /// Paths to choose from, with the leading slash.
    pub(super) paths: Vec<String>,
    /// How requests come.
    pub(super) pace: Pace,
    /// No more requests than this.
    pub(super) requests: u32,
    /// No more time than this, but for the last answers.
    pub(super) time: Duration,
    /// Whether requests carry an order number, as real ones do.
    pub(super) orders: bool,
    /// Of the choices.
    pub(super) seed: u64,
    /// The number of the first request; the others follow in steps of four.
    pub(super) first_id: u32,
}

impl Load {
    /// The path of the request with this number.
    pub(super) fn path(&self, id: u32) -> &str {
        let mut random = Random::new(self.seed + u64::from(id), "path");
        random.pick::<String>(&self.paths)
    }

    /// Sends it. How many requests were answered; fails if one was not.
    pub(super) async fn run(self) -> Result<u32> {
        let shared = Arc::new(Shared {
            sent: AtomicU32::new(0),
            until: Instant::now() + self.time,
            idle: Mutex::new(Vec::new()),
            load: self,
        });
        let mut tasks = JoinSet::new();
        match shared.load.pace {
            Pace::InFlight(count) => {
                for _ in 0..count {
                    tasks.spawn(one_after_the_other(Arc::clone(&shared)));
                }
            }
            Pace::Rate(rate) => {
                tasks.spawn(at_rate(Arc::clone(&shared), rate));
            }
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        let sent = shared.sent.load(Ordering::Relaxed);
        Ok(sent.min(shared.load.requests))
    }
}

struct Shared {
    load: Load,
    sent: AtomicU32,
    until: Instant,
    idle: Mutex<Vec<Connection>>,
}

impl Shared {
    /// The target of the next request; `None` when all are sent.
    fn next(&self) -> Option<String> {
        if Instant::now() > self.until {
            return None;
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if number >= self.load.requests {
            return None;
        }
        let id = self.load.first_id + 4 * number;
        let path = self.load.path(id);
        // Both halves of the number that a proxy is to use.
        let next = format!("{:010}", truth::mask(id));
        let (y, x) = next.split_at(5);
        let order = if self.load.orders {
            let mut random = Random::new(self.load.seed + u64::from(id), "order");
            format!("&order=ord-{:012x}", random.bits() >> 16)
        } else {
            String::new()
        };
        Some(format!("{path}?id={id}&x={x}&y={y}{order}"))
    }
}

async fn one_after_the_other(shared: Arc<Shared>) -> Result<()> {
    let mut connection = Connection::new(shared.load.port);
    while let Some(target) = shared.next() {
        connection.get(&target).await?;
    }
    Ok(())
}

async fn at_rate(shared: Arc<Shared>, rate: u32) -> Result<()> {
    let mut random = Random::new(shared.load.seed, "rate");
    let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut due = Instant::now();
    while let Some(target) = shared.next() {
        due += Duration::from_secs_f64(random.wait(1.0 / f64::from(rate)));
        sleep_until(due).await;
        let place = Arc::clone(&places).acquire_owned().await?;
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let idle = shared.idle.lock().await.pop();
            let mut connection = idle.unwrap_or_else(|| Connection::new(shared.load.port));
            connection.get(&target).await?;
            shared.idle.lock().await.push(connection);
            drop(place);
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// A client's connection; opened anew when the server has closed it.
#[derive(Debug)]
struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    fn new(port: u16) -> Self {
        Self {
            port,
            stream: None,
            buffer: Vec::new(),
        }
    }

    /// Sends a request and reads its answer, which must be a 200.
    async fn get(&mut self, target: &str) -> Result<()> {
        let answer = timeout(LIMIT, self.try_get(target)).await;
        answer
            .context("no answer in time")
            .flatten()
            .with_context(|| format!("GET {target}"))
    }

    async fn try_get(&mut self, target: &str) -> Result<()> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: zoo\r\n\r\n");
        if let Some(stream) = &self.stream
            && stream.try_read(&mut [0]).is_ok()
        {
            self.stream = None; // Closed meanwhile: there is nothing to be read but the end.
        }
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.set_nodelay(true)?;
            self.stream.insert(stream)
        };
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let close = answer(stream, &mut self.buffer).await?;
        if close {
            self.stream = None;
        }
        Ok(())
    }
}

/// Reads one answer; whether the server will close the connection.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<bool> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(head) = response.parse(buffer)? {
            ensure!(response.code == Some(200), "answered {:?}", response.code);
            let header = |name: &str| {
                let mut headers = response.headers.iter();
                let found = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
                std::str::from_utf8(found.value).ok()
            };
            let length = header("content-length").context("an answer without Content-Length")?;
            let end = head + length.trim().parse::<usize>()?;
            let close = header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
            while buffer.len() < end {
                ensure!(
                    stream.read_buf(buffer).await? > 0,
                    "closed within an answer"
                );
            }
            return Ok(close);
        }
        ensure!(
            stream.read_buf(buffer).await? > 0,
            "closed before an answer"
        );
    }
}
