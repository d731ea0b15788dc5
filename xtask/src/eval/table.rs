//! Scores as a table for people.

use super::score::Score;

/// One line of the table.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Row {
    /// Name of the data.
    pub(super) data: String,
    /// How many times as often traces arrive.
    pub(super) compress: u64,
    /// What decided: the engine, or a rule.
    pub(super) method: String,
    /// The scores.
    pub(super) score: Score,
    /// Time for each client span, in µs.
    pub(super) us_per_link: f64,
}

/// Prints the header.
pub(super) fn header() {
    println!(
        "{:<14} {:>3}  {:<24} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}  link % by requests in flight",
        "data",
        "×",
        "method",
        "link %",
        "req. %",
        "trace %",
        "cover %",
        "w≥.9 %",
        "ECE",
        "false %",
        "µs/link"
    );
}

/// Prints a line.
pub(super) fn print(row: &Row) {
    let score = &row.score;
    let percent = |share: f64| 100.0 * share;
    let flights = score
        .by_flight
        .iter()
        .map(|(n, _, share)| format!("≤{n}: {:.1}", percent(*share)));
    println!(
        "{:<14} {:>3}  {:<24} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>7.3} {:>7.2} {:>7.2}  {}",
        row.data,
        row.compress,
        row.method,
        percent(score.link),
        percent(score.request),
        percent(score.trace),
        percent(score.coverage),
        percent(score.wrong_sure),
        score.calibration_error,
        percent(score.false_parents),
        row.us_per_link,
        flights.collect::<Vec<_>>().join("  "),
    );
}
