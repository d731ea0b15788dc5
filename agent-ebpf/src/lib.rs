//! What the kernel side and user space share: the records in the ring buffer,
//! the read-only configuration, and the tables both sides touch.
//!
//! In: nothing. Out: plain types with a fixed layout, read and written with
//! `zerocopy`. The programs themselves are in `main.rs` and its modules.
#![no_std]
#![forbid(unsafe_code)]

pub mod config;
pub mod coroutine;
pub mod loss;
pub mod process;
pub mod record;
pub mod switch;
pub mod verdict;
