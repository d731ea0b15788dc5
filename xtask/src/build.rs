//! `cargo xtask build`: the release binary.

use std::process::Command;

use anyhow::Result;

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
