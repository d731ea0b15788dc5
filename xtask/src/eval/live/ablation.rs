//! What each kind of evidence is worth: recordings scored again without it.
//!
//! In: the rows with everything. Out: a line for each group of models and each
//! kind left out, with the means over the group's models.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use wirespan_stitch::span::Method;

use super::kept;
use super::load::Pace;
use super::model::Model;
use super::table::Row;
use crate::eval::causality::ABLATED;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// The group of models.
    group: &'static str,
    /// The kind of evidence left out.
    without: Option<&'static str>,
    /// By pace, in order.
    paces: Vec<(String, Means)>,
}

/// Means over the models of a group; `None` where there was nothing to be right
/// or wrong about.
#[derive(Clone, Debug, Default, Serialize)]
struct Means {
    recall: Option<f64>,
    precision: Option<f64>,
    wrong_sure: Option<f64>,
}

/// Scores the recordings without one kind of evidence after the other, and
/// prints the table. `whole` are their rows with all of them.
pub(super) fn run(directory: &Path, models: &[Model], whole: &[Row]) -> Result<Vec<Line>> {
    println!();
    let mut lines = Vec::new();
    let all = lines_of(models, None, whole);
    header(&all);
    all.iter().for_each(print);
    lines.extend(all);
    for kind in ABLATED {
        let mut rows = Vec::new();
        for facts in kept::of_models(directory, models)? {
            let spans = kept::replay(directory, &facts, &[kind])?;
            rows.push(super::row(&facts, &spans)?);
        }
        let of_kind = lines_of(models, Some(kind), &rows);
        of_kind.iter().for_each(print);
        lines.extend(of_kind);
    }
    Ok(lines)
}

fn lines_of(models: &[Model], without: Option<Method>, rows: &[Row]) -> Vec<Line> {
    let mut groups: Vec<(&'static str, Vec<&Row>)> = Vec::new();
    for model in models {
        let of_model = rows.iter().filter(|row| row.model == model.name());
        match groups.iter_mut().find(|(group, _)| *group == model.group()) {
            Some((_, rows)) => rows.extend(of_model),
            None => groups.push((model.group(), of_model.collect())),
        }
    }
    groups.retain(|(_, rows)| !rows.is_empty());
    let lines = groups.into_iter().map(|(group, rows)| {
        let mut paces: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            paces.entry(pace(row.pace)).or_default().push(row);
        }
        Line {
            group,
            without: without.map(Method::as_str),
            paces: paces
                .into_iter()
                .map(|((count, unit), rows)| (format!("{count}{unit}"), Means::of(&rows)))
                .collect(),
        }
    });
    lines.collect()
}

impl Means {
    fn of(rows: &[&Row]) -> Self {
        let mean = |of: fn(&Row) -> Option<f64>| {
            let known: Vec<f64> = rows.iter().filter_map(|row| of(row)).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        Self {
            recall: mean(|row| row.score.recall),
            precision: mean(|row| row.score.precision),
            wrong_sure: mean(|row| row.score.wrong_sure),
        }
    }
}

fn pace(pace: Pace) -> (u32, &'static str) {
    match pace {
        Pace::InFlight(count) => (count, ""),
        Pace::Rate(rate) => (rate, "/s"),
    }
}

fn header(lines: &[Line]) {
    print!("{:<10} {:<12}", "group", "without");
    let longest = lines.iter().max_by_key(|line| line.paces.len());
    for (pace, _) in longest.into_iter().flat_map(|line| &line.paces) {
        print!("  {:>23}", format!("{pace}: rec. prec. w≥.9"));
    }
    println!();
}

fn print(line: &Line) {
    print!(
        "{:<10} {:<12}",
        line.group,
        line.without.unwrap_or("nothing")
    );
    for means in line.paces.iter().map(|(_, means)| means) {
        let shares = [means.recall, means.precision, means.wrong_sure];
        let [recall, precision, wrong] = shares.map(percent);
        print!("  {recall:>7} {precision:>7} {wrong:>7}");
    }
    println!();
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1}", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::live::score::Score;

    fn row(model: &str, recall: Option<f64>) -> Row {
        Row {
            model: model.to_owned(),
            pace: Pace::InFlight(8),
            score: Score {
                recall,
                ..Score::default()
            },
            baselines: BTreeMap::new(),
        }
    }

    #[test]
    fn a_group_is_the_mean_of_its_models() {
        let models = [Model::Go, Model::GoWorkers, Model::Node, Model::Tokio];
        let rows = [
            row("go", Some(0.5)),
            row("go-workers", Some(1.0)),
            row("node", None),
        ];
        let lines = lines_of(&models, Some(Method::Timing), &rows);
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.group, line.without, line.paces[0].1.recall))
            .collect();
        let expected = [
            ("go", Some("timing"), Some(0.75)),
            ("node", Some("timing"), None),
        ];
        assert_eq!(told, expected);
    }
}
