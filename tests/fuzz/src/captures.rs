//! Capture files of both formats, whole and in any pieces.
//!
//! The first byte chooses how the rest is to be taken: as it is; or behind a
//! sound file header, so that the fuzzer need not find one.
//!
//! What must hold: of any bytes there is an end or an error, and in no more
//! packets than there is room for; how the bytes arrive makes no difference, but
//! for how much is unpacked of a gzip stream before its damage; no packet has more
//! bytes than it had on the wire.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use wirespan_stitch::packet::{Decoder, Limits};

use crate::capture_file::{self, Packet};
use crate::input::Input;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let (how, seed) = (input.byte(), input.byte());
    let file = [header(how), input.rest()].concat();
    let whole = read(Pieces::new(&file, usize::MAX));
    let pieces = read(Pieces::new(&file, usize::from(seed) + 1));
    let gzip = file.starts_with(&[0x1f, 0x8b]);
    if gzip && !unpacks(&file) {
        let both = whole.0.len().min(pieces.0.len());
        assert_eq!(whole.0[..both], pieces.0[..both], "pieces differ");
    } else {
        assert_eq!(whole, pieces, "pieces make a difference");
    }
    let (packets, _) = whole;
    assert!(gzip || packets.len() <= file.len() / LEAST_PACKET);
    let mut decoder = Decoder::new(Limits::default());
    for packet in packets {
        assert!(packet.data.len() <= packet.original);
        decoder.handle_packet(packet.link, packet.time, &packet.data, packet.original);
        while decoder.poll_event().is_some() {}
    }
    decoder.finish();
}

fn unpacks(gzip: &[u8]) -> bool {
    io::copy(&mut MultiGzDecoder::new(gzip), &mut io::sink()).is_ok()
}

/// A record of pcap and a simple packet block of pcapng have at least as many.
const LEAST_PACKET: usize = 16;

const fn header(how: u8) -> &'static [u8] {
    match how {
        1 => b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0",
        2 => b"\xa1\xb2\x3c\x4d\0\x02\0\x04\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\x01",
        3 => {
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\
              \x1c\0\0\0\x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\x04\0\x14\0\0\0"
        }
        _ => b"",
    }
}

/// Every packet, and how it ended.
fn read(pieces: Pieces) -> (Vec<Packet>, String) {
    let mut reader = match capture_file::read(pieces) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), error.to_string()),
    };
    let mut packets = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, format!("{:?}", reader.note())),
            Err(error) => return (packets, error.to_string()),
        }
    }
}

/// Gives its bytes in pieces of some length.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    length: usize,
}

impl Pieces {
    fn new(bytes: &[u8], length: usize) -> Self {
        Self {
            bytes: bytes.to_vec(),
            at: 0,
            length,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = &self.bytes[self.at..];
        let length = left.len().min(out.len()).min(self.length);
        out[..length].copy_from_slice(&left[..length]);
        self.at += length;
        Ok(length)
    }
}
