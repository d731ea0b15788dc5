//! Reads a body of known framing, without looking at its content.
//!
//! In: bytes and holes that begin with the body. Out: where it ends. Chunks
//! are followed by their sizes; holes inside data of known length are passed.

use bytes::{Buf, Bytes};

use crate::exchange::{Anomalies, Anomaly, Message};

use super::framing::Framing;
use super::head::is_token_byte;

/// How far a body has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All bytes that come.
    UntilClose,
}

/// Where in the chunked coding (RFC 9112 section 7.1) the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    place: Place,
    /// Zeros before this chunk's size and bytes of its extension, or of the
    /// trailers, so far.
    extra: usize,
    /// The byte before was CR.
    return_seen: bool,
    /// The length that was told, too.
    or_length: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size { value: u64, digits: u8 },
    AfterSize { value: u64, extension: bool },
    Data { left: u64 },
    DataEnd,
    Trailer(Trailer),
}

/// What was seen of a line of the trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trailer {
    Nothing,
    Name,
    /// Behind the colon, or where the line can be no field any more.
    Rest,
}

/// What became of the bytes or the hole that a body was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// All belongs to the body.
    All,
    /// The body ends before what is left of them.
    Ended,
    /// The framing is broken, or can no longer be followed.
    Broken,
}

impl Body {
    /// The body that a framing announces; `None` if there is none to read.
    pub fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::None | Framing::Unknown => None,
            Framing::Length(length) => Some(Self::Length(length)),
            Framing::Chunked { or_length } => Some(Self::Chunked(Chunked::new(or_length))),
            Framing::UntilClose => Some(Self::UntilClose),
        }
    }

    /// Takes the bytes that belong to the body from the front of `bytes`;
    /// `limit` is that of [`crate::protocol::Limits::trailer`].
    pub fn read(
        &mut self,
        bytes: &mut Bytes,
        limit: usize,
        message: &mut Message,
        anomalies: &mut Anomalies,
    ) -> Passed {
        match self {
            Self::Length(left) => {
                let taken = (bytes.len() as u64).min(*left);
                bytes.advance(taken as usize);
                *left -= taken;
                add(message, taken, taken);
                if *left == 0 {
                    Passed::Ended
                } else {
                    Passed::All
                }
            }
            Self::Chunked(chunked) => {
                let passed = chunked.read(bytes, limit, message, anomalies);
                if passed != Passed::Broken {
                    return passed;
                }
                anomalies.insert(Anomaly::InvalidChunk);
                let Some(left) = chunked.instead(message) else {
                    return passed;
                };
                message.body_size = message.body_wire_size;
                *self = Self::Length(left);
                self.read(bytes, limit, message, anomalies)
            }
            Self::UntilClose => {
                let taken = bytes.len() as u64;
                bytes.clear();
                add(message, taken, taken);
                Passed::All
            }
        }
    }

    /// Takes the part of a hole that belongs to the body from `length`.
    pub fn pass(&mut self, length: &mut u64, message: &mut Message) -> Passed {
        match self {
            Self::Length(left) => {
                let taken = (*length).min(*left);
                *length -= taken;
                *left -= taken;
                add(message, taken, taken);
                if *left == 0 {
                    Passed::Ended
                } else {
                    Passed::All
                }
            }
            Self::Chunked(Chunked {
                place: Place::Data { left },
                ..
            }) if *left >= *length => {
                add(message, *length, *length);
                *left -= *length;
                *length = 0;
                Passed::All
            }
            Self::Chunked(chunked) => {
                let data = match chunked.place {
                    Place::Data { left } => left,
                    _ => 0,
                };
                add(message, *length, data);
                *length = 0;
                Passed::Broken
            }
            Self::UntilClose => {
                add(message, *length, *length);
                *length = 0;
                Passed::All
            }
        }
    }

    /// How many of the next bytes are surely content.
    pub fn certain(&self) -> u64 {
        match self {
            Self::Length(left)
            | Self::Chunked(Chunked {
                place: Place::Data { left },
                ..
            }) => *left,
            Self::Chunked(_) | Self::UntilClose => 0,
        }
    }
}

impl Chunked {
    fn new(or_length: Option<u64>) -> Self {
        Self {
            place: SIZE,
            extra: 0,
            return_seen: false,
            or_length,
        }
    }

    /// How much is left of a body that began like no chunk, if a length was told:
    /// peers exist that send both fields, and then the body as it is.
    fn instead(&self, message: &Message) -> Option<u64> {
        let length = self.or_length.filter(|_| message.body_size == 0)?;
        length.checked_sub(message.body_wire_size)
    }

    fn read(
        &mut self,
        bytes: &mut Bytes,
        limit: usize,
        message: &mut Message,
        anomalies: &mut Anomalies,
    ) -> Passed {
        let before = bytes.len();
        let mut content = 0;
        let passed = loop {
            if let Place::Data { left } = &mut self.place {
                let taken = (bytes.len() as u64).min(*left);
                bytes.advance(taken as usize);
                *left -= taken;
                content += taken;
                if *left > 0 {
                    break Passed::All;
                }
                self.place = Place::DataEnd;
            }
            match self.read_framing(bytes, limit, anomalies) {
                Passed::All if matches!(self.place, Place::Data { .. }) => self.extra = 0,
                passed => break passed,
            }
        };
        add(message, (before - bytes.len()) as u64, content);
        passed
    }

