//! The back end behind the zoo: answers everything after a random time, and
//! keeps what it was asked. So what the servers called is known without wirespan.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wirespan_tests::port;

use super::random::Random;

/// A request head longer than this is not from the zoo.
const LONGEST_HEAD: usize = 16 * 1024;
/// However random, answers take no longer.
const SLOWEST: f64 = 40.0;

/// A running back end. Dropped, it ends with its runtime.
#[derive(Debug)]
pub(super) struct Leaf {
    port: u16,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Leaf {
    /// Listens on a free port.
    pub(super) async fn start(seed: u64) -> Result<Self> {
        let port = port::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let queries = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&queries);
        tokio::spawn(async move {
            let mut connections = 0u64;
            while let Ok((stream, _)) = listener.accept().await {
                connections += 1;
                let random = Random::new(seed + connections, "leaf");
                // A caller that goes away is not this end's business.
                tokio::spawn(serve(stream, random, Arc::clone(&kept)));
            }
        });
        Ok(Self { port, queries })
    }

    /// The port it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many queries there were since `take_queries` that fulfil a condition.
    pub(super) fn count(&self, condition: impl Fn(&str) -> bool) -> usize {
        let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        queries.iter().filter(|query| condition(query)).count()
    }

    /// The queries of all requests since this was last asked.
    pub(super) fn take_queries(&self) -> Vec<String> {
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut queries)
    }
}

async fn serve(
    mut stream: TcpStream,
    mut random: Random,
    kept: Arc<Mutex<Vec<String>>>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some((target, close)) = head(&mut stream, &mut buffer).await? {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(query.to_owned());
        let time = random.wait(mean(path)).min(SLOWEST);
        tokio::time::sleep(Duration::from_secs_f64(time / 1000.0)).await;
        let status = match path {
            "/broken" => "503 Service Unavailable",
            _ => "200 OK",
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nleaf\n");
        stream.write_all(answer.as_bytes()).await?;
        if close {
            break;
        }
    }
    Ok(())
}

/// Mean time to answer in ms; each path has its own, from 1 to 6.
fn mean(path: &str) -> f64 {
    1.0 + (xxhash_rust::xxh3::xxh3_64(path.as_bytes()) % 6) as f64
}

/// The next request's target, and whether it is the last; `None` at the end.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<(String, bool)>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(length) = request.parse(buffer)? {
            let target = request.path.unwrap_or_default().to_owned();
            let close = request.headers.iter().any(|header| {
                header.name.eq_ignore_ascii_case("connection")
                    && header.value.eq_ignore_ascii_case(b"close")
            });
            buffer.drain(..length);
            return Ok(Some((target, close)));
        }
        anyhow::ensure!(buffer.len() < LONGEST_HEAD, "a head without end");
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
