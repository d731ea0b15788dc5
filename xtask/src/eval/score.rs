//! How right predictions are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::feed::{Prediction, Predictions};
use super::recorded::{Kind, Recorded};

/// Confidence from which a parent counts as given.
const COVERED: f32 = 0.5;
/// Confidence from which a wrong link is a broken promise.
const SURE: f32 = 0.9;
/// Bins of the calibration error.
const BINS: usize = 10;

/// Every score of one run; shares from 0 to 1.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Score {
    /// Client spans with the right parent (or rightly none).
    pub(super) link: f64,
    /// Server spans with calls whose every call is right.
    pub(super) request: f64,
    /// Traces right throughout.
    pub(super) trace: f64,
    /// Client spans given a parent with confidence ≥ 0.5.
    pub(super) coverage: f64,
    /// Wrong links among those with confidence ≥ 0.9.
    pub(super) wrong_sure: f64,
    /// Links with confidence ≥ 0.9.
    pub(super) sure: f64,
    /// Expected calibration error.
    pub(super) calibration_error: f64,
    /// Calls without a cause that were given one with confidence ≥ 0.5.
    pub(super) false_parents: f64,
    /// Link accuracy by requests in flight at the call: (flight, links, right).
    pub(super) by_flight: Vec<(u64, u64, f64)>,
    /// Client spans.
    pub(super) links: u64,
}

/// Scores predictions against the recorded parents; calls of the services
/// `except` do not count.
pub(super) fn score(spans: &[Recorded], predictions: &Predictions, except: &[String]) -> Score {
    let counts = |span: &&Recorded| span.kind == Kind::Client && !except.contains(&span.service);
    let calls = || spans.iter().filter(counts);
    let mut tally = Tally::default();
    let (mut bad_requests, mut bad_traces) = (BTreeSet::new(), BTreeSet::new());
    let flights = in_flight(spans);
    for call in calls() {
        let prediction = predictions.get(&call.span).copied().unwrap_or(Prediction {
            parent: None,
            confidence: 0.0,
        });
        let right = prediction.parent == call.parent;
        if !right {
            bad_requests.extend(call.parent);
            bad_requests.extend(prediction.parent);
            bad_traces.insert(call.trace);
        }
        tally.add(call, prediction, right, flights[&call.span]);
    }
    let causes: BTreeSet<u64> = calls().filter_map(|call| call.parent).collect();
    let traces: BTreeSet<u64> = spans.iter().map(|span| span.trace).collect();
    let good = causes
        .iter()
        .filter(|cause| !bad_requests.contains(cause))
        .count();
    Score {
        request: share(good, causes.len()),
        trace: 1.0 - share(bad_traces.len(), traces.len()),
        ..tally.score()
    }
}

#[derive(Default)]
struct Tally {
    links: usize,
    right: usize,
    covered: usize,
    sure: usize,
    wrong_sure: usize,
    causeless: usize,
    false_parents: usize,
    bins: [(usize, usize, f64); BINS],
    flights: BTreeMap<u64, (usize, usize)>,
}

impl Tally {
    fn add(&mut self, call: &Recorded, prediction: Prediction, right: bool, flight: u64) {
        let given = prediction.parent.is_some() && prediction.confidence >= COVERED;
        let sure = prediction.parent.is_some() && prediction.confidence >= SURE;
        self.links += 1;
        self.right += usize::from(right);
        self.covered += usize::from(given);
        self.sure += usize::from(sure);
        self.wrong_sure += usize::from(sure && !right);
        self.causeless += usize::from(call.parent.is_none());
        self.false_parents += usize::from(call.parent.is_none() && given);
        let bin = (1..BINS).filter(|bin| prediction.confidence >= *bin as f32 / BINS as f32);
        let bin = &mut self.bins[bin.count()];
        bin.0 += 1;
        bin.1 += usize::from(right);
        bin.2 += f64::from(prediction.confidence);
        let flight = self.flights.entry(bucket(flight)).or_default();
        flight.0 += 1;
        flight.1 += usize::from(right);
    }

    fn score(&self) -> Score {
        let off = self
            .bins
            .iter()
            .map(|(_, right, sum)| (*right as f64 - sum).abs());
        let flights = self.flights.iter();
        Score {
            link: share(self.right, self.links),
            coverage: share(self.covered, self.links),
            wrong_sure: share(self.wrong_sure, self.sure),
            sure: share(self.sure, self.links),
            calibration_error: off.sum::<f64>() / self.links.max(1) as f64,
            false_parents: share(self.false_parents, self.causeless),
            by_flight: flights
                .map(|(flight, (links, right))| (*flight, *links as u64, share(*right, *links)))
                .collect(),
            links: self.links as u64,
            ..Score::default()
        }
    }
}

/// Requests of the same service that were open when each client span began.
fn in_flight(spans: &[Recorded]) -> BTreeMap<u64, u64> {
    let mut services: BTreeMap<&str, Vec<(u64, i8, u64)>> = BTreeMap::new();
    for span in spans {
        let events = services.entry(&span.service).or_default();
        match span.kind {
            Kind::Server => {
                events.push((span.start_us, 0, 0));
                events.push((span.end_us, 2, 0));
            }
            Kind::Client => events.push((span.start_us, 1, span.span)),
        }
    }
    let mut flights = BTreeMap::new();
    for events in services.values_mut() {
        events.sort_unstable();
        let mut open = 0;
        for (_, what, span) in events {
            match what {
                0 => open += 1,
                2 => open -= 1,
                _ => {
                    flights.insert(*span, open);
                }
            }
        }
    }
    flights
}

/// The power of two that a number of requests in flight counts under.
fn bucket(flight: u64) -> u64 {
    flight.max(1).next_power_of_two()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
