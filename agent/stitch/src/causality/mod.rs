//! Which incoming request caused this outgoing one, inside one process.
//!
//! In: [`Act`]s, in the order of their times. Out: [`Decision`]s, one for each
//! outgoing request, when the evidence is in (the response of its cause, or a
//! fixed lag). What a parent across the wire is, is not decided here.

pub mod act;

pub use act::{Act, Candidate, Decision, ExchangeId, Features};
