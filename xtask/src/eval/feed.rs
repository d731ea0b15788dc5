//! Recorded spans as acts: what the engine is told of them, and nothing more
//! (neither traces nor the parents of client spans).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wirespan_stitch::causality::{
    Act, Causality, Config, Decision, ExchangeId, Features, Model, OwnerKey,
};
use wirespan_stitch::event::{SocketId, Task};
use wirespan_stitch::exchange::{Moment, Role};
use wirespan_stitch::time::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::recorded::{Kind, Recorded};

/// Who is said to have caused a call, and how sure that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prediction {
    pub(super) parent: Option<u64>,
    pub(super) confidence: f32,
}

/// Predictions by client span.
pub(super) type Predictions = BTreeMap<u64, Prediction>;

/// What a run gives.
#[derive(Debug)]
pub(super) struct Outcome {
    /// By client span.
    pub(super) predictions: Predictions,
    pub(super) models: Vec<(OwnerKey, Vec<u8>)>,
    pub(super) took: Duration,
    pub(super) decisions: Vec<Decision>,
}

/// Lets the engine decide on every client span.
pub(super) fn run(
    spans: &[Recorded],
    config: &Config,
    learnt: &[(OwnerKey, Vec<u8>)],
) -> anyhow::Result<Outcome> {
    let mut stage = Causality::new(config.clone());
    for (key, bytes) in learnt {
        stage.set_model(*key, Model::load(bytes)?);
    }
    let acts = acts(spans);
    let mut predictions = BTreeMap::new();
    let mut decisions = Vec::new();
    let mut keep = |stage: &mut Causality| {
        while let Some(decision) = stage.poll_decision() {
            let (call, prediction) = prediction(&decision);
            predictions.insert(call, prediction);
            decisions.push(decision);
        }
    };
    let begin = Instant::now();
    for (time, act) in acts {
        while stage.poll_timeout().is_some_and(|due| due <= time) {
            stage.handle_timeout(time);
        }
        stage.observe(act);
        keep(&mut stage);
    }
    stage.finish();
    keep(&mut stage);
    let took = begin.elapsed();
    let models = stage
        .models()
        .into_iter()
        .map(|(key, model)| (key, model.save()))
        .collect();
    Ok(Outcome {
        predictions,
        models,
        took,
        decisions,
    })
}

/// The best candidate, unless "none of them" is likelier.
fn prediction(decision: &Decision) -> (u64, Prediction) {
    let known: f32 = decision.candidates.iter().map(|c| c.confidence).sum();
    let none = (1.0 - known).max(0.0);
    let best = decision.candidates.first().filter(|c| c.confidence > none);
    let prediction = Prediction {
        parent: best.map(|c| c.cause.0),
        confidence: best.map_or(none, |c| c.confidence),
    };
    (decision.call.0, prediction)
}

/// Acts in the order of their times. At one time answers come first, then
/// requests, calls and responses.
fn acts(spans: &[Recorded]) -> Vec<(Timestamp, Act)> {
    let mut acts = Vec::with_capacity(spans.len() * 3);
    for (index, span) in spans.iter().enumerate() {
        let (role, start_rank) = match span.kind {
            Kind::Server => (Role::Server, 1),
            Kind::Client => (Role::Client, 2),
        };
        let end_rank = match span.kind {
            Kind::Client if span.end_us <= span.start_us => 2,
            Kind::Client => 0,
            Kind::Server => 3,
        };
        let exchange = ExchangeId(span.span);
        let (start, end) = (moment(span.start_us), moment(span.end_us));
        let started = Act::Started {
            exchange,
            role,
            socket: SocketId(span.span),
            at: start,
            features: features(span),
        };
        acts.push(((start.time, start_rank, index, 0), started));
        let answering = Act::Answering { exchange, at: end };
        acts.push(((end.time, end_rank, index, 1), answering));
        acts.push((
            (end.time, end_rank, index, 2),
            Act::Ended { exchange, at: end },
        ));
    }
    acts.sort_by_key(|(order, _)| *order);
    acts.into_iter()
        .map(|((time, ..), act)| (time, act))
        .collect()
}

fn features(span: &Recorded) -> Features {
    Features {
        owner: xxh3_64(span.service.as_bytes()),
        route: xxh3_64(span.name.as_bytes()),
        callee: span
            .peer
            .as_deref()
            .map_or(0, |peer| xxh3_64(peer.as_bytes())),
        ..Features::default()
    }
}

fn moment(time_us: u64) -> Moment {
    Moment {
        time: Timestamp(time_us * 1000),
        task: Task::default(),
    }
}
