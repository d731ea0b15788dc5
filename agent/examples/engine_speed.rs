//! Measures the engine alone: `engine_speed RECORDING [RUNS]` stitches the
//! events of a recording from memory, and prints how fast and with how many
//! allocations. One run is for those who count instructions.

use std::alloc::System;
use std::fs::File;
use std::time::Instant;

use anyhow::{Context, bail};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wirespan::recording::Reader;
use wirespan_stitch::engine::{Config, Engine};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs over the same events, of which the fastest counts.
const RUNS: usize = 5;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        bail!("usage: engine_speed RECORDING [RUNS]");
    };
    let runs = arguments.next().map_or(Ok(RUNS), |runs| runs.parse())?;
    let file = File::open(&path).with_context(|| path.clone())?;
    let mut reader = Reader::new(file)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    let mut best: Option<(f64, u64, usize)> = None;
    for _ in 0..runs {
        let input = events.clone();
        let region = Region::new(ALLOCATOR);
        let start = Instant::now();
        let mut engine = Engine::new(Config::default());
        let mut spans = 0;
        for event in input {
            engine.handle_event(event);
            while engine.poll_verdict().is_some() {}
            while engine.poll_span().is_some() {
                spans += 1;
            }
        }
        engine.finish();
        while engine.poll_span().is_some() {
            spans += 1;
        }
        let seconds = start.elapsed().as_secs_f64();
        let allocations = region.change().allocations;
        if best.is_none_or(|(fastest, ..)| seconds < fastest) {
            best = Some((seconds, spans, allocations));
        }
    }
    let (seconds, spans, allocations) = best.context("no run")?;
    println!(
        "{{\"events\":{},\"exchanges\":{spans},\"exchanges_per_second\":{:.0},\"allocations_per_exchange\":{:.2}}}",
        events.len(),
        spans as f64 / seconds,
        allocations as f64 / spans as f64
    );
    Ok(())
}
