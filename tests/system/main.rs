//! Whole-system tests: the built agent, real servers, a real collector.
//!
//! They need root and BPF, and fail where these are missing. `cargo xtask test`
//! builds the agent and runs them one at a time.

mod aarch64;
mod authority;
mod capture;
mod chain;
mod collector;
mod differential;
mod disk;
mod filters;
mod harness;
mod learnt;
mod overflow;
mod proxy;
mod refusals;
mod replay;
mod restart;
mod runtimes;
mod secure;
mod sockets;
mod standalone;
