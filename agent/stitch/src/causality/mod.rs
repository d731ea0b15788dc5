//! Which incoming request caused this outgoing one, inside one process.
//!
//! In: [`Act`]s, in the order of their times. Out: [`Decision`]s, one for each
//! outgoing request, when the evidence is in (the response of its cause, or a
//! fixed lag). What a parent across the wire is, is not decided here.
//!
//! ```text
//! Act → Scene (facts) → evidence (weights) → solve (joint choice) → Decision
//!                          Model (learnt) ↗        ↘ learn
//! ```
//!
//! Each owner (process) has a scene and a model of its own. A kind of evidence
//! is one file and one line in [`evidence`].

pub mod act;
mod adjacency;
mod affinity;
mod align;
mod audit;
mod batch;
mod belief;
mod call;
mod confidence;
mod config;
mod coroutine;
mod counters;
mod effort;
mod event_loop;
mod evidence;
mod explicit;
mod foresight;
mod histogram;
mod kind;
mod learnt;
mod model;
pub(crate) mod names;
mod opener;
mod owner;
mod path;
mod pool;
mod queue;
mod request;
mod rhythm;
mod route;
mod said;
mod scene;
mod self_audit;
mod sequel;
mod shelf;
mod slab;
mod solve;
mod stage;
#[cfg(test)]
mod tests;
mod thread;
mod token;
mod turn;

pub use act::{Act, Candidate, Decision, ExchangeId, Features};
pub use config::{Config, KINDS};
pub use counters::Counters;
pub use kind::Kind;
pub use learnt::{Learnt, LearntError};
pub use model::{Model, ModelError};
pub use self_audit::Tally;
pub use stage::{Causality, OwnerKey};
