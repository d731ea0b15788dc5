//! HTTP/1.x as RFC 9112 frames it, read tolerantly and from the side.
//!
//! [`head`] reads one head, [`heads`] does so once where it comes again, [`framing`] says what body follows it, [`body`]
//! reads that, [`reader`] reads the messages of one direction, and [`pairing`]
//! finds the response to each request. [`Http1`] puts them together for one
//! connection.

pub mod body;
pub mod exchanges;
pub mod framing;
pub mod head;
pub mod heads;
pub mod pairing;
pub mod reader;

pub use exchanges::{Context, End, Http1};
pub use heads::Heads;
