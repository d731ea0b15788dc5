//! Protobuf messages straight into bytes
//! (<https://protobuf.dev/programming-guides/encoding/>).
//!
//! A span is some thirty strings and numbers. Building it from the generated
//! types first would be an allocation for each of them, and ten times the work.

/// A message in the making, and those around it.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// The most bytes that a number takes.
pub const VARINT_MAX: usize = 10;

/// How a value lies on the wire.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

impl Writer {
    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// With room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Forgets what was written, but for the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// A field of type `int64`, `uint64`, `bool` or `enum`.
    pub fn varint(&mut self, field: u32, value: u64) {
        self.key(field, Wire::Varint);
        self.put_varint(value);
    }

    /// A field of type `fixed32`.
    pub fn fixed32(&mut self, field: u32, value: u32) {
        self.key(field, Wire::Fixed32);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A field of type `fixed64`.
    pub fn fixed64(&mut self, field: u32, value: u64) {
        if field < 0x10 {
            let mut block = [(field << 3 | Wire::Fixed64 as u32) as u8; 9];
            block[1..].copy_from_slice(&value.to_le_bytes());
            self.bytes.extend_from_slice(&block);
        } else {
            self.key(field, Wire::Fixed64);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A field of type `double`.
    pub fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    /// A field of type `string`, `bytes` or, encoded already, a message.
    pub fn field(&mut self, field: u32, value: &[u8]) {
        self.begin(field, value.len());
        self.raw(value);
    }

    /// As [`Writer::field`], but left out where it is empty: what proto3 does
    /// with a field that is not in a `oneof`.
    pub fn known(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.field(field, value);
        }
    }

    /// A field whose `len` bytes are written next, by [`Writer::raw`].
    pub fn begin(&mut self, field: u32, len: usize) {
        if field < 0x10 && len < 0x80 {
            // Both take one byte, as nearly always.
            let key = field << 3 | Wire::Length as u32;
            self.bytes.extend_from_slice(&[key as u8, len as u8]);
        } else {
            self.key(field, Wire::Length);
            self.put_varint(len as u64);
        }
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The first `len` bytes of a block, which is written whole: to copy as many
    /// bytes as the compiler knows of takes a few instructions, and no call.
    #[expect(
        clippy::inline_always,
        reason = "blocks are made where they are written"
    )]
    #[inline(always)]
    pub fn block<const N: usize>(&mut self, block: &[u8; N], len: usize) {
        let end = self.bytes.len() + len.min(N);
        self.bytes.extend_from_slice(block);
        self.bytes.truncate(end);
    }

    /// A field with what `fill` writes: a message of some 128 bytes to 16 KiB.
    /// Any other is right too, but its bytes are moved.
    pub fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        const ROOM: usize = 2;
        self.key(field, Wire::Length);
        let start = self.bytes.len() + ROOM;
        self.bytes.extend_from_slice(&[0; ROOM]);
        fill(self);
        let len = self.bytes.len() - start;
        let room = varint_len(len as u64);
        if room != ROOM {
            let end = self.bytes.len();
            self.bytes.resize(end.max(end + room - ROOM), 0);
            self.bytes.copy_within(start..end, start + room - ROOM);
            self.bytes.truncate(end + room - ROOM);
        }
        let mut rest = len;
        for byte in &mut self.bytes[start - ROOM..start - ROOM + room] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.bytes[start - ROOM + room - 1] &= 0x7f;
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.put_varint(u64::from(field << 3 | wire as u32));
    }

    fn put_varint(&mut self, value: u64) {
        if value < 0x80 {
            self.bytes.push(value as u8);
        } else {
            let (bytes, len) = varint(value);
            self.block(&bytes, len);
        }
    }
}

/// A number as it lies on the wire, and how many bytes of that count.
#[inline]
pub fn varint(value: u64) -> ([u8; VARINT_MAX], usize) {
    let mut bytes = [0; VARINT_MAX];
    let mut rest = value;
    let mut len = 0;
    while rest >= 0x80 && len < VARINT_MAX - 1 {
        bytes[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    bytes[len] = rest as u8;
    (bytes, len + 1)
}

/// Bytes that a field of `len` bytes takes, where `field` is at most 15.
pub fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Bytes that a number takes.
pub fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::encoding;

    use super::*;

    proptest! {
        #[test]
        fn scalars_are_as_prost_writes_them(field in 1..5000_u32, value: u64) {
            let mut expected = Vec::new();
            encoding::uint64::encode(field, &value, &mut expected);
            encoding::fixed64::encode(field, &value, &mut expected);
            encoding::fixed32::encode(field, &(value as u32), &mut expected);
            encoding::double::encode(field, &f64::from_bits(value), &mut expected);
            let mut writer = Writer::default();
            writer.varint(field, value);
            writer.fixed64(field, value);
            writer.fixed32(field, value as u32);
            writer.double(field, f64::from_bits(value));
            prop_assert_eq!(writer.into_bytes(), expected);
        }

        #[test]
        fn lengths_are_as_prost_writes_them(
            field in 1..16_u32,
            len in prop_oneof![0..300_usize, 16_000..17_000_usize, 2_097_100..2_097_200_usize],
        ) {
            let value = vec![7; len];
            let mut expected = Vec::new();
            encoding::bytes::encode(field, &value, &mut expected);
            prop_assert_eq!(expected.len(), field_len(len));
            let mut writer = Writer::default();
            writer.field(field, &value);
            prop_assert_eq!(writer.bytes(), &expected);
            writer.truncate(0);
            writer.message(field, |writer| writer.raw(&value));
            prop_assert_eq!(writer.bytes(), &expected);
        }
    }
}
