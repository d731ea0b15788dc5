//! Socket events in, stitched spans out.
//!
//! The engine is pure: time is in the events, and there is no clock, no
//! socket, no thread and no randomness here. So a recording replays to the
//! very same spans, and every stage can be tested at every split point.
//!
//! ```text
//! Event → reorder → stream → protocol → exchange → propagation → causality → trace → Span
//! ```
//!
//! A stage knows the output type of the stage before it, never the stage
//! after it. Only `engine` sees them all.
#![forbid(unsafe_code)]

pub mod account;
pub mod causality;
pub mod connection;
pub mod engine;
pub mod event;
pub mod exchange;
mod features;
pub mod identity;
pub mod packet;
mod processes;
pub mod propagation;
pub mod protocol;
pub mod reorder;
mod sockets;
pub mod span;
pub mod stream;
pub mod text;
pub mod time;
pub mod trace;
pub mod verdict;
