//! Evidence: what requests for a route usually call, and what is called for no
//! request at all ([`Affinity`](super::affinity::Affinity)). Where there is one
//! request, whether it can have made the call; where there are several, which of
//! them hardly can.

use super::confidence::Odds;
use super::scene::Scene;
use crate::span::Method;

/// A candidate with this probability may have been the cause.
const POSSIBLE: f32 = 0.1;
/// Weight of the thread's evidence from which routes say nothing against it.
const SURE: f32 = 2.0;

/// Brings what routes say of a call's candidates up to date.
pub(super) fn weigh(scene: &mut Scene, slot: u32) {
    let Some(call) = scene.calls.get_mut(slot) else {
        return;
    };
    // Without threads timing is all there is, and knows it too.
    if call.started.task.tid == 0 {
        return;
    }
    // Between several that make such calls it is their order that tells, which
    // timing knows; but who never does has not made this one.
    let several = call.rivals > 1;
    let affinity = &scene.affinity;
    for link in &mut call.links {
        let route = scene.requests.get(link.request).map(|r| r.route);
        let weight = if !several {
            affinity.weight(route, call.label)
        } else if link.weights.get(Method::Thread) < SURE {
            affinity.against(route, call.label)
        } else {
            // A thread that does one thing at a time knows better.
            0.0
        };
        link.weights.set(Method::Route, weight);
    }
    let weight = if several {
        affinity.causeless(call.label)
    } else {
        affinity.weight(None, call.label)
    };
    call.none.set(Method::Route, weight);
}

/// Learns from a decision, sure or not: a kind of call that is never sure would
/// else seem to be made by nobody.
pub(super) fn learn(scene: &mut Scene, label: u64, odds: &[Odds]) {
    for entry in odds.iter().filter(|entry| entry.probability >= POSSIBLE) {
        let route = match entry.request.map(|slot| scene.requests.get(slot)) {
            None => None,
            Some(Some(request)) => Some(request.route),
            Some(None) => continue,
        };
        let cleared = scene.affinity.learn(route, label, entry.probability);
        scene.limits.tables_cleared += u64::from(cleared);
    }
}
