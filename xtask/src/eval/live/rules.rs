//! Simple rules to compare with, on what was seen live.

use std::collections::BTreeMap;

use wirespan_tests::span::Span;

use super::score::{Call, Seen};
use super::truth::Purpose;
use crate::eval::baseline;
use crate::eval::recorded::{Kind, Recorded};

/// Recall of each rule: calls for requests, jobs left out, with the right parent.
pub(super) fn recall(seen: &Seen<'_>) -> BTreeMap<&'static str, Option<f64>> {
    let spans = recorded(seen);
    let counted = |call: &&Call<'_>| {
        matches!(call.truth.purpose(), Purpose::Request | Purpose::After) && call.cause.is_some()
    };
    let calls: Vec<&Call<'_>> = seen.calls.iter().filter(counted).collect();
    let recall = |rule| {
        let predictions = baseline::run(&spans, rule);
        let right = |call: &&&Call<'_>| {
            let prediction = predictions.get(&number(call.span));
            prediction.and_then(|it| it.parent) == call.cause.map(number)
        };
        let right = calls.iter().filter(right).count();
        (!calls.is_empty()).then(|| right as f64 / calls.len() as f64)
    };
    baseline::RULES.map(|rule| (rule, recall(rule))).into()
}

fn recorded(seen: &Seen<'_>) -> Vec<Recorded> {
    let requests = seen
        .requests
        .values()
        .map(|span| record(span, Kind::Server));
    let calls = seen
        .calls
        .iter()
        .map(|call| record(call.span, Kind::Client));
    let mut spans: Vec<Recorded> = requests.chain(calls).collect();
    spans.sort_by_key(|span| span.start_us);
    spans
}

/// Without its parent, which no rule needs.
fn record(span: &Span, kind: Kind) -> Recorded {
    Recorded {
        trace: 0,
        span: number(span),
        parent: None,
        service: span
            .resource
            .get("process.pid")
            .cloned()
            .unwrap_or_default(),
        kind,
        name: format!("{} {}", span.get("server.port"), span.path()),
        start_us: span.start / 1000,
        end_us: span.end / 1000,
        peer: None,
    }
}

fn number(span: &Span) -> u64 {
    u64::from_str_radix(&span.span_id, 16).unwrap_or_default()
}
