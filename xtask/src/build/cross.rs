//! The agent for another processor, on this one.
//!
//! Nothing prebuilt is needed but the C compiler and library of Debian: the
//! standard library is built from `rust-src`, as `core` is for the kernel side.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use wirespan_tests::place;

use super::{STATIC, command, standalone};
use crate::run;

/// A target that is not the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cross {
    /// 64-bit ARM
    #[value(name = "aarch64-unknown-linux-gnu")]
    Aarch64,
}

/// How much the compiler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What users get.
    Release,
    /// Enough to see that it works, in half the time.
    Debug,
}

impl Profile {
    fn directory(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
        }
    }
}

impl Cross {
    /// As rustc names it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What the names of its C tools begin with.
    fn tools(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-linux-gnu",
        }
    }
}

/// Builds the binary for `target`; says where it is.
pub(crate) fn agent(target: Cross, profile: Profile) -> Result<PathBuf> {
    let triple = target.triple();
    let variable = |name: &str| {
        let triple = triple.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{triple}_{name}")
    };
    let tool = |name: &str| format!("{}-{name}", target.tools());
    let mut command = command();
    if profile == Profile::Release {
        command.arg("--release");
    }
    command
        .args(["--target", triple, "-Z", "build-std=std,panic_abort"])
        // Of its own: that the compiler is told to accept unstable features would
        // have the build scripts of both builds run anew in turns.
        .arg("--target-dir")
        .arg(place::target().join("cross"))
        .args(["--", STATIC[0], STATIC[1]])
        // A stable compiler builds its own library, for this one build.
        .env("RUSTC_BOOTSTRAP", "1")
        .env(variable("LINKER"), tool("gcc"))
        .env(format!("CC_{triple}"), tool("gcc"))
        .env(format!("AR_{triple}"), tool("ar"));
    run::show(&mut command)?;
    let built = place::cross_wirespan(triple, profile.directory());
    standalone::check(&built)?;
    Ok(built)
}
