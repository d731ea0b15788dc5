//! The OpenTelemetry Collector of the tests and the sink of the benchmarks,
//! built from `tests/collector`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use wirespan_tests::place;

use super::say;
use crate::run;

/// Go packages within `tests/collector`, and the programs they become.
const PROGRAMS: [(&str, &str); 2] = [(".", "otelcol"), ("./sink", "otlp-sink")];

/// Builds them, unless each is newer than all that they are made of.
pub(super) fn build(go: &Path) -> Result<()> {
    let source = place::root().join("tests/collector");
    let newest = newest(&source)?.max(newest(&source.join("sink"))?);
    let current = |(_, name): (&str, &str)| modified(&binary(name)).is_ok_and(|time| time > newest);
    if PROGRAMS.into_iter().all(current) {
        say("collector", "present");
        return Ok(());
    }
    say("collector", "building (one to two minutes)");
    fs::create_dir_all(place::tools())?;
    for (package, name) in PROGRAMS {
        let mut build = run::command(&go.display().to_string(), &["build", "-trimpath"]);
        build
            .args(["-buildvcs=false", "-ldflags=-s -w", "-o"])
            .arg(binary(name))
            .arg(package)
            .current_dir(&source)
            .env("GOTOOLCHAIN", "local");
        run::show(&mut build).with_context(|| format!("building {name}"))?;
        // An unchanged result keeps its old time otherwise.
        let file = fs::File::options().append(true).open(binary(name))?;
        file.set_modified(SystemTime::now())?;
    }
    Ok(())
}

fn binary(name: &str) -> PathBuf {
    place::tools().join(name)
}

/// When a source in this directory was last changed.
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
