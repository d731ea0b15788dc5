//! Debian's packages, where a program that they hold is missing.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use crate::run::{self, which};

/// A program, or the path of a file, and the Debian package that has it.
pub(super) type Tool<'a> = (&'a str, &'a str);

/// zstd's C sources are part of the build, the C library of the binary.
pub(super) const TO_BUILD: &[Tool<'_>] = &[("cc", "build-essential"), ("ld", "binutils")];

/// The C compiler and library of 64-bit ARM, and its processor.
pub(super) const FOR_AARCH64: &[Tool<'_>] = &[
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("aarch64-linux-gnu-ar", "binutils-aarch64-linux-gnu"),
    ("/usr/aarch64-linux-gnu/lib/libc.a", "libc6-dev-arm64-cross"),
    ("qemu-aarch64-static", "qemu-user-static"),
];

/// The demo's services and their client.
pub(super) const TO_DEMONSTRATE: &[Tool<'_>] = &[
    ("nginx", "nginx-light"),
    ("python3", "python3"),
    ("node", "nodejs"),
    ("curl", "curl"),
    ("setpriv", "util-linux"),
];

/// What the tests and benchmarks use beyond these.
pub(super) const TO_TEST: &[Tool<'_>] = &[
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("javac", "default-jdk-headless"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("ip", "iproute2"),
];

/// Installs the packages of those programs that are not there.
pub(super) fn install(tools: &[Tool<'_>]) -> Result<()> {
    let (present, missing): (Vec<&Tool<'_>>, Vec<_>) = tools
        .iter()
        .partition(|(program, _)| which(program).is_some());
    if !present.is_empty() {
        let names: Vec<_> = present.iter().map(|(program, _)| *program).collect();
        say("programs", &format!("present: {}", names.join(" ")));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    say("packages", &format!("installing {}", packages.join(" ")));
    packages_of_debian(&packages)
}

/// Installs packages by name, after bringing the lists up to date.
pub(super) fn packages_of_debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if which("apt-get").is_none() {
        bail!("not a Debian system; install by hand: {list}");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("installing packages needs root: sudo apt-get install {list}");
    }
    run::show(&mut apt_get(&["update", "--quiet", "--quiet"]))?;
    let mut install = apt_get(&["install", "--quiet", "--yes", "--no-install-recommends"]);
    // With the run level of a rescue system, no package starts its service.
    run::show(install.args(packages).env("RUNLEVEL", "1"))
        .with_context(|| format!("installing {list}"))
}

/// `apt-get` that asks nothing.
pub(super) fn apt_get(arguments: &[&str]) -> Command {
    let mut command = run::command("apt-get", arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
