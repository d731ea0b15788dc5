//! Free TCP ports on loopback.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::wait;

/// Below the range (from 32768) that Linux gives to outgoing connections, so
/// that a load generator cannot take a port between choice and use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, neither over IPv4 nor over IPv6. Not given
/// out twice by one process; processes start at different places.
///
/// # Panics
/// If none is free.
pub fn free() -> u16 {
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (NEXT.fetch_add(1, Ordering::Relaxed) + start) % COUNT)
        .find(|&port| {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
                && TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok()
        })
        .expect("a free TCP port between 20000 and 32000")
}

/// Waits until something accepts connections on `port` of 127.0.0.1.
pub fn wait(port: u16, limit: Duration) -> Result<()> {
    wait::until(limit, &format!("a server on port {port}"), || {
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
    })?;
    Ok(())
}
