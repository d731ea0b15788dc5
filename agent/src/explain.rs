//! `wirespan explain`: why a span has the parent it has.
//!
//! Replays the file twice: once for the span and what was weighed as its cause,
//! once for the requests that those candidates were.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use wirespan_stitch::engine::{self, Engine};
use wirespan_stitch::exchange::Role;
use wirespan_stitch::span::{Span, SpanId, Weighed};

use crate::cli;
use crate::replay::{Source, stitch};

/// Replays the file and explains the span with this id on standard output.
pub fn explain(path: &Path, id: &str, stitching: &cli::Stitching) -> Result<()> {
    let mut found = None;
    replay(path, stitching, |span| {
        if span.span_id.to_string() == id {
            found = Some(span);
        }
    })?;
    let Some(span) = found else {
        bail!("{}: there is no span {id}", path.display());
    };
    let mut named: BTreeMap<SpanId, String> = BTreeMap::new();
    if !span.candidates.is_empty() {
        let ids: Vec<_> = span
            .candidates
            .iter()
            .map(|weighed| weighed.span_id)
            .collect();
        replay(path, stitching, |other| {
            if ids.contains(&other.span_id) {
                named.insert(other.span_id, beside(&other, &span));
            }
        })?;
    }
    print!("{}", explained(&span, &named));
    Ok(())
}

fn replay(path: &Path, stitching: &cli::Stitching, mut each: impl FnMut(Span)) -> Result<()> {
    let mut source = Source::open(path)?;
    let mut engine = Engine::new(engine::Config {
        keep_candidates: true,
        ..stitching.config()
    });
    stitch(&mut source, &mut engine, |spans| spans.for_each(&mut each))
}

/// A candidate's request, and when it began and ended against the call's start.
fn beside(candidate: &Span, call: &Span) -> String {
    let offset = |time: u64| (time.cast_signed() - call.start.0.cast_signed()) as f64 / 1e6;
    format!(
        "{}, {:+.3} to {:+.3} ms",
        request(candidate),
        offset(candidate.start.0),
        offset(candidate.end.0)
    )
}

fn request(span: &Span) -> String {
    let request = &span.exchange.request;
    let target = String::from_utf8_lossy(&request.target);
    let path = target.split('?').next().unwrap_or_default();
    format!("{} {path}", String::from_utf8_lossy(&request.method))
}

fn explained(span: &Span, named: &BTreeMap<SpanId, String>) -> String {
    let kind = match span.kind {
        Role::Server => "server",
        Role::Client => "client",
    };
    let mut text = format!("span {} ({kind}): {}\n", span.span_id, request(span));
    let _ = writeln!(text, "  trace   {}", span.trace_id);
    let _ = match (span.parent, span.causality) {
        (Some(parent), Some(causality)) => writeln!(
            text,
            "  parent  {parent}, known by {} with confidence {:.3}",
            causality.method.as_str(),
            causality.confidence
        ),
        (Some(parent), None) => writeln!(text, "  parent  {parent}"),
        (None, _) => writeln!(
            text,
            "  parent  none: nothing was sure enough to be its cause"
        ),
    };
    if let Some(link) = span.link {
        let _ = writeln!(
            text,
            "  guess   {} of trace {}, by {} with confidence {:.3}: not enough for a parent",
            link.span_id,
            link.trace_id,
            link.causality.method.as_str(),
            link.causality.confidence
        );
    }
    if span.candidates.is_empty() {
        return text;
    }
    text.push_str(
        "\nweighed as its cause, best first (evidence as log-likelihood ratios against none):\n",
    );
    let mut left = 1.0;
    for weighed in &span.candidates {
        write_candidate(&mut text, weighed, named.get(&weighed.span_id));
        left -= weighed.causality.confidence;
    }
    let _ = writeln!(
        text,
        "  none of these     confidence {:.3}",
        f32::max(left, 0.0)
    );
    text
}

fn write_candidate(text: &mut String, weighed: &Weighed, name: Option<&String>) {
    let name = name.map_or("(not in this file)", String::as_str);
    let _ = writeln!(
        text,
        "  {}  confidence {:.3}  {name}",
        weighed.span_id, weighed.causality.confidence
    );
    for (method, weight) in &weighed.evidence {
        let _ = writeln!(text, "    {:<16} {weight:+.2}", method.as_str());
    }
}

#[cfg(test)]
mod tests {
    use wirespan_stitch::span::{Causality, Method};

    use super::*;
    use crate::testing;

    #[test]
    fn a_decision_is_told_as_it_was_made() {
        let none = BTreeMap::new();
        let text = explained(&testing::span(2, Some(1), Role::Client, 0, 1), &none);
        assert!(
            text.contains("span 0202020202020202 (client): GET /cart\n"),
            "{text}"
        );
        assert!(
            text.contains("parent  0101010101010101, known by thread with confidence 0.950"),
            "{text}"
        );
        let root = explained(&testing::span(2, None, Role::Server, 0, 1), &none);
        assert!(root.contains("parent  none"), "{root}");
    }

    #[test]
    fn candidates_are_told_with_their_evidence() {
        let mut span = testing::span(2, Some(1), Role::Client, 0, 1);
        let cause = testing::span(1, None, Role::Server, 0, 2);
        span.candidates.push(Weighed {
            span_id: cause.span_id,
            causality: Causality {
                method: Method::Thread,
                confidence: 0.95,
            },
            evidence: [(Method::Thread, 4.0), (Method::Timing, -0.5)]
                .into_iter()
                .collect(),
        });
        let named = BTreeMap::from([(cause.span_id, beside(&cause, &span))]);
        let text = explained(&span, &named);
        for line in [
            "  0101010101010101  confidence 0.950  GET /cart, +0.000 to ",
            "    thread           +4.00\n",
            "    timing           -0.50\n",
            "  none of these     confidence 0.050\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
