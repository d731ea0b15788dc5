//! Compiles the kernel side, for the agent to carry it in its own file.
//!
//! A stable rustc does it, told to accept unstable features for this one
//! build: the BPF target has no ready-made `core`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

/// Name of the binary target in `agent-ebpf`.
const PROGRAM: &str = "wirespan-kernel";
const PACKAGE: &str = "wirespan-ebpf";
const REMEDY: &str = "run `cargo xtask setup`, which installs it";

fn main() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in ["agent-ebpf", "Cargo.lock", "rust-toolchain.toml"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    let rustc = variable("RUSTC")?;
    check_linker()?;
    check_core_source(&rustc)?;

    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = bpf_target()?;
    let target_directory = out.join("kernel");
    compile(&workspace, &target, &target_directory)?;

    let built = target_directory.join(target).join("release").join(PROGRAM);
    fs::copy(&built, out.join(PROGRAM))
        .with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(())
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("cargo did not set {name}"))
}

fn bpf_target() -> Result<String> {
    let prefix = match variable("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "little" => "bpfel",
        "big" => "bpfeb",
        other => bail!("no BPF target for byte order {other}"),
    };
    Ok(format!("{prefix}-unknown-none"))
}

fn check_linker() -> Result<()> {
    let version = Command::new("bpf-linker").arg("--version").output();
    ensure!(
        version.is_ok_and(|output| output.status.success()),
        "bpf-linker, which links the kernel side, is missing: {REMEDY}"
    );
    Ok(())
}

fn check_core_source(rustc: &str) -> Result<()> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .with_context(|| format!("cannot run {rustc}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    ensure!(
        source.is_dir(),
        "rust-src, from which `core` is built for the kernel side, is missing at {}: {REMEDY}",
        source.display()
    );
    Ok(())
}

/// In a target directory of its own: cargo holds a lock on the one in use.
fn compile(workspace: &Path, target: &str, target_directory: &Path) -> Result<()> {
    let flags = ["-Cdebuginfo=2", "-Clink-arg=--btf"].join("\x1f");
    let status = Command::new(variable("CARGO")?)
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            PACKAGE,
            "--bin",
            PROGRAM,
        ])
        .args(["-Z", "build-std=core", "--target", target, "--target-dir"])
        .arg(target_directory)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_PROFILE_RELEASE_DEBUG")
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the kernel side does not compile ({status})"
    );
    Ok(())
}
