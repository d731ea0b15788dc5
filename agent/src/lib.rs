//! The parts of the `wirespan` binary; `main.rs` only calls them.

pub mod doctor;
pub mod probe;
