//! How sure a choice is: the probability of each candidate, from how much worse
//! the best joint choice becomes when the call is given to that candidate.

use smallvec::SmallVec;

use super::act::Candidate;
use super::adjacency::Kind;
use super::batch::Place;
use super::call::{Call, Weights};
use super::opener::OPENER;
use super::request::Request;
use super::solve::{Gain, PATH_METHOD, PLAIN, Solver};
use crate::span::Method;

/// Timing is overconfident: its part is cooled by this factor.
const COOLING: f32 = 0.6;
/// The same where other calls are not looked at.
const GREEDY_COOLING: f32 = 0.4;
/// Candidates weighed against each other, the likeliest at a glance.
const MAX_WEIGHED: usize = 16;
/// What the audit sees are the calls that other evidence made sure. Of those it
/// left in doubt, timing alone got 8 to 30 % right where it had agreed with most
/// of the sure ones (live servers, 8 in flight): it makes no parents there.
const DOUBTFUL: f32 = 0.5;
/// How far timing is trusted between one request and no cause.
const ALONE: f32 = 0.9;
/// Lead from which evidence of structure counts as what decided.
const STRONG: f32 = 2.0;
/// A step of an event loop that is right this often may make a choice sure. Many
/// unsure ones that agree may not: they go wrong together.
const FIRM: f32 = 0.95;
const MOST_OF_UNSURE: f32 = 0.89;
/// Odds (in nats) from which the queue is sure by itself: 9 to 1 against all others
/// together.
const FIRM_QUEUE: f32 = 2.2;
/// Candidates told in a decision.
const MAX_TOLD: usize = 8;

/// Log-likelihood ratios by kind.
type Evidence = SmallVec<[(Method, f32); 4]>;

/// The odds of one candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds {
    /// The request; `None` is "no cause".
    pub(super) request: Option<u32>,
    /// What choosing it would gain.
    pub(super) gain: Gain,
    /// Its probability.
    pub(super) probability: f32,
}

impl Odds {
    /// Where there are no candidates.
    pub(super) const NOBODY: Self = Self {
        request: None,
        gain: Gain {
            timing: 0.0,
            fixed: 0.0,
        },
        probability: 1.0,
    };
}

/// The odds of every candidate of a call, best first.
pub(super) fn odds(solver: &Solver<'_>, call: u32) -> Vec<Odds> {
    let Some(row) = solver.scene.calls.get(call) else {
        return Vec::new();
    };
    let others = solver
        .likeliest(call, |_| true, MAX_WEIGHED)
        .into_iter()
        .map(Some);
    let none = row.parent.is_some().then_some(None);
    let mut odds: Vec<Odds> = others
        .chain([row.parent])
        .chain(none)
        .filter_map(|request| {
            let mut gain = if request == row.parent {
                Gain::default()
            } else {
                solver.best_way(call, request)?.0
            };
            // What the other calls of a swap lose says nothing of this one.
            gain.fixed = row.told(request)?;
            Some(Odds {
                request,
                gain,
                probability: 0.0,
            })
        })
        .collect();
    share_out(
        &mut odds,
        row.links.len() + 1,
        cooling(solver, COOLING),
        trust(solver, row),
    );
    temper(solver, row, &mut odds);
    odds
}

/// The odds by what was known when the call started and evidence said since,
/// without looking at what other calls would do: timing counts less.
pub(super) fn greedy(solver: &Solver<'_>, call: u32) -> Vec<Odds> {
    let Some(row) = solver.scene.calls.get(call) else {
        return Vec::new();
    };
    let links = row.links.iter().map(|link| {
        let gain = Gain {
            timing: link.guess,
            fixed: row.told(Some(link.request)).unwrap_or_default(),
        };
        (Some(link.request), gain)
    });
    let none = Gain {
        timing: solver.background(row.label),
        fixed: row.told(None).unwrap_or_default(),
    };
    let entry = |(request, gain)| Odds {
        request,
        gain,
        probability: 0.0,
    };
    let mut odds: Vec<Odds> = links.chain([(None, none)]).map(entry).collect();
    share_out(
        &mut odds,
        row.links.len() + 1,
        cooling(solver, GREEDY_COOLING),
        trust(solver, row),
    );
    temper(solver, row, &mut odds);
    odds
}

/// Turns gains into probabilities, the best first; there are `all` candidates.
fn share_out(odds: &mut [Odds], all: usize, cooling: f32, trust: f32) {
    weigh(odds, all, cooling, trust);
    odds.sort_by(|a, b| b.probability.total_cmp(&a.probability));
}

