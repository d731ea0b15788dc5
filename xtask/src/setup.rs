//! `cargo xtask setup`: installs what is missing, and nothing twice.
//!
//! One line for each thing, present or installed. Fast when all is there.

mod collector;
mod debian;
mod go;
mod h11;
mod rust;

use anyhow::Result;

use crate::build::Cross;

/// Everything: to build, to test, to show.
pub(crate) fn run() -> Result<()> {
    to_build()?;
    debian::install(debian::TO_DEMONSTRATE)?;
    debian::install(debian::TO_TEST)?;
    h11::install()?;
    collector::build(&go::install()?)
}

/// What the demo needs.
pub(crate) fn to_demonstrate() -> Result<()> {
    to_build()?;
    debian::install(debian::TO_DEMONSTRATE)
}

/// What the build alone needs.
pub(crate) fn to_build() -> Result<()> {
    debian::install(debian::TO_BUILD)?;
    rust::components()?;
    rust::source()?;
    rust::bpf_linker()
}

/// Programs that only a part of the evaluation needs, with their packages.
pub(crate) fn packages(tools: &[(&str, &str)]) -> Result<()> {
    debian::install(tools)
}

/// What it takes to build for another processor, and to run the result here.
pub(crate) fn to_cross_compile(target: Cross) -> Result<()> {
    debian::install(match target {
        Cross::Aarch64 => debian::FOR_AARCH64,
    })
}

fn say(what: &str, state: &str) {
    println!("setup: {what:<14} {state}");
}
