//! What body follows a head (RFC 9112 section 6.3).

use crate::exchange::{Anomalies, Anomaly, Fields, Version};

/// How the end of a message's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunked {
        /// The length that was told, too.
        or_length: Option<u64>,
    },
    /// All bytes until the connection is closed.
    UntilClose,
    /// The head contradicts itself, or was not seen whole.
    Unknown,
}

/// The fields of a head that HTTP itself reads, found in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted<'a> {
    length: Length,
    coding: Coding,
    /// `chunked` has parameters, of which there are none.
    with_parameters: bool,
    /// The last `Upgrade` field.
    pub upgrade: Option<&'a [u8]>,
    /// Whether the client waits for 100 (Continue).
    pub expects: bool,
    hosts: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Once(u64),
    Repeated(u64),
    Conflicting,
    Invalid,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    Absent,
    /// The field is there, but names none.
    Empty,
    Chunked,
    /// `chunked` is the last, but was there before: some servers and the
    /// frameworks on them both add it, and the body is chunked once.
    ChunkedAgain,
    Misplaced,
    Other,
}

impl<'a> Noted<'a> {
    /// Looks through a header section.
    pub fn of(fields: &'a Fields) -> Self {
        let mut noted = Self::default();
        for (name, value) in fields.iter() {
            match name.len() {
                4 if is(name, b"Host") => noted.hosts += 1,
                6 if is(name, b"Expect") => {
                    noted.expects |= value.eq_ignore_ascii_case(b"100-continue");
                }
                7 if is(name, b"Upgrade") => noted.upgrade = Some(value),
                14 if is(name, b"Content-Length") => noted.add_length(value),
                17 if is(name, b"Transfer-Encoding") => noted.add_coding(value),
                _ => {}
            }
        }
        noted
    }

    /// Whether there is a field that tells of a body.
    pub fn announces_body(&self) -> bool {
        self.length != Length::Absent || self.coding != Coding::Absent
    }

    /// The body that follows a request's head.
    pub fn request(&self, version: Version, anomalies: &mut Anomalies) -> Framing {
        if version == Version::Http11 && self.hosts != 1 {
            anomalies.insert(Anomaly::HostMissing);
        }
        self.note(version, anomalies);
        if matches!(self.coding, Coding::Other | Coding::Empty) {
            anomalies.insert(Anomaly::EncodingNotChunked);
        }
        match (self.coding, self.length) {
            (Coding::Chunked | Coding::ChunkedAgain, length) => length.instead_of_chunks(),
            (Coding::Other | Coding::Misplaced, _) => Framing::Unknown,
            (Coding::Absent | Coding::Empty, length) => length.framing().unwrap_or(Framing::None),
        }
    }

    /// The body that follows a response's head, unless the request or the
    /// status forbids one.
    pub fn response(&self, version: Version, anomalies: &mut Anomalies) -> Framing {
        self.note(version, anomalies);
        match (self.coding, self.length) {
            (Coding::Chunked | Coding::ChunkedAgain, length) => length.instead_of_chunks(),
            (Coding::Other | Coding::Misplaced, _) => Framing::UntilClose,
            (Coding::Absent | Coding::Empty, length) => {
                length.framing().unwrap_or(Framing::UntilClose)
            }
        }
    }

    fn note(&self, version: Version, anomalies: &mut Anomalies) {
        if self.coding != Coding::Absent {
            if self.length != Length::Absent {
                anomalies.insert(Anomaly::LengthAndEncoding);
            }
            if version == Version::Http10 {
                anomalies.insert(Anomaly::EncodingInHttp10);
            }
        }
        if matches!(self.coding, Coding::ChunkedAgain | Coding::Misplaced) {
            anomalies.insert(Anomaly::MisplacedChunked);
        }
        if self.with_parameters {
            anomalies.insert(Anomaly::ObscuredEncoding);
        }
        match self.length {
            Length::Absent | Length::Once(_) => {}
            Length::Repeated(_) => anomalies.insert(Anomaly::RepeatedLength),
            Length::Conflicting => anomalies.insert(Anomaly::ConflictingLength),
            Length::Invalid => anomalies.insert(Anomaly::InvalidLength),
        }
    }

    fn add_length(&mut self, value: &[u8]) {
        for item in value.split(|&byte| byte == b',') {
            self.length = match (self.length, number(item.trim_ascii())) {
                (Length::Invalid, _) | (_, None) => Length::Invalid,
                (Length::Absent, Some(length)) => Length::Once(length),
                (Length::Once(before) | Length::Repeated(before), Some(length))
                    if before == length =>
                {
                    Length::Repeated(length)
                }
                _ => Length::Conflicting,
            };
        }
    }

    fn add_coding(&mut self, value: &[u8]) {
        for item in value.split(|&byte| byte == b',') {
            let name = item.split(|&byte| byte == b';').next().unwrap_or_default();
            let parameters = name.len() < item.len();
            let name = name.trim_ascii();
            // Before RFC 7230, "identity" said that there is none; behind
            // another coding it says nothing that makes sense.
            let none = name.eq_ignore_ascii_case(b"identity")
                && !matches!(self.coding, Coding::Chunked | Coding::ChunkedAgain);
            if name.is_empty() || none {
                if self.coding == Coding::Absent {
                    self.coding = Coding::Empty;
                }
                continue;
            }
            let chunked = name.eq_ignore_ascii_case(b"chunked");
            self.with_parameters |= chunked && parameters;
            self.coding = match self.coding {
                Coding::Chunked | Coding::ChunkedAgain | Coding::Misplaced if chunked => {
                    Coding::ChunkedAgain
                }
                Coding::Chunked | Coding::ChunkedAgain | Coding::Misplaced => Coding::Misplaced,
                Coding::Absent | Coding::Empty | Coding::Other if chunked => Coding::Chunked,
                Coding::Absent | Coding::Empty | Coding::Other => Coding::Other,
            };
        }
    }
}

impl Length {
    fn instead_of_chunks(self) -> Framing {
        Framing::Chunked {
            or_length: match self {
                Self::Once(length) | Self::Repeated(length) => Some(length),
                Self::Absent | Self::Conflicting | Self::Invalid => None,
            },
        }
    }

    fn framing(self) -> Option<Framing> {
        match self {
            Self::Absent => None,
            Self::Once(0) | Self::Repeated(0) => Some(Framing::None),
            Self::Once(length) | Self::Repeated(length) => Some(Framing::Length(length)),
            Self::Conflicting | Self::Invalid => Some(Framing::Unknown),
        }
    }
}

/// Whether a field has this name, which is given as it is usually written: then
/// there is no need to compare it letter by letter.
fn is(name: &[u8], usual: &[u8]) -> bool {
    name == usual || name.eq_ignore_ascii_case(usual)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}
