//! What Rust needs to build the kernel side: its own sources and `bpf-linker`.
//!
//! `core` is built for the BPF target from `rust-src`, which must be of exactly
//! the compiler's version; `bpf-linker` links with the LLVM of that compiler.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use wirespan_tests::place;

use super::debian::apt_get;
use super::say;
use crate::run::{self, command, which};

/// The newest that links with the LLVM inside rustc 1.95.
const BPF_LINKER: &str = "0.10.3";

/// The Debian release whose backports follow the newest rustc.
const BACKPORTS: &str = "trixie-backports";

/// `rustfmt` and `clippy`.
pub(super) fn components() -> Result<()> {
    for (program, component) in [("rustfmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if run::read(&mut command(program, &["--version"])).is_ok() {
            say(component, "present");
            continue;
        }
        say(component, "adding with rustup");
        run::show(&mut command("rustup", &["component", "add", component]))?;
    }
    Ok(())
}

/// `rust-src`, from rustup or else from Debian.
pub(super) fn source() -> Result<()> {
    let sysroot = PathBuf::from(run::read(&mut command("rustc", &["--print", "sysroot"]))?.trim());
    let version = rustc_version()?;
    let library = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    if library.exists() && matches(&sysroot, &version)? {
        say("rust-src", &format!("present: {version}"));
        return Ok(());
    }
    say("rust-src", &format!("{version}: adding with rustup"));
    let added = which("rustup").is_some()
        && run::show(&mut command("rustup", &["component", "add", "rust-src"])).is_ok();
    if !added {
        say(
            "rust-src",
            &format!("{version}: not there; from Debian {BACKPORTS}"),
        );
        from_debian(&sysroot, &version)?;
    }
    ensure!(library.exists(), "{} is still missing", library.display());
    Ok(())
}

/// `bpf-linker`, of the one version that fits.
pub(super) fn bpf_linker() -> Result<()> {
    let wanted = format!("bpf-linker {BPF_LINKER}");
    let found = run::read(&mut command("bpf-linker", &["--version"])).unwrap_or_default();
    if found.trim() == wanted {
        say("bpf-linker", &format!("present: {BPF_LINKER}"));
        return Ok(());
    }
    say(
        "bpf-linker",
        &format!("building {BPF_LINKER} (about two minutes)"),
    );
    run::show(&mut command(
        "cargo",
        &[
            "install",
            "bpf-linker",
            "--version",
            BPF_LINKER,
            "--locked",
            "--quiet",
            "--force",
        ],
    ))?;
    let found = run::read(&mut command("bpf-linker", &["--version"]))
        .context("bpf-linker was installed; is cargo's bin directory in $PATH?")?;
    ensure!(found.trim() == wanted, "{found} is found first in $PATH");
    Ok(())
}

/// Whether the sources belong to the compiler. rustup keeps a list of what it
/// added, and removes them with the toolchain; ours are a link that says so.
fn matches(sysroot: &Path, version: &str) -> Result<bool> {
    let source = sysroot.join("lib/rustlib/src/rust");
    if let Ok(target) = fs::read_link(&source) {
        return Ok(target.ends_with(format!("rustc-{version}")));
    }
    let components = sysroot.join("lib/rustlib/components");
    if !components.exists() {
        return Ok(true); // Not rustup's: a distribution's own, in step with its compiler.
    }
    let list = fs::read_to_string(components)?;
    Ok(list.lines().any(|line| line == "rust-src"))
}

fn rustc_version() -> Result<String> {
    let output = run::read(&mut command("rustc", &["--version"]))?;
    let version = output.split(' ').nth(1);
    Ok(version
        .with_context(|| format!("rustc --version: {output}"))?
        .to_owned())
}

/// Unpacks Debian's package beside the place where rustup would put it, and
/// links it there. Nothing is installed; no list of the system's apt is changed.
fn from_debian(sysroot: &Path, version: &str) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    download(scratch.path(), version)?;
    let package = fs::read_dir(scratch.path())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded nothing")?;
    let unpacked = place::tools().join("rust-src");
    fs::create_dir_all(&unpacked)?;
    run::show(
        command("dpkg-deb", &["--extract"])
            .arg(package)
            .arg(&unpacked),
    )?;
    let name = format!("rustc-{version}");
    let from = unpacked.join("usr/src").join(&name);
    ensure!(from.is_dir(), "Debian's package has no {name}");
    let sources = sysroot.join("lib/rustlib/src");
    fs::create_dir_all(&sources)?;
    run::show(command("cp", &["--recursive"]).arg(&from).arg(&sources))?;
    let link = sources.join("rust");
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    symlink(&name, &link).with_context(|| format!("linking {}", link.display()))?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

/// Downloads the package with lists of its own in `scratch`.
fn download(scratch: &Path, version: &str) -> Result<()> {
    let mirror = mirror()?;
    let list = scratch.join("backports.list");
    fs::write(&list, format!("deb {mirror} {BACKPORTS} main\n"))?;
    let lists = scratch.join("lists");
    fs::create_dir_all(lists.join("partial"))?;
    let ours = [
        format!("Dir::Etc::SourceList={}", list.display()),
        "Dir::Etc::SourceParts=-".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
        "APT::Sandbox::User=root".to_owned(),
    ];
    let with = |arguments: &[&str]| {
        let mut apt = apt_get(&[]);
        for option in &ours {
            apt.args(["-o", option]);
        }
        apt.args(arguments).current_dir(scratch);
        apt
    };
    run::show(&mut with(&["update", "--quiet", "--quiet"]))?;
    run::show(&mut with(&["download", &format!("rust-src={version}*")]))
        .with_context(|| format!("Debian's {BACKPORTS} has no rust-src {version}"))
}

/// The Debian mirror that this system uses.
fn mirror() -> Result<String> {
    let policy = run::read(&mut command("apt-cache", &["policy"]))?;
    for line in policy.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [_, url, suite, ..] = words.as_slice()
            && url.ends_with("/debian")
            && suite.ends_with("/main")
        {
            return Ok((*url).to_owned());
        }
    }
    bail!("apt-cache policy names no Debian mirror; run apt-get update")
}
