//! Why wrong links were chosen, for people.

use std::collections::BTreeMap;

use super::feed::Outcome;
use super::recorded::Recorded;

/// Prints up to `limit` wrong links with their candidates and the evidence.
pub(super) fn wrong(spans: &[Recorded], outcome: &Outcome, limit: usize) {
    let by_id: BTreeMap<u64, &Recorded> = spans.iter().map(|span| (span.span, span)).collect();
    let mut left = limit;
    for decision in &outcome.decisions {
        let Some(call) = by_id.get(&decision.call.0) else {
            continue;
        };
        let Some(prediction) = outcome.predictions.get(&call.span) else {
            continue;
        };
        if prediction.parent == call.parent {
            continue;
        }
        if left == 0 {
            return;
        }
        left -= 1;
        println!(
            "call {} of {}: {} from {} to {}",
            call.span, call.service, call.name, call.start_us, call.end_us
        );
        let told = decision.candidates.iter().map(|c| c.cause.0);
        if call
            .parent
            .is_none_or(|parent| !told.clone().any(|cause| cause == parent))
        {
            println!("   the true cause {:?} was no candidate", call.parent);
        }
        for candidate in &decision.candidates {
            let Some(cause) = by_id.get(&candidate.cause.0) else {
                continue;
            };
            let mark = if call.parent == Some(cause.span) {
                '='
            } else {
                ' '
            };
            println!(
                " {mark} {:6.3} {} {} from {} to {}: {:?}",
                candidate.confidence,
                cause.span,
                cause.name,
                cause.start_us,
                cause.end_us,
                candidate.evidence
            );
        }
    }
}
