//! The harness of the whole-system tests, the demo and the benchmarks.
//!
//! Real servers, the built agent and a real collector, each as a guard: it
//! starts a process, waits until that is ready, and stops it when dropped. Every
//! wait has a limit. What is asserted is left to those who use it.

pub mod account;
pub mod agent;
pub mod child;
pub mod collector;
pub mod http;
pub mod load;
pub mod nginx;
pub mod place;
pub mod port;
pub mod server;
pub mod sink;
pub mod span;
pub mod wait;
