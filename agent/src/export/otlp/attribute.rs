//! OTLP attributes, written into the message that has them.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};

use super::writer::{VARINT_MAX, Writer, field_len, varint};

/// Fields of `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Fields of `AnyValue`.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;

/// Room for a key and what stands around it: for the keys that every span has.
const BLOCK: usize = 48;

/// The field of `ArrayValue`.
const VALUES: u32 = 1;

/// As [`String::from_utf8_lossy`], but fast where there is nothing to replace.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Attributes, each key at most once (the caller sees to that).
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    writer: &'a mut Writer,
    field: u32,
}

impl<'a> Attributes<'a> {
    /// In `field` of the message that is being written.
    pub(super) fn new(writer: &'a mut Writer, field: u32) -> Self {
        Self { writer, field }
    }

    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    pub(super) fn string(&mut self, key: &str, value: &str) {
        self.text(key, value.as_bytes());
    }

    /// Adds nothing where the value is empty, as for a fact that is unknown.
    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    pub(super) fn known(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.string(key, value);
        }
    }

    /// Text that people and protocols write; what is no UTF-8 in it shows as
    /// U+FFFD.
    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    pub(super) fn bytes(&mut self, key: &str, value: &[u8]) {
        self.string(key, &text(value));
    }

    /// One string of these parts.
    pub(super) fn parts(&mut self, key: &str, parts: &[&str]) {
        let len = parts.iter().map(|part| part.len()).sum();
        self.put(key, field_len(len), |writer| {
            writer.begin(STRING, len);
            for part in parts {
                writer.raw(part.as_bytes());
            }
        });
    }

    /// The value as it is shown.
    pub(super) fn shown(&mut self, key: &str, value: impl Display) {
        self.string(key, &value.to_string());
    }

    /// An IPv4 address in an IPv6 one is shown as the former.
    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    pub(super) fn address(&mut self, key: &str, address: IpAddr) {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let (text, len) = dotted(address);
                self.text(key, &text[..len]);
            }
            IpAddr::V6(address) => self.shown(key, address),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    pub(super) fn int(&mut self, key: &str, value: impl TryInto<i64>) {
        let value = value.try_into().unwrap_or(i64::MAX);
        let value = value.cast_unsigned();
        let (number, digits) = varint(value);
        let len = 1 + digits;
        let mut head = [0; 3 + VARINT_MAX];
        head[..3].copy_from_slice(&[(VALUE << 3 | 2) as u8, len as u8, (INT << 3) as u8]);
        head[3..].copy_from_slice(&number);
        if !self.begin_short(key, len, &head, 3 + digits) {
            self.put(key, len, |writer| writer.varint(INT, value));
        }
    }

    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.put(key, 1 + size_of::<f64>(), |writer| {
            writer.double(DOUBLE, value);
        });
    }

    pub(super) fn flag(&mut self, key: &str) {
        self.put(key, 2, |writer| writer.varint(BOOL, 1));
    }

    pub(super) fn strings<'s>(&mut self, key: &str, values: impl Iterator<Item = &'s str>) {
        let mut array = Writer::default();
        for value in values {
            array.begin(VALUES, field_len(value.len()));
            array.field(STRING, value.as_bytes());
        }
        self.put(key, field_len(array.bytes().len()), |writer| {
            writer.field(ARRAY, array.bytes());
        });
    }

    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    fn text(&mut self, key: &str, value: &[u8]) {
        let len = field_len(value.len());
        let head = [
            (VALUE << 3 | 2) as u8,
            len as u8,
            (STRING << 3 | 2) as u8,
            value.len() as u8,
        ];
        if self.begin_short(key, len, &head, head.len()) {
            self.writer.raw(value);
        } else {
            self.put(key, len, |writer| writer.field(STRING, value));
        }
    }

    /// Begins an attribute with a value of `len` bytes that is so short that each
    /// length takes one byte, as nearly all are; whether it is. The first `begun`
    /// bytes of `head` come behind the key.
    #[expect(
        clippy::inline_always,
        reason = "keys are constants, and copied as such"
    )]
    #[inline(always)]
    fn begin_short<const N: usize>(
        &mut self,
        key: &str,
        len: usize,
        head: &[u8; N],
        begun: usize,
    ) -> bool {
        let whole = 2 + key.len() + 2 + len;
        let end = 4 + key.len();
        let short = len < 0x80 && whole < 0x80 && end + N <= BLOCK;
        if short {
            let mut block = [0; BLOCK];
            block[0] = (self.field << 3 | 2) as u8;
            block[1] = whole as u8;
            block[2] = (KEY << 3 | 2) as u8;
            block[3] = key.len() as u8;
            block[4..end].copy_from_slice(key.as_bytes());
            block[end..end + N].copy_from_slice(head);
            self.writer.block(&block, end + begun);
        }
        short
    }

    /// `value` writes the `len` bytes of an `AnyValue`.
    fn put(&mut self, key: &str, len: usize, value: impl FnOnce(&mut Writer)) {
        let Self { writer, field } = self;
        writer.begin(*field, field_len(key.len()) + field_len(len));
        writer.field(KEY, key.as_bytes());
        writer.begin(VALUE, len);
        value(writer);
    }
}

/// An address as it is shown, and its length. By hand, since every span has some:
/// `Display` takes ten times as long.
fn dotted(address: Ipv4Addr) -> ([u8; 15], usize) {
    let mut text = [b'.'; 15];
    let mut len = 0;
    for octet in address.octets() {
        for (least, unit) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text[len] = b'0' + octet / unit % 10;
                len += 1;
            }
        }
        len += 1;
    }
    (text, len - 1)
}
