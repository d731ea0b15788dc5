//! Fuzz targets: functions that take any bytes and panic if what the code under
//! test makes of them breaks a promise.
//!
//! No panic is the least of them. Each target's module says what else must hold.
//! That memory stays within a target's bound is checked for all in [`memory`];
//! that time does is checked by the fuzzer.

pub mod memory;

/// The agent's recordings, compiled here from their sources: the agent as a whole
/// would bring the kernel side and an async stack under coverage.
#[path = "../../../agent/src/recording/mod.rs"]
pub mod recording;

/// The agent's capture files, in the same way.
#[path = "../../../agent/src/capture_file/mod.rs"]
pub mod capture_file;

mod captures;
mod causality;
mod engine;
mod events;
mod http;
mod input;
mod packets;
mod propagation;
mod recordings;
mod text;

/// Something that is fuzzed.
#[derive(Debug)]
pub struct Target {
    /// Its name, and that of its directory in the corpus.
    pub name: &'static str,
    /// Runs it; panics if a promise is broken.
    pub run: fn(&[u8]),
    /// Most bytes of an input.
    pub max_len: usize,
    /// Most bytes that may be allocated at any time, whatever the input.
    pub memory: usize,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "capture",
        run: captures::run,
        max_len: 4096,
        memory: 8 << 20, // Gzip can blow up a thousand times.
    },
    Target {
        name: "causality",
        run: causality::run,
        max_len: 1536, // Decisions cost more than what the others do.
        memory: 16 << 20,
    },
    Target {
        name: "engine",
        run: engine::run,
        max_len: 4096,
        memory: 4 << 20,
    },
    Target {
        name: "http",
        run: http::run,
        max_len: 4096,
        memory: 1 << 20,
    },
    Target {
        name: "packets",
        run: packets::run,
        max_len: 4096,
        memory: 2 << 20,
    },
    Target {
        name: "propagation",
        run: propagation::run,
        max_len: 2048,
        memory: 1 << 20, // Most of it for what the target compares with.
    },
    Target {
        name: "recording",
        run: recordings::run,
        max_len: 4096,
        // A record may claim a length, and zstd a window. Events that are kept hold
        // the buffers that they lie in: 256 KiB for each time that bytes came.
        memory: 256 << 20,
    },
    Target {
        name: "text",
        run: text::run,
        max_len: 1024,
        memory: 256 << 10,
    },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
