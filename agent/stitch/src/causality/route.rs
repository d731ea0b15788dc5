//! Evidence: what requests for a route usually call, and what is called for no
//! request at all ([`Affinity`](super::affinity::Affinity)): whether the only
//! request there is can have made the call.

use super::confidence::Odds;
use super::scene::Scene;
use crate::span::Method;

/// A decision with this probability is one to learn from.
const SURE: f32 = 0.9;

/// Brings what routes say of a call's candidates up to date.
pub(super) fn weigh(scene: &mut Scene, slot: u32) {
    let Some(call) = scene.calls.get_mut(slot) else {
        return;
    };
    // Between several requests it is the order of calls that tells, which timing
    // knows; so it does without threads, where it is all there is.
    if call.started.task.tid == 0 || call.rivals > 1 {
        return;
    }
    for link in &mut call.links {
        let route = scene.requests.get(link.request).map(|r| r.route);
        let weight = scene.affinity.weight(route, call.label);
        link.weights.set(Method::Route, weight);
    }
    let weight = scene.affinity.weight(None, call.label);
    call.none.set(Method::Route, weight);
}

/// Learns from a decision, if it is sure.
pub(super) fn learn(scene: &mut Scene, label: u64, best: &Odds) {
    if best.probability < SURE {
        return;
    }
    let request = best.request.map(|slot| scene.requests.get(slot));
    let route = match request {
        None => None,
        Some(Some(request)) => Some(request.route),
        Some(None) => return,
    };
    let cleared = scene.affinity.learn(route, label, best.probability);
    scene.limits.tables_cleared += u64::from(cleared);
}
