//! What the words of a request's head tell the causality stage: what kind of
//! request it is ([`route`]) and which rare words it shares with others
//! ([`tokens`]).
//!
//! In: a method, a request target, a header section. Out: hashes, and a route's
//! readable template. Trace contexts and request ids have their own meaning and
//! are left to [`crate::propagation`]; what the hashes weigh is left to
//! [`crate::causality`].

mod route;
mod target;
mod token;

pub use route::{route, template};
pub use token::{MAX_TOKENS, Tokens, tokens};
