//! Makes a big capture, or measures how fast one is turned into events.
//!
//! `capture_speed write FILE MIB`: downloads of 1 MiB bodies in packets of 1448
//! bytes over 50 connections at once, every 100th pair of packets swapped.
//! `capture_speed read FILE`: decodes it and prints the figures.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use wirespan::capture_file;
use wirespan_stitch::event::Event;
use wirespan_stitch::packet::{Decoder, Limits};

const CONNECTIONS: usize = 50;
const BODY: usize = 1 << 20;
const SEGMENT: usize = 1448;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", file, mib] => write(Path::new(file), mib.parse().context("MIB")?),
        ["read", file] => read(Path::new(file)),
        _ => bail!("usage: capture_speed write FILE MIB | read FILE"),
    }
}

fn read(path: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut reader = capture_file::open(path)?;
    let mut decoder = Decoder::new(Limits::default());
    let (mut bytes, mut payload, mut events) = (0, 0, 0u64);
    while let Some(packet) = reader.next_packet()? {
        bytes += packet.data.len();
        decoder.handle_packet(packet.link, packet.time, &packet.data, packet.original);
        while let Some(event) = decoder.poll_event() {
            events += 1;
            if let Event::Data(data) = event {
                payload += data.payload.len();
            }
        }
    }
    decoder.finish();
    let seconds = start.elapsed().as_secs_f64();
    let packets = decoder.counters().packets as f64;
    println!("{bytes} bytes of packets, {payload} of payload, {events} events");
    println!(
        "{:.0} MB/s, {:.0} packets/s",
        bytes as f64 / seconds / 1e6,
        packets / seconds
    );
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
    for (name, count) in decoder.counters().iter().filter(|(_, count)| *count > 0) {
        println!("{name} {count}");
    }
    Ok(())
}

/// One end of one connection.
#[derive(Clone, Copy)]
struct End {
    port: u16,
    sequence: u32,
}

fn write(path: &Path, mib: usize) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let header = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 262_144, 1u32];
    file.write_all(&header.map(u32::to_le_bytes).concat())?;
    let mut written = 0;
    let mut round = 0u16;
    while written < mib << 20 {
        round += 1;
        let mut connections = [(
            End {
                port: 0,
                sequence: 0,
            },
            End {
                port: 80,
                sequence: 0,
            },
        ); CONNECTIONS];
        for (number, (client, server)) in connections.iter_mut().enumerate() {
            client.port = 10_000 + round.wrapping_mul(50) % 50_000 + number as u16;
            client.sequence = u32::from(round) * 7919;
            server.sequence = u32::MAX - u32::from(round) * 104_729;
            written += packet(&mut file, client, *server, 2, b"")?;
            written += packet(&mut file, server, *client, 0x12, b"")?;
            written += packet(
                &mut file,
                client,
                *server,
                0x18,
                b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
            )?;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n");
            written += packet(&mut file, server, *client, 0x18, head.as_bytes())?;
        }
        let body = [b'x'; SEGMENT];
        for turn in 0..BODY.div_ceil(SEGMENT) {
            for (client, server) in &mut connections {
                let payload = &body[..SEGMENT.min(BODY - turn * SEGMENT)];
                if turn % 100 == 0 {
                    let (mut first, mut second) = (*server, *server);
                    second.sequence = second.sequence.wrapping_add(10);
                    written += packet(&mut file, &mut second, *client, 0x10, &payload[10..])?;
                    written += packet(&mut file, &mut first, *client, 0x10, &payload[..10])?;
                    *server = second;
                } else {
                    written += packet(&mut file, server, *client, 0x10, payload)?;
                }
                if turn % 2 == 0 {
                    written += packet(&mut file, client, *server, 0x10, b"")?;
                }
            }
        }
        for (client, server) in &mut connections {
            written += packet(&mut file, client, *server, 0x11, b"")?;
            written += packet(&mut file, server, *client, 0x11, b"")?;
        }
    }
    file.flush().context("writing")
}

/// Writes one Ethernet packet; the sender's place moves on.
fn packet(
    file: &mut impl Write,
    from: &mut End,
    to: End,
    flags: u8,
    payload: &[u8],
) -> std::io::Result<usize> {
    let length = 54 + payload.len();
    let mut bytes = [0; 16 + 54];
    for place in [8, 12] {
        bytes[place..place + 4].copy_from_slice(&(length as u32).to_le_bytes());
    }
    let (addresses, ports) = if to.port == 80 {
        ([10, 0, 0, 1, 10, 0, 0, 2], [from.port, 80])
    } else {
        ([10, 0, 0, 2, 10, 0, 0, 1], [80, to.port])
    };
    bytes[28] = 8;
    bytes[30] = 0x45;
    bytes[32..34].copy_from_slice(&((length - 14) as u16).to_be_bytes());
    bytes[38..40].copy_from_slice(&[64, 6]);
    bytes[42..50].copy_from_slice(&addresses);
    bytes[50..54].copy_from_slice(&ports.map(u16::to_be_bytes).concat());
    bytes[54..58].copy_from_slice(&from.sequence.to_be_bytes());
    bytes[58..62].copy_from_slice(&to.sequence.to_be_bytes());
    bytes[62..64].copy_from_slice(&[0x50, flags]);
    bytes[64..66].copy_from_slice(&[0xff, 0xff]);
    file.write_all(&bytes)?;
    file.write_all(payload)?;
    let control = u32::from(flags & 3 != 0);
    from.sequence = from.sequence.wrapping_add(payload.len() as u32 + control);
    Ok(bytes.len() + payload.len())
}
