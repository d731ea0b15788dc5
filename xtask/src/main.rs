//! `cargo xtask`: set-up, build, tests, demo and benchmarks.

fn main() {}
