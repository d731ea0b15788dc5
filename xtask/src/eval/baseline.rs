//! Simple rules to compare with. Each looks at one service only.

use std::collections::BTreeMap;

use super::feed::{Prediction, Predictions};
use super::recorded::{Kind, Recorded};

/// The names of the rules, as in the table.
pub(super) const RULES: [&str; 3] = ["first come first served", "latest request", "last read"];

/// Predictions of every client span by one of [`RULES`].
pub(super) fn run(spans: &[Recorded], rule: &str) -> Predictions {
    let mut services: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for span in spans {
        services.entry(&span.service).or_default().push(span);
    }
    let mut predictions = BTreeMap::new();
    for spans in services.values() {
        let mut given = Vec::new();
        for call in spans.iter().filter(|span| span.kind == Kind::Client) {
            let parent = match rule {
                "first come first served" => first_come(spans, call, &given),
                "latest request" => latest(spans, call),
                _ => last_read(spans, call, &given),
            };
            given.extend(parent.map(|parent| (*call, parent)));
            let prediction = Prediction {
                parent,
                confidence: 1.0,
            };
            predictions.insert(call.span, prediction);
        }
    }
    predictions
}

fn open<'a>(spans: &'a [&Recorded], call: &'a Recorded) -> impl Iterator<Item = &'a Recorded> {
    let at = call.start_us;
    let servers = spans
        .iter()
        .copied()
        .filter(|span| span.kind == Kind::Server);
    servers.filter(move |span| span.start_us <= at && span.end_us >= at)
}

/// The earliest open request without a call of this name.
fn first_come(spans: &[&Recorded], call: &Recorded, given: &[(&Recorded, u64)]) -> Option<u64> {
    let without = |span: &&Recorded| {
        !given
            .iter()
            .any(|(other, parent)| *parent == span.span && other.name == call.name)
    };
    open(spans, call).find(without).map(|span| span.span)
}

/// The open request read last.
fn latest(spans: &[&Recorded], call: &Recorded) -> Option<u64> {
    open(spans, call)
        .max_by_key(|span| span.start_us)
        .map(|span| span.span)
}

/// The request read last, or the one of the answer read last.
fn last_read(spans: &[&Recorded], call: &Recorded, given: &[(&Recorded, u64)]) -> Option<u64> {
    let at = call.start_us;
    let requests = open(spans, call).map(|span| (span.start_us, span.span));
    let answers = given.iter().filter(|(other, _)| other.end_us <= at);
    let answers = answers.map(|(other, parent)| (other.end_us, *parent));
    requests
        .chain(answers)
        .max_by_key(|(time, _)| *time)
        .map(|(_, parent)| parent)
}
