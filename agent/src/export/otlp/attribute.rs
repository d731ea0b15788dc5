//! OTLP attributes, written into the message that has them.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use super::writer::Writer;

/// Fields of `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Fields of `AnyValue`.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;

/// The field of `ArrayValue`.
const VALUES: u32 = 1;

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

    pub(super) fn string(&mut self, key: &str, value: &str) {
        self.put(key, |writer| writer.field(STRING, value.as_bytes()));
    }

    /// Adds nothing where the value is empty, as for a fact that is unknown.
    pub(super) fn known(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.string(key, value);
        }
    }

    /// Text that people and protocols write; what is no UTF-8 in it shows as
    /// U+FFFD.
    pub(super) fn bytes(&mut self, key: &str, value: &[u8]) {
        self.string(key, &String::from_utf8_lossy(value));
    }

    /// One string of these parts.
    pub(super) fn parts(&mut self, key: &str, parts: &[&str]) {
        self.put(key, |writer| {
            writer.begin(STRING, parts.iter().map(|part| part.len()).sum());
            for part in parts {
                writer.raw(part.as_bytes());
            }
        });
    }

    /// The value as it is shown.
    pub(super) fn shown(&mut self, key: &str, value: impl Display) {
        self.put(key, |writer| {
            writer.message(STRING, |writer| {
                // Writing to memory cannot fail.
                let _ = write!(writer, "{value}");
            });
        });
    }

    /// An IPv4 address in an IPv6 one is shown as the former.
    pub(super) fn address(&mut self, key: &str, address: IpAddr) {
        self.shown(key, address.to_canonical());
    }

    pub(super) fn int(&mut self, key: &str, value: impl TryInto<i64>) {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.put(key, |writer| writer.varint(INT, value.cast_unsigned()));
    }

    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.put(key, |writer| writer.double(DOUBLE, value));
    }

    pub(super) fn flag(&mut self, key: &str) {
        self.put(key, |writer| writer.varint(BOOL, 1));
    }

    pub(super) fn strings<'s>(&mut self, key: &str, values: impl Iterator<Item = &'s str>) {
        self.put(key, |writer| {
            writer.message(ARRAY, |writer| {
                for value in values {
                    writer.message(VALUES, |writer| writer.field(STRING, value.as_bytes()));
                }
            });
        });
    }

    fn put(&mut self, key: &str, value: impl FnOnce(&mut Writer)) {
        self.writer.message(self.field, |writer| {
            writer.field(KEY, key.as_bytes());
            writer.message(VALUE, value);
        });
    }
}
