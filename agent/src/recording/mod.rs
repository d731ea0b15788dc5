//! Recordings of socket events: [`Writer`] takes events, [`Reader`] gives the
//! very same events back. The format is documented in
//! `proto/wirespan/recording/v1/recording.proto`.
//!
//! Which events to record, and what to do with those read, is left to others.

mod convert;
mod reader;
mod writer;

pub use reader::{ReadError, Reader};
pub use writer::Writer;

/// Version of the format that is written, and the newest that can be read.
const VERSION: u32 = 1;

/// What a zstd frame begins with (RFC 8878 section 3.1.1): how to tell a
/// recording from other files.
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest record that is read: far above what any event can need.
const MAX_RECORD: usize = 16 << 20;

#[cfg(test)]
mod tests;