/// Where only steps of an event loop, none of them firm, or who opened the
/// connection speak for the best, it is not sure.
fn temper(solver: &Solver<'_>, call: &Call, odds: &mut [Odds]) {
    let Some(best) = odds.first_mut().filter(|best| best.request.is_some()) else {
        return;
    };
    let of_best = call
        .links
        .iter()
        .filter(|l| Some(l.request) == best.request);
    let mut strong = of_best
        .flat_map(|link| &link.weights.0)
        .filter(|(_, weight)| *weight >= STRONG);
    let by_opener = |method: Method, weight: f32| method == Method::Coroutine && weight <= OPENER;
    let opened = strong
        .clone()
        .any(|(method, weight)| by_opener(*method, *weight));
    let loops = |method: Method| matches!(method, Method::EventLoop | Method::Route);
    // What the queue says rests on such steps too.
    let firm_queue = FIRM_QUEUE + (call.links.len().max(2) as f32).ln();
    let unsure = |method: Method, weight: f32| {
        loops(method) || by_opener(method, weight) || method == Method::Queue && weight < firm_queue
    };
    let other = strong.any(|(method, weight)| !unsure(*method, *weight));
    let after = call.after.map(|(_, manner)| manner);
    let before = call.before.map(|anchor| anchor.manner);
    let steps = after.is_some() || before.is_some() || !call.followers.is_empty();
    if call.rivals < 2 || other || !(steps || opened) {
        return;
    }
    // Nothing ever checks that a call belongs to the response before it, nor an
    // alignment that no response bears out.
    let checked = after.filter(|manner| {
        manner.kind != Kind::CallAfterResponse && !matches!(manner.place, Place::Aligned(_))
    });
    let mut checked = checked.into_iter().chain(before);
    if !checked.any(|manner| solver.scene.adjacency.chance(manner) >= FIRM) {
        best.probability = best.probability.min(MOST_OF_UNSURE);
    }
}

/// The factor by which timing is cooled. Where its trust comes from responses,
/// these were foretold without.
fn cooling(solver: &Solver<'_>, usual: f32) -> f32 {
    if solver.scene.foresight.alone() {
        1.0
    } else {
        usual
    }
}

/// How far timing is to be trusted for this call. Without thread ids nothing
/// can check it, and nothing else can decide.
fn trust(solver: &Solver<'_>, call: &Call) -> f32 {
    if call.started.task.tid == 0 {
        return 1.0;
    }
    let crowd = call.rivals.max(at_once(solver, call));
    if crowd > 1 && solver.scene.foresight.alone() {
        solver.scene.foresight.trust(crowd, before(solver, call))
    } else if crowd > 1 {
        DOUBTFUL * solver.scene.audit.trust(crowd)
    } else {
        ALONE
    }
}

/// Calls that its present cause made before.
fn before(solver: &Solver<'_>, call: &Call) -> usize {
    let cause = call.parent.and_then(|slot| solver.scene.requests.get(slot));
    let calls = cause.into_iter().flat_map(|cause| &cause.calls);
    let calls = calls.filter_map(|slot| solver.scene.calls.get(*slot));
    calls
        .filter(|other| other.started.time < call.started.time)
        .count()
}

/// Candidates that were open while the present cause was, itself among them: what
/// was learnt of it was learnt among so many.
fn at_once(solver: &Solver<'_>, call: &Call) -> u32 {
    let Some(cause) = call.parent.and_then(|slot| solver.scene.requests.get(slot)) else {
        return 0;
    };
    let end = |request: &Request| request.responded.map(|at| at.time);
    let others = call.links.iter();
    let others = others.filter_map(|link| solver.scene.requests.get(link.request));
    let open = others.filter(|other| {
        end(other).is_none_or(|end| end >= cause.started.time)
            && end(cause).is_none_or(|end| end >= other.started.time)
    });
    open.count() as u32
}

/// Probabilities: those by timing, levelled as far as timing is not trusted,
/// times what other evidence says. Nothing speaks for those of the candidates
/// that were not looked at.
fn weigh(odds: &mut [Odds], all: usize, cooling: f32, trust: f32) {
    let most = |score: fn(&Gain) -> f32, odds: &[Odds]| {
        let scores = odds.iter().map(|odds| score(&odds.gain));
        scores.fold(f32::NEG_INFINITY, f32::max)
    };
    let timing = most(|gain| gain.timing, odds);
    let fixed = most(|gain| gain.fixed, odds);
    let mut sum = 0.0;
    for entry in odds.iter_mut() {
        entry.probability = (cooling * (entry.gain.timing - timing)).exp();
        sum += entry.probability;
    }
    let level = (1.0 - trust) / all.max(odds.len()).max(1) as f32;
    let left_out = all.saturating_sub(odds.len()) as f32;
    let mut total = left_out * level * (-fixed).exp();
    for entry in odds.iter_mut() {
        let timed = trust * entry.probability / sum + level;
        entry.probability = timed * (entry.gain.fixed - fixed).exp();
        total += entry.probability;
    }
    for entry in odds.iter_mut() {
        entry.probability /= total;
    }
}

