//! Measures the way from spans to bytes: `export_speed RECORDING` stitches a
//! recording, and prints how long the mapping, batching and encoding of its
//! spans takes, drop included, and with how many allocations.

use std::alloc::System;
use std::fs::File;
use std::time::Instant;

use anyhow::{Context, bail};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wirespan::export::batch::{Batch, Batcher, Limits, Mapping};
use wirespan::recording::Reader;
use wirespan_stitch::engine::{Config, Engine};
use wirespan_stitch::span::Span;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs over the same spans, of which the fastest counts.
const RUNS: usize = 9;

fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        bail!("usage: export_speed RECORDING");
    };
    let spans = spans(&path)?;
    let mut best: Option<(f64, usize, usize)> = None;
    for _ in 0..RUNS {
        let input = spans.clone();
        let region = Region::new(ALLOCATOR);
        let start = Instant::now();
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        let mut bytes = 0;
        for span in input {
            bytes += batcher.add(&span, start).map_or(0, |batch| size(&batch));
        }
        bytes += batcher.take().map_or(0, |batch| size(&batch));
        let seconds = start.elapsed().as_secs_f64();
        let allocations = region.change().allocations;
        if best.is_none_or(|(fastest, ..)| seconds < fastest) {
            best = Some((seconds, bytes, allocations));
        }
    }
    let (seconds, bytes, allocations) = best.context("no run")?;
    let count = spans.len() as f64;
    println!(
        "{{\"spans\":{count},\"ns_per_span\":{:.0},\"bytes_per_span\":{:.0},\"allocations_per_span\":{:.3}}}",
        seconds * 1e9 / count,
        bytes as f64 / count,
        allocations as f64 / count
    );
    Ok(())
}

fn spans(path: &str) -> anyhow::Result<Vec<Span>> {
    let file = File::open(path).with_context(|| path.to_owned())?;
    let mut reader = Reader::new(file)?;
    let mut engine = Engine::new(Config::default());
    let mut spans = Vec::new();
    while let Some(event) = reader.next_event()? {
        engine.handle_event(event);
        while engine.poll_verdict().is_some() {}
        spans.extend(std::iter::from_fn(|| engine.poll_span()));
    }
    engine.finish();
    spans.extend(std::iter::from_fn(|| engine.poll_span()));
    Ok(spans)
}

fn size(batch: &Batch) -> usize {
    batch.size()
}
