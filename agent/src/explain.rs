//! `wirespan explain`: why a span has the parent it has.
//!
//! What the engine says of its decision is told: parent, method, confidence,
//! best guess. The candidates it weighed and their evidence are not kept yet.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use wirespan_stitch::engine::Engine;
use wirespan_stitch::exchange::Role;
use wirespan_stitch::span::Span;

use crate::cli;
use crate::replay::{Source, stitch};

/// Replays the file and explains the span with this id on standard output.
pub fn explain(path: &Path, id: &str, stitching: &cli::Stitching) -> Result<()> {
    let mut source = Source::open(path)?;
    let mut engine = Engine::new(stitching.config());
    let mut found = None;
    stitch(&mut source, &mut engine, |spans| {
        for span in spans {
            if span.span_id.to_string() == id {
                found = Some(span);
            }
        }
    })?;
    let Some(span) = found else {
        bail!("{}: there is no span {id}", path.display());
    };
    print!("{}", explained(&span));
    Ok(())
}

fn explained(span: &Span) -> String {
    let request = &span.exchange.request;
    let kind = match span.kind {
        Role::Server => "server",
        Role::Client => "client",
    };
    let target = String::from_utf8_lossy(&request.target);
    let path = target.split('?').next().unwrap_or_default();
    let method = String::from_utf8_lossy(&request.method);
    let mut text = format!("span {} ({kind}): {method} {path}\n", span.span_id);
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
    text.push_str("  (the other candidates and their evidence are not kept yet)\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_decision_is_told_as_it_was_made() {
        let text = explained(&testing::span(2, Some(1), Role::Client, 0, 1));
        assert!(
            text.contains("span 0202020202020202 (client): GET /cart\n"),
            "{text}"
        );
        assert!(
            text.contains("parent  0101010101010101, known by thread with confidence 0.950"),
            "{text}"
        );
        let root = explained(&testing::span(2, None, Role::Server, 0, 1));
        assert!(root.contains("parent  none"), "{root}");
    }
}
