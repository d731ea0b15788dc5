//! `wirespan explain --model`: what was learnt of each service, as text.
//!
//! In: what a run left in its state directory, or a recording, which is replayed
//! to learn from it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wirespan_stitch::causality::{Learnt, Tally};
use wirespan_stitch::engine::Engine;

use crate::cli;
use crate::replay::{Source, stitch};
use crate::state::{self, file};

/// Shows what was learnt on standard output. `path` is a state directory, the
/// file in it, a recording or a packet capture; by default the directory that
/// `run` uses.
pub fn show(path: Option<&Path>, stitching: &cli::Stitching) -> Result<()> {
    let learnt = match state::directory(path.or(stitching.state_dir.as_deref())) {
        Some(path) => read(&path, stitching)?,
        None => bail!("where? (a state directory, or a recording)"),
    };
    if learnt.is_empty() {
        println!("nothing was learnt yet");
    }
    for learnt in &learnt {
        print!("{}", described(learnt)?);
    }
    Ok(())
}

fn read(path: &Path, stitching: &cli::Stitching) -> Result<Vec<Learnt>> {
    let shown = || path.display().to_string();
    if path.is_dir() {
        return file::read(&path.join(file::NAME)).with_context(shown);
    }
    match file::read(path) {
        Err(file::StateError::Foreign) => learn(path, stitching),
        result => result.with_context(shown),
    }
}

fn learn(path: &Path, stitching: &cli::Stitching) -> Result<Vec<Learnt>> {
    let mut source = Source::open(path)?;
    let mut engine = Engine::new(stitching.config());
    stitch(&mut source, &mut engine, |spans| spans.for_each(drop))?;
    Ok(engine.learnt())
}

fn described(learnt: &Learnt) -> Result<String> {
    let kind = &learnt.kind;
    let mut text = format!("{} ({})\n", kind.service, kind.executable);
    let portrait = learnt.portrait();
    text.push_str(&portrait.with_context(|| kind.service.clone())?);
    if let Some(told) = audit(&learnt.self_audit) {
        let _ = writeln!(text, "  self-audit: {told}");
    }
    text.push('\n');
    Ok(text)
}

/// A self-audit in one line; `None` if there was nothing to audit.
pub fn audit(tally: &Tally) -> Option<String> {
    let percent = |share: Option<f64>| {
        share.map_or("-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
    };
    (tally.known > 0).then(|| {
        format!(
            "without headers {} of {} calls given a parent; precision {}, recall {}; {} of {} sure ones wrong",
            tally.given,
            tally.known,
            percent(tally.precision()),
            percent(tally.recall()),
            tally.sure_wrong,
            tally.sure,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_is_told_if_there_was_one() {
        assert_eq!(audit(&Tally::default()), None);
        let tally = Tally {
            known: 200,
            given: 100,
            right: 99,
            sure: 50,
            sure_wrong: 1,
        };
        let told = audit(&tally).unwrap();
        assert!(told.contains("100 of 200"), "{told}");
        assert!(told.contains("precision 99.00 %, recall 49.50 %"), "{told}");
        assert!(told.contains("1 of 50 sure ones wrong"), "{told}");
    }
}
