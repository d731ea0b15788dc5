//! Runs kept in a directory: a recording of what wirespan saw, and beside it what
//! is true. So a run can be scored again, and explained, without running it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wirespan_stitch::span::Method;
use wirespan_tests::place;
use wirespan_tests::span::{self, Span};

use super::load::Pace;
use super::model::Model;
use super::truth::Truth;

/// What is true of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The kind of server.
    pub(super) model: String,
    /// How requests came.
    pub(super) pace: Pace,
    /// Requests that were answered.
    pub(super) answered: u32,
    /// Every call that the server made.
    pub(super) made: Vec<Truth>,
}

/// Makes room for the recording of a run, and says where it goes.
pub(super) fn prepare(directory: &Path, model: &str, pace: Pace) -> Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let file = recording(directory, model, pace);
    if file.exists() {
        fs::remove_file(&file)?;
    }
    Ok(file)
}

/// Writes what is true of a run beside its recording.
pub(super) fn write(directory: &Path, facts: &Facts) -> Result<()> {
    let file = recording(directory, &facts.model, facts.pace).with_extension("json");
    fs::write(&file, serde_json::to_vec(facts)?)
        .with_context(|| format!("writing {}", file.display()))
}

/// The runs of these models kept there, sorted by their files' names.
pub(super) fn of_models(directory: &Path, models: &[Model]) -> Result<Vec<Facts>> {
    let names: Vec<String> = models.iter().map(|model| model.name()).collect();
    let mut kept = read(directory)?;
    kept.retain(|facts| names.contains(&facts.model));
    Ok(kept)
}

fn read(directory: &Path) -> Result<Vec<Facts>> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let facts = files.iter().map(|file| {
        let text = fs::read(file)?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))
    });
    facts.collect()
}

/// The spans of a run, by `wirespan replay` without these kinds of evidence.
pub(super) fn replay(directory: &Path, facts: &Facts, without: &[Method]) -> Result<Vec<Span>> {
    let output = Command::new(place::wirespan())
        .arg("replay")
        .arg(recording(directory, &facts.model, facts.pace))
        .args(["--query", "keep", "--json", "-"])
        .args(leave_out(without))
        .output()
        .context("starting wirespan replay")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "wirespan replay: {}\n{log}",
        output.status
    );
    span::parse(std::str::from_utf8(&output.stdout)?)
}

/// Arguments for wirespan to do without these kinds of evidence.
pub(super) fn leave_out(without: &[Method]) -> Vec<&'static str> {
    let arguments = without.iter().map(|kind| ["--without", kind.as_str()]);
    arguments.flatten().collect()
}

fn recording(directory: &Path, model: &str, pace: Pace) -> PathBuf {
    let pace = match pace {
        Pace::InFlight(count) => format!("{count:03}"),
        Pace::Rate(rate) => format!("{rate}-per-second"),
    };
    directory.join(format!("{model}-{pace}.wsr"))
}