    /// Reads up to the next data, to the end of the body or of the bytes.
    fn read_framing(
        &mut self,
        bytes: &mut Bytes,
        limit: usize,
        anomalies: &mut Anomalies,
    ) -> Passed {
        let mut used = 0;
        let mut passed = Passed::All;
        for &byte in bytes.iter() {
            used += 1;
            self.note_end(byte, anomalies);
            match self.next(byte, anomalies) {
                Some(Place::Trailer(Trailer::Nothing)) if self.ends(byte) => {
                    passed = Passed::Ended;
                    break;
                }
                Some(place) if self.extra <= limit => self.place = place,
                _ => {
                    passed = Passed::Broken;
                    break;
                }
            }
            if matches!(self.place, Place::Data { .. }) {
                break;
            }
        }
        bytes.advance(used);
        passed
    }

    /// Whether `byte` ends the empty line after the last chunk.
    fn ends(&self, byte: u8) -> bool {
        byte == b'\n' && self.place == Place::Trailer(Trailer::Nothing)
    }

    /// RFC 9112 section 2.2: what ends lines, and may for others.
    fn note_end(&mut self, byte: u8, anomalies: &mut Anomalies) {
        match (self.return_seen, byte) {
            (true, b'\n') => {}
            (false, b'\n') => anomalies.insert(Anomaly::BareLineFeed),
            (true, _) => anomalies.insert(Anomaly::BareCarriageReturn),
            (false, _) => {}
        }
        self.return_seen = byte == b'\r';
    }

    /// The place after `byte`; `None` if it does not belong here. A lone LF
    /// ends a line too, and white space may follow a size: peers accept both.
    fn next(&mut self, byte: u8, anomalies: &mut Anomalies) -> Option<Place> {
        match (self.place, byte) {
            (Place::Size { value: 0, .. }, b'0') => {
                self.extra += 1;
                Some(Place::Size {
                    value: 0,
                    digits: 1,
                })
            }
            (Place::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                Some(Place::Size {
                    value: value << 4 | u64::from(digit),
                    digits: if value == 0 { 1 } else { digits + 1 },
                })
            }
            (Place::Size { digits: 0, .. } | Place::Data { .. }, _) => None,
            (Place::Size { value, .. } | Place::AfterSize { value, .. }, b'\n') => {
                Some(match value {
                    0 => Place::Trailer(Trailer::Nothing),
                    left => Place::Data { left },
                })
            }
            (Place::Size { value, .. }, b'\r' | b';' | b' ' | b'\t') => Some(Place::AfterSize {
                value,
                extension: byte == b';',
            }),
            (Place::AfterSize { value, extension }, _) => {
                self.extra += 1;
                let blank = matches!(byte, b'\r' | b' ' | b'\t');
                if !extension && !blank && byte != b';' {
                    anomalies.insert(Anomaly::InvalidChunk);
                }
                Some(Place::AfterSize {
                    value,
                    extension: extension || !blank,
                })
            }
            (Place::DataEnd, b'\r') => Some(Place::DataEnd),
            (Place::DataEnd, b'\n') => Some(SIZE),
            (Place::Trailer(line), b'\n') => {
                if line == Trailer::Name {
                    anomalies.insert(Anomaly::InvalidField);
                }
                Some(Place::Trailer(Trailer::Nothing))
            }
            (Place::Trailer(Trailer::Nothing), b'\r') => Some(self.place),
            (Place::Trailer(line), _) => {
                self.extra += 1;
                Some(Place::Trailer(match line {
                    Trailer::Rest => Trailer::Rest,
                    Trailer::Name if byte == b':' => Trailer::Rest,
                    _ if is_token_byte(byte) => Trailer::Name,
                    _ => {
                        anomalies.insert(Anomaly::InvalidField);
                        Trailer::Rest
                    }
                }))
            }
            (Place::Size { .. } | Place::DataEnd, _) => None,
        }
    }
}

const SIZE: Place = Place::Size {
    value: 0,
    digits: 0,
};

fn add(message: &mut Message, wire: u64, content: u64) {
    message.body_wire_size = message.body_wire_size.saturating_add(wire);
    message.body_size = message.body_size.saturating_add(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `bytes`, given in pieces of so many, and how it ended.
    fn read(bytes: &'static [u8], piece: usize, limit: usize) -> (Passed, u64) {
        let mut body = Body::Chunked(Chunked::new(None));
        let mut message = Message::default();
        let mut passed = Passed::All;
        for piece in bytes.chunks(piece) {
            let mut piece = Bytes::from_static(piece);
            passed = body.read(&mut piece, limit, &mut message, &mut Anomalies::default());
            if passed != Passed::All {
                break;
            }
        }
        (passed, message.body_wire_size)
    }

    #[test]
    fn a_limit_is_reached_at_the_same_byte_in_pieces_of_any_size() {
        let bytes = b"3;x=y\r\nabc\r\n0\r\nTrailer: value\r\n\r\n";
        for piece in 1..=bytes.len() {
            assert_eq!(read(bytes, piece, 15), (Passed::Broken, 30), "{piece}");
            assert_eq!(read(bytes, piece, 16), (Passed::Ended, 33), "{piece}");
        }
    }
}
