//! `cargo xtask build`: the release binary.

mod cross;
mod standalone;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use wirespan_tests::place;

use crate::{run, setup};
pub(crate) use cross::{Cross, Profile};

/// What to build for.
#[derive(Args)]
pub(crate) struct Options {
    /// Another processor than this one
    #[arg(long, value_enum)]
    target: Option<Cross>,
}

/// Builds `target/release/wirespan`, or `target/cross/TRIPLE/release/wirespan`, after
/// setting up what that needs.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::to_build()?;
    match options.target {
        Some(target) => cross(target, Profile::Release),
        None => agent(),
    }
}

/// Builds the release binary: one file that needs no other.
pub(crate) fn agent() -> Result<()> {
    let mut command = command();
    command.arg("--release");
    // Of the last crate alone: procedural macros, which are libraries that the
    // compiler loads, cannot be built with it.
    command.args(["--", STATIC[0], STATIC[1]]);
    run::show(&mut command)?;
    standalone::check(&place::target().join("release/wirespan"))
}

/// Builds the binary for another processor, after setting up what that needs
/// beyond the rest.
pub(crate) fn cross(target: Cross, profile: Profile) -> Result<()> {
    setup::to_cross_compile(target)?;
    let built = cross::agent(target, profile)?;
    println!("{}", built.display());
    Ok(())
}

/// Builds it, and the examples that measure.
pub(crate) fn measuring() -> Result<()> {
    agent()?;
    let mut command = run::command("cargo", &["build", "--release", "--package", "wirespan"]);
    for name in ["kernel_cost", "engine_speed"] {
        command.args(["--example", name]);
    }
    run::show(&mut command)
}

/// Where [`measuring`] leaves an example.
pub(crate) fn example(name: &str) -> PathBuf {
    place::target().join("release/examples").join(name)
}

/// The C library goes into the binary.
const STATIC: [&str; 2] = ["-C", "target-feature=+crt-static"];

/// `cargo rustc` for the binary, to which more can be added.
fn command() -> Command {
    let arguments = ["rustc", "--package", "wirespan", "--bin", "wirespan"];
    run::command("cargo", &arguments)
}
