//! Scores as a table for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::load::Pace;
use super::score::Score;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// The kind of server.
    pub(super) model: String,
    /// How requests came.
    pub(super) pace: Pace,
    /// The scores.
    pub(super) score: Score,
    /// Recall of simple rules.
    pub(super) baselines: BTreeMap<&'static str, Option<f64>>,
}

/// Prints the header.
pub(super) fn header() {
    println!(
        "{:<16} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}  recall by rules",
        "model",
        "flight",
        "reqs",
        "calls",
        "seen",
        "recall",
        "precis.",
        "request",
        "after",
        "job",
        "j.link",
        "j.byst",
        "timer",
        "w≥.9",
        "ECE",
    );
}

/// Prints a line; shares in percent, but for the calibration error.
pub(super) fn print(row: &Row) {
    let score = &row.score;
    let pace = match row.pace {
        Pace::InFlight(count) => count.to_string(),
        Pace::Rate(rate) => format!("{rate}/s"),
    };
    let ece = score
        .calibration_error
        .map_or("-".to_owned(), |error| format!("{error:.3}"));
    let rules = row.baselines.iter();
    let rules: Vec<_> = rules
        .map(|(rule, recall)| format!("{rule} {}", percent(*recall).trim()))
        .collect();
    println!(
        "{:<16} {pace:>6} {:>6} {:>6} {} {} {} {} {} {} {} {} {} {} {ece:>6}  {}",
        row.model,
        score.requests,
        score.calls,
        percent(score.seen),
        percent2(score.recall),
        percent2(score.precision),
        percent2(score.request),
        percent(score.after),
        percent(score.job),
        percent(score.job_linked),
        percent(score.job_bystander),
        percent(score.timer_given),
        percent(score.wrong_sure),
        rules.join(", "),
    );
}

fn percent(share: Option<f64>) -> String {
    share.map_or(format!("{:>6}", "-"), |share| {
        format!("{:>6.1}", 100.0 * share)
    })
}

fn percent2(share: Option<f64>) -> String {
    share.map_or(format!("{:>7}", "-"), |share| {
        format!("{:>7.2}", 100.0 * share)
    })
}
