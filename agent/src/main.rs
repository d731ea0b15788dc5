//! The `wirespan` binary.

fn main() {}
