//! The OpenTelemetry Collector of the tests, built from `tests/collector`.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use wirespan_tests::place;

use super::say;
use crate::run;

/// Builds it unless the binary is newer than all that it is made of.
pub(super) fn build(go: &Path) -> Result<()> {
    let source = place::root().join("tests/collector");
    let binary = place::tools().join("otelcol");
    if newest(&source)? <= modified(&binary).unwrap_or(SystemTime::UNIX_EPOCH) {
        say("collector", "present");
        return Ok(());
    }
    say("collector", "building (one to two minutes)");
    fs::create_dir_all(place::tools())?;
    let mut build = run::command(&go.display().to_string(), &["build", "-trimpath"]);
    build
        .args(["-buildvcs=false", "-ldflags=-s -w", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(&source)
        .env("GOTOOLCHAIN", "local");
    run::show(&mut build).context("building the collector")?;
    // An unchanged result keeps its old time otherwise.
    fs::File::options()
        .append(true)
        .open(&binary)?
        .set_modified(SystemTime::now())?;
    Ok(())
}

fn newest(directory: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension != "yaml")
        {
            newest = newest.max(modified(&path)?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Result<SystemTime> {
    Ok(fs::metadata(path)?.modified()?)
}
