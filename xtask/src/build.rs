//! `cargo xtask build`: the release binary.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use wirespan_tests::place;

use crate::{run, setup};

/// Builds `target/release/wirespan`, after setting up what that needs.
pub(crate) fn run() -> Result<()> {
    setup::to_build()?;
    run::show(&mut release())
}

/// The command that builds the release binary.
pub(crate) fn release() -> Command {
    run::command("cargo", &["build", "--release", "--package", "wirespan"])
}

/// The command that builds the release binary and the examples that measure.
pub(crate) fn measuring() -> Command {
    let mut command = release();
    command.arg("--bins");
    for name in ["kernel_cost", "engine_speed"] {
        command.args(["--example", name]);
    }
    command
}

/// Where [`measuring`] leaves an example.
pub(crate) fn example(name: &str) -> PathBuf {
    place::target().join("release/examples").join(name)
}