/// Whether evidence of structure speaks for the best, if not beyond doubt.
pub(super) fn is_spoken_for(odds: &[Odds]) -> bool {
    odds.split_first().is_some_and(|(best, others)| {
        let behind = |other: &Odds| best.gain.fixed - other.gain.fixed >= STRONG;
        best.request.is_some() && others.iter().all(behind)
    })
}

/// Whether timing alone agrees with evidence that leaves no doubt; `None` if
/// there is doubt, or nothing to choose from.
pub(super) fn audit(odds: &[Odds]) -> Option<bool> {
    let best = odds.first().filter(|best| best.request.is_some())?;
    let others = || odds.iter().skip(1);
    others().find(|other| other.request.is_some())?;
    let sure = others().all(|other| best.gain.fixed - other.gain.fixed >= PLAIN);
    sure.then(|| others().all(|other| best.gain.timing > other.gain.timing))
}

/// What a decision tells of each candidate.
pub(super) fn candidates(
    solver: &Solver<'_>,
    call: u32,
    odds: &[Odds],
) -> SmallVec<[Candidate; 4]> {
    let Some(row) = solver.scene.calls.get(call) else {
        return SmallVec::new();
    };
    let none = odds.iter().find(|o| o.request.is_none()).map(|o| o.gain);
    let none = none.unwrap_or_default();
    let mut told: SmallVec<[Candidate; 4]> = SmallVec::new();
    for entry in odds.iter().filter(|o| o.request.is_some()).take(MAX_TOLD) {
        let Some(slot) = entry.request else { continue };
        let Some(request) = solver.scene.requests.get(slot) else {
            continue;
        };
        let link = row.links.iter().find(|link| link.request == slot);
        let weights = link.map(|link| &link.weights);
        let mut evidence = against(weights.unwrap_or(&Weights::default()), &row.none);
        // What calls before and after it say, by the chain that it is on.
        let alone = link.map_or(0.0, |link| link.weights.total());
        let chain = entry.gain.fixed - alone;
        if chain > f32::EPSILON {
            add(&mut evidence, Method::EventLoop, chain);
        }
        if solver.timing {
            let ratio = entry.gain.timing - none.timing;
            add(&mut evidence, PATH_METHOD, ratio);
        }
        told.push(Candidate {
            cause: request.id,
            method: Method::Timing,
            confidence: entry.probability,
            evidence,
        });
    }
    for index in 0..told.len() {
        let rival = usize::from(index == 0);
        let rival = told
            .get(rival)
            .filter(|_| told.len() > 1)
            .map(|c| c.evidence.clone());
        let method = method(&told[index].evidence, rival.as_deref());
        told[index].method = method;
    }
    told
}

/// What each kind of evidence says for a cause and against there being none.
fn against(weights: &Weights, none: &Weights) -> Evidence {
    let mut evidence = SmallVec::new();
    for (method, weight) in &weights.0 {
        add(&mut evidence, *method, *weight);
    }
    for (method, weight) in &none.0 {
        add(&mut evidence, *method, -weight);
    }
    evidence.retain(|(_, ratio)| *ratio != 0.0);
    evidence
}

fn add(evidence: &mut Evidence, method: Method, ratio: f32) {
    match evidence.iter_mut().find(|(kind, _)| *kind == method) {
        Some((_, present)) => *present += ratio,
        None => evidence.push((method, ratio)),
    }
}

/// The kind that decided for this candidate and against its rival: evidence of
/// structure where it is strong, else timing. What a thread read last counts
/// where nothing more telling does.
fn method(evidence: &[(Method, f32)], rival: Option<&[(Method, f32)]>) -> Method {
    let lead = |method: Method, weight: f32| {
        let same = |(kind, _): &&(Method, f32)| *kind == method;
        weight
            - rival
                .and_then(|rival| rival.iter().find(same))
                .map_or(0.0, |(_, other)| *other)
    };
    let structure = evidence.iter().filter(|(method, _)| *method != PATH_METHOD);
    let leads = structure.map(|(method, weight)| (*method, lead(*method, *weight)));
    let strong = leads.filter(|(_, lead)| *lead >= STRONG);
    let telling = |method: Method| method != Method::EventLoop;
    let strongest = strong.max_by(|a, b| {
        let order = telling(a.0).cmp(&telling(b.0));
        order.then(a.1.total_cmp(&b.1))
    });
    match strongest {
        Some((method, _)) => method,
        _ if rival.is_none() => Method::OnlyOpen,
        _ => PATH_METHOD,
    }
}
