//! `cargo xtask eval causality`: the engine on recorded spans, against simple
//! rules and the recorded truth.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use wirespan_stitch::causality::{Config, KINDS};
use wirespan_stitch::span::Method;

use super::feed::Predictions;
use super::recorded::Recorded;
use super::table::{self, Row};
use super::{baseline, explain, feed, live, recorded, score};

/// Kinds of evidence that `--ablation` leaves out, one at a time.
pub(super) const ABLATED: [Method; 7] = [
    Method::Thread,
    Method::EventLoop,
    Method::Coroutine,
    Method::Token,
    Method::Route,
    Method::Timing,
    Method::Explicit,
];

/// What to evaluate on.
#[derive(Args)]
pub(crate) struct Options {
    /// Recorded spans, one JSON object a line (also .zst).
    #[arg(long, required_unless_present = "live", num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Let traces arrive this many times as often; several may be given.
    #[arg(long, num_args = 1.., value_name = "N", value_parser = factor)]
    compress: Vec<u64>,
    /// Learn from this file first.
    #[arg(long, value_name = "FILE")]
    learn: Option<PathBuf>,
    /// Write every score to this file.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Do not count calls of this service; several may be given.
    #[arg(long, num_args = 1.., value_name = "SERVICE")]
    except: Vec<String>,
    /// Do without a kind of evidence: explicit, thread, timing, …
    #[arg(long, value_name = "KIND", value_parser = kind)]
    without: Vec<Method>,
    /// Leave out one kind of evidence after the other, to see what each is worth;
    /// with --live on the recordings of --record or --replay.
    #[arg(long, conflicts_with = "without")]
    ablation: bool,
    /// Explain this many wrong links of each run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    wrong: usize,
    /// Do not run the simple rules.
    #[arg(long)]
    no_baselines: bool,
    #[command(flatten)]
    live: live::Options,
}

/// Runs the evaluation.
pub(super) fn run(options: &Options) -> Result<()> {
    if let Some(json) = live::run(&options.live, &options.without, options.ablation)? {
        return write(options, &json);
    }
    let left_out = |without: Vec<Method>| Config {
        without,
        ..Config::default()
    };
    let mut configs = vec![left_out(options.without.clone())];
    if options.ablation {
        configs.extend(ABLATED.map(|kind| left_out(vec![kind])));
    }
    let once = [1];
    let factors = if options.compress.is_empty() {
        &once[..]
    } else {
        &options.compress
    };
    let mut rows = Vec::new();
    table::header();
    for path in &options.data {
        let spans = recorded::read(path)?;
        for factor in factors {
            let spans = recorded::compress(&spans, *factor);
            let name = name(path);
            rows.extend(evaluate(&name, *factor, &spans, &configs, options)?);
        }
    }
    write(options, &serde_json::to_vec_pretty(&rows)?)
}

fn write(options: &Options, json: &[u8]) -> Result<()> {
    if let Some(path) = &options.json {
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn evaluate(
    data: &str,
    compress: u64,
    spans: &[Recorded],
    configs: &[Config],
    options: &Options,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut tell = |method: &str, predictions: &Predictions, us_per_link| {
        let row = Row {
            data: data.to_owned(),
            compress,
            method: method.to_owned(),
            score: score::score(spans, predictions, &options.except),
            us_per_link,
        };
        table::print(&row);
        rows.push(row);
    };
    if !options.no_baselines {
        for rule in baseline::RULES {
            tell(rule, &baseline::run(spans, rule), 0.0);
        }
    }
    for config in configs {
        let learnt = match &options.learn {
            Some(path) => feed::run(&recorded::read(path)?, config, &[])?.models,
            None => Vec::new(),
        };
        let outcome = feed::run(spans, config, &learnt)?;
        let links = outcome.predictions.len().max(1) as f64;
        tell(
            &method(config, !learnt.is_empty()),
            &outcome.predictions,
            outcome.took.as_secs_f64() * 1e6 / links,
        );
        explain::wrong(spans, &outcome, options.wrong);
    }
    Ok(rows)
}

/// What decides, as in the table.
fn method(config: &Config, learnt: bool) -> String {
    let mut name = "wirespan".to_owned();
    for kind in &config.without {
        let _ = write!(name, " -{}", kind.as_str());
    }
    if learnt {
        name.push_str(" (pre-learnt)");
    }
    name
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn factor(text: &str) -> Result<u64> {
    let digits = text.trim_start_matches(['×', 'x']);
    let factor = digits
        .parse()
        .with_context(|| format!("{text} is not a factor"))?;
    if factor == 0 {
        bail!("a factor of 0 would let all traces arrive at once");
    }
    Ok(factor)
}

fn kind(text: &str) -> Result<Method> {
    let found = KINDS.into_iter().find(|kind| kind.as_str() == text);
    found.with_context(|| {
        let known: Vec<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
        format!("not a kind of evidence; these are: {}", known.join(", "))
    })
}
