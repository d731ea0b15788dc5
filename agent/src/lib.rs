//! What the `wirespan` binary is made of: the parts that own its threads,
//! sockets, files and clocks. The engine itself is `wirespan-stitch`.
//!
//! # Threads
//!
//! | thread | does |
//! |---|---|
//! | main | the data path: reads the kernel's ring buffer (or a file), runs the engine ([`live`], [`replay`]) |
//! | `wirespan-export` | maps spans to OTLP and batches them ([`export::pipeline`]) |
//! | `wirespan-otlp` | sends batches, on a runtime of its own ([`export::grpc`]) |
//! | `wirespan-json` | writes batches to a file ([`export::file`]) |
//! | `wirespan-print` | writes swim lanes ([`export::print`]) |
//! | `wirespan-state` | writes what was learnt ([`state`]) |
//!
//! Each is fed through a bounded queue by the one above it, and none waits for
//! the one below while tracing.

pub mod account;
pub mod capture_file;
pub mod cli;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod filters;
pub mod learnt;
pub mod live;
pub mod outputs;
pub mod probe;
pub mod process;
pub mod record;
pub mod recording;
pub mod replay;
pub mod run;
pub mod state;

#[cfg(test)]
pub(crate) mod testing;
