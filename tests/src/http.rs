//! HTTP over bare sockets of this process, where a test must say exactly which
//! bytes go in which call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::port;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A client's and a server's end of one connection. Pieces are written one call
/// each, and read by the other end before the next is written.
#[derive(Debug)]
pub struct Pair {
    client: TcpStream,
    server: TcpStream,
}

/// Which addresses a [`Pair`] uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 127.0.0.1 on both ends.
    V4,
    /// `::1` on both ends.
    V6,
    /// The server listens on `::`, the client connects to 127.0.0.1.
    V4Mapped,
}

impl Pair {
    /// A new connection to a new port.
    pub fn connect(family: Family) -> Result<Self> {
        let (listen, connect): (IpAddr, IpAddr) = match family {
            Family::V4 => (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
            Family::V6 => (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
            Family::V4Mapped => (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into()),
        };
        let port = port::free();
        let listener = TcpListener::bind(SocketAddr::new(listen, port))?;
        let client = TcpStream::connect(SocketAddr::new(connect, port))?;
        let (server, _) = listener.accept()?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(TIMEOUT))?;
        }
        Ok(Self { client, server })
    }

    /// The server's port.
    pub fn port(&self) -> Result<u16> {
        Ok(self.server.local_addr()?.port())
    }

    /// Sends a request in these pieces, then a response in these.
    pub fn exchange(&mut self, request: &[&[u8]], response: &[&[u8]]) -> Result<()> {
        pass(&mut self.client, &mut self.server, request)?;
        pass(&mut self.server, &mut self.client, response)
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, pieces: &[&[u8]]) -> Result<()> {
    for piece in pieces {
        from.write_all(piece)?;
        let mut read = vec![0; piece.len()];
        to.read_exact(&mut read)?;
        ensure!(read == *piece, "other bytes arrived than were sent");
    }
    Ok(())
}

/// One request over a connection of its own to 127.0.0.1; the response's status.
pub fn request(port: u16, method: &str, path: &str, body: &[u8]) -> Result<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .with_context(|| format!("{line:?}"))?;
    let status = status.parse()?;
    reader.read_to_end(&mut Vec::new())?;
    Ok(status)
}
