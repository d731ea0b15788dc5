//! What the bytes of a connection mean.
//!
//! In: the [`crate::stream::Piece`]s of both directions. Out: exchanges. Each
//! protocol is a module; [`detect`] names those that are not understood.

pub mod counters;
pub mod detect;
pub mod http1;
pub mod limits;
pub mod proxy;

pub use counters::Counters;
pub use detect::Protocol;
pub use limits::Limits;
