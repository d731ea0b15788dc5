//! Recorded spans with known parents: one JSON object a line, also compressed
//! with zstd.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One span as recorded.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Recorded {
    /// For scoring only.
    pub(super) trace: u64,
    pub(super) span: u64,
    /// Of a client span: the truth, for scoring only.
    pub(super) parent: Option<u64>,
    pub(super) service: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) start_us: u64,
    pub(super) end_us: u64,
    #[serde(default)]
    pub(super) peer: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Server,
    Client,
}

/// Reads a file of spans.
pub(super) fn read(path: &Path) -> Result<Vec<Recorded>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let compressed = path.extension().is_some_and(|extension| extension == "zst");
    let input: Box<dyn Read> = if compressed {
        Box::new(zstd::Decoder::new(file)?)
    } else {
        Box::new(file)
    };
    let mut spans = Vec::new();
    for (number, line) in BufReader::new(input).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), number + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            spans.push(serde_json::from_str(&line).with_context(place)?);
        }
    }
    Ok(spans)
}

/// Lets traces arrive `factor` times as often; what happens within each keeps
/// its times.
pub(super) fn compress(spans: &[Recorded], factor: u64) -> Vec<Recorded> {
    let mut first = BTreeMap::new();
    for span in spans {
        let start = first.entry(span.trace).or_insert(span.start_us);
        *start = span.start_us.min(*start);
    }
    let mut spans = spans.to_vec();
    for span in &mut spans {
        let earlier = first[&span.trace] - first[&span.trace] / factor;
        span.start_us -= earlier;
        span.end_us -= earlier;
    }
    spans.sort_by_key(|span| span.start_us);
    spans
}
