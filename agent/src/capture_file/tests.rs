//! Files of every kind, whole, cut off anywhere, and damaged.

use std::io::{Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use wirespan_stitch::packet::LinkType;

use super::error::{Error, Note};
use super::input::Input;
use super::is_capture;
use super::reader::{Packet, Reader};

/// 2026-01-02 03:04:05.678901234 UTC
const TIME: u64 = 1_767_323_045_678_901_234;

fn open(bytes: &[u8]) -> Result<Reader, Error> {
    Reader::new(Input::new(Cursor::new(bytes.to_vec()), None).unwrap())
}

fn read(bytes: &[u8]) -> (Vec<Packet>, Option<Note>) {
    let mut reader = open(bytes).unwrap();
    let packets = std::iter::from_fn(|| reader.next_packet().unwrap()).collect();
    (packets, reader.note().cloned())
}

/// Writes numbers in one byte order.
#[derive(Clone, Default)]
struct Writer {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn new(big_endian: bool) -> Self {
        Self {
            big_endian,
            bytes: Vec::new(),
        }
    }

    fn u16(mut self, value: u16) -> Self {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes.extend(bytes);
        self
    }

    fn u32(mut self, value: u32) -> Self {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes.extend(bytes);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// A pcapng block around `body`.
    fn block(self, kind: u32, body: impl FnOnce(Self) -> Self) -> Self {
        let mut body = body(Self::new(self.big_endian)).bytes;
        body.resize(body.len().next_multiple_of(4), 0);
        let length = body.len() as u32 + 12;
        self.u32(kind).u32(length).raw(&body).u32(length)
    }

    fn section(self) -> Self {
        self.block(0x0a0d_0d0a, |body| {
            body.u32(0x1a2b_3c4d).u16(1).u16(0).raw(&[0xff; 8])
        })
    }

    /// `options`: code and value.
    fn interface(self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Self {
        self.block(1, |body| {
            let body = body.u16(link).u16(0).u32(snap);
            options.iter().fold(body, |body, (code, value)| {
                let padding = value.len().next_multiple_of(4) - value.len();
                body.u16(*code)
                    .u16(value.len() as u16)
                    .raw(value)
                    .raw(&[0; 3][..padding])
            })
        })
    }

    fn enhanced(self, interface: u32, ticks: u64, data: &[u8], original: u32) -> Self {
        self.block(6, |body| {
            let body = body
                .u32(interface)
                .u32((ticks >> 32) as u32)
                .u32(ticks as u32);
            body.u32(data.len() as u32).u32(original).raw(data)
        })
    }

    fn i64(&self, value: i64) -> [u8; 8] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}

fn pcap(big_endian: bool, magic: u32, packets: &[&[u8]]) -> Vec<u8> {
    let header = Writer::new(big_endian)
        .u32(magic)
        .u16(2)
        .u16(4)
        .u32(0)
        .u32(0)
        .u32(65_535);
    // A frame check sequence of 4 bytes is announced in the upper bits.
    let file = header.u32(0x4400_0001);
    let fraction = (TIME % 1_000_000_000) as u32;
    let fraction = if magic == 0xa1b2_3c4d {
        fraction
    } else {
        fraction / 1000
    };
    let seconds = (TIME / 1_000_000_000) as u32;
    let written = packets.iter().fold(file, |file, data| {
        let file = file
            .u32(seconds)
            .u32(fraction)
            .u32(data.len() as u32)
            .u32(100);
        let file = if magic == 0xa1b2_cd34 {
            file.u32(0).u32(0)
        } else {
            file
        };
        file.raw(data)
    });
    written.bytes
}

fn pcapng(big_endian: bool) -> Vec<u8> {
    let writer = Writer::new(big_endian);
    let offset = writer.i64(-60);
    let first = writer
        .section()
        .interface(1, 0, &[(2, b"eth0")])
        .interface(113, 0, &[(9, &[9])])
        .interface(101, 0, &[(9, &[0x80 | 0x14]), (14, &offset)])
        .enhanced(0, TIME / 1000, b"micro", 5)
        .block(5, |body| body.u32(0).u32(0).u32(0))
        .enhanced(1, TIME, b"nanosecond", 1500)
        .enhanced(
            2,
            (u128::from(TIME + 60_000_000_000) * (1 << 20) / 1_000_000_000) as u64,
            b"",
            9,
        )
        .block(2, |body| {
            let time = TIME / 1000;
            let body = body.u16(0).u16(0).u32((time >> 32) as u32).u32(time as u32);
            body.u32(3).u32(4).raw(b"old")
        });
    let second = Writer::new(!big_endian)
        .section()
        .interface(228, 3, &[])
        .block(3, |body| body.u32(6).raw(b"simple"));
    [first.bytes, second.bytes].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn pcap_of_either_byte_order_and_unit() {
    for (magic, rounding) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1000)] {
        for big_endian in [false, true] {
            let file = pcap(big_endian, magic, &[b"one", b"", b"three"]);
            assert!(is_capture(&file[..4]));
            let (packets, note) = read(&file);
            assert_eq!(note, None);
            let data: Vec<_> = packets.iter().map(|packet| &packet.data[..]).collect();
            assert_eq!(data, [b"one", &b""[..], b"three"]);
            for packet in packets {
                assert_eq!(packet.time.0, TIME - TIME % rounding);
                assert_eq!((packet.link, packet.original), (LinkType::ETHERNET, 100));
            }
        }
    }
}

#[test]
fn pcapng_with_several_sections_interfaces_and_units() {
    for big_endian in [false, true] {
        let file = pcapng(big_endian);
        assert!(is_capture(&file));
        let mut reader = open(&file).unwrap();
        let packets: Vec<_> = std::iter::from_fn(|| reader.next_packet().unwrap()).collect();
        assert_eq!((reader.note(), reader.bad_blocks()), (None, 0));
        let found: Vec<_> = packets
            .iter()
            .map(|packet| (packet.link.0, &packet.data[..], packet.original))
            .collect();
        let expected: [(u16, &[u8], usize); 5] = [
            (1, b"micro", 5),
            (113, b"nanosecond", 1500),
            (101, b"", 9),
            (1, b"old", 4),
            (228, b"sim", 6),
        ];
        assert_eq!(found, expected);
        let off: Vec<_> = packets
            .iter()
            .map(|packet| TIME.abs_diff(packet.time.0))
            .collect();
        assert_eq!(&off[..2], [TIME % 1000, 0]);
        assert!(off[2] < 1000, "2^-20 s: {off:?}");
        assert_eq!(
            &off[3..],
            [TIME % 1000, TIME % 1000],
            "a simple packet has no time of its own"
        );
    }
}

#[test]
fn compressed_captures_are_read_the_same() {
    for file in [pcap(false, 0xa1b2_c3d4, &[&b"abc"[..]; 9]), pcapng(true)] {
        let compressed = gzip(&file);
        assert!(is_capture(&compressed[..4]));
        assert_eq!(read(&compressed), read(&file));
        let members = [gzip(&file[..30]), gzip(&file[30..])].concat();
        assert_eq!(read(&members), read(&file));
    }
}

#[test]
fn gzip_is_recognised_by_a_pipe_that_gives_a_byte_at_first() {
    let file = pcap(false, 0xa1b2_c3d4, &[&b"abc"[..]; 9]);
    let compressed = gzip(&file);
    let (first, rest) = compressed.split_at(1);
    let pipe = Cursor::new(first.to_vec()).chain(Cursor::new(rest.to_vec()));
    let mut reader = Reader::new(Input::new(pipe, None).unwrap()).unwrap();
    assert!(reader.next_packet().unwrap().is_some());
}

#[test]
fn a_capture_cut_off_anywhere_is_used_up_to_there() {
    for file in [
        pcap(false, 0xa1b2_c3d4, &[b"abc", b"defg", b""]),
        pcapng(false),
    ] {
        let (whole, _) = read(&file);
        let mut at_boundary = 0;
        for length in 0..file.len() {
            match open(&file[..length]) {
                Err(Error::Empty) => assert_eq!(length, 0),
                Err(Error::HeaderCut) => assert!(length < 24),
                Err(Error::Unknown { start }) => {
                    assert_eq!((start.len(), length < 4), (length, true));
                }
                Err(other) => panic!("{other}"),
                Ok(_) => {
                    let (packets, note) = read(&file[..length]);
                    assert_eq!(packets[..], whole[..packets.len()]);
                    at_boundary += usize::from(note.is_none());
                    let cut = note.is_none() || matches!(note, Some(Note::CutOff { .. }));
                    assert!(cut, "{note:?}");
                }
            }
        }
        // Between records; there it cannot be told.
        assert_eq!(at_boundary, if file[0] == 0xd4 { 3 } else { 11 });
    }
    let compressed = gzip(&pcap(false, 0xa1b2_c3d4, &[&b"abcdefghij"[..]; 500]));
    let (packets, note) = read(&compressed[..compressed.len() - 12]);
    assert!(matches!(note, Some(Note::Compression { .. })), "{note:?}");
    assert!(!packets.is_empty());
}

#[test]
fn damage_ends_the_reading_or_is_passed_over() {
    let mut file = pcap(false, 0xa1b2_c3d4, &[b"abc", b"def"]);
    file[24 + 19 + 11] = 0x7f;
    let (packets, note) = read(&file);
    assert_eq!(packets.len(), 1);
    assert!(
        matches!(note, Some(Note::Damaged { at: 43, .. })),
        "{note:?}"
    );

    let bad = Writer::new(false).section().interface(1, 0, &[]);
    let bad = bad
        .enhanced(7, 0, b"no such interface", 17)
        .enhanced(0, 1, b"good", 4);
    let mut reader = open(&bad.bytes).unwrap();
    assert_eq!(reader.next_packet().unwrap().unwrap().data, b"good"[..]);
    assert_eq!(reader.bad_blocks(), 1);

    let unknown = open(b"GET / HTTP/1.1").err().unwrap();
    assert!(unknown.to_string().contains("[47, 45, 54"), "{unknown}");
    assert!(!is_capture(b"GET ") && !is_capture(b""));
}

#[test]
fn every_byte_damaged_in_turn_does_no_harm() {
    for file in [pcap(true, 0xa1b2_3c4d, &[b"abc", b"defg"]), pcapng(true)] {
        for place in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = file.clone();
                damaged[place] = value;
                let Ok(mut reader) = open(&damaged) else {
                    continue;
                };
                let packets = std::iter::from_fn(|| reader.next_packet().unwrap());
                assert!(packets.count() <= 5);
            }
        }
    }
}
