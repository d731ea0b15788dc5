//! What evidence says of calls that follow one another, all together: a call
//! that may have any of many causes is as good as known if the next one on its
//! chain ends at a response.
//!
//! Each call follows one other at most, so the calls of a component form trees,
//! and passing what is believed once towards the roots and once back gives the
//! exact odds by evidence (belief propagation). Timing is not part of it.

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::scene::Scene;

/// Calls looked at around those that are asked for, the closest on their chains.
const MAX_AROUND: usize = 64;

/// Log-odds by candidate: the call's links in their order, then "no cause".
type Odds = SmallVec<[f32; 9]>;

/// A call's part in the passing on.
#[derive(Debug, Default)]
struct Node {
    /// What the call itself and those that follow it say.
    odds: Odds,
    /// What it says to the one that it follows, by that one's candidates.
    said: Odds,
}

/// Brings what evidence says of these calls up to date, the chains that they
/// are on included.
pub(super) fn propagate(scene: &mut Scene, wanted: &[u32]) {
    let calls = chains(scene, wanted);
    let mut nodes: HashMap<u32, Node> = HashMap::with_capacity(calls.len());
    for slot in &calls {
        nodes.insert(*slot, Node::default());
    }
    for slot in calls.iter().rev() {
        let odds = gather(scene, &nodes, *slot);
        let said = pass_back(scene, &nodes, *slot, &odds);
        nodes.insert(*slot, Node { odds, said });
    }
    for slot in &calls {
        if let Some(heard) = hear(scene, &nodes, *slot)
            && let Some(node) = nodes.get_mut(slot)
        {
            add(&mut node.odds, &heard);
        }
    }
    for (slot, node) in nodes {
        if let Some(call) = scene.calls.get_mut(slot) {
            call.told = node.odds;
        }
    }
}

/// The undecided calls on the chains of these, in the order of their starts.
fn chains(scene: &mut Scene, wanted: &[u32]) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    for slot in wanted {
        if let Some(call) = scene.calls.get_mut(*slot) {
            // On no chain its own evidence is all.
            call.told.clear();
            if call.follows.is_some() || !call.followers.is_empty() {
                found.push(*slot);
            }
        }
    }
    let mut seen: HashSet<u32> = found.iter().copied().collect();
    let limit = found.len() + MAX_AROUND;
    let mut next = 0;
    while let Some(call) = found.get(next).and_then(|slot| scene.calls.get(*slot)) {
        next += 1;
        let followed = call.follows.map(|(other, _)| other);
        for other in call.followers.iter().copied().chain(followed) {
            let undecided = scene.calls.get(other).is_some_and(|call| !call.decided);
            if undecided && found.len() < limit && seen.insert(other) {
                found.push(other);
            }
        }
    }
    found.sort_unstable_by_key(|slot| {
        let call = scene.calls.get(*slot);
        call.map(|call| (call.started.time, call.id))
    });
    found
}

/// What evidence says of a call itself, and what those that follow it say.
fn gather(scene: &Scene, nodes: &HashMap<u32, Node>, slot: u32) -> Odds {
    let Some(call) = scene.calls.get(slot) else {
        return Odds::new();
    };
    let links = call.links.iter().map(|link| link.weights.total());
    let mut odds: Odds = links.chain([call.none.total()]).collect();
    for follower in &call.followers {
        if let Some(node) = nodes.get(follower) {
            add(&mut odds, &node.said);
        } else if let Some(belief) = decided(scene, *follower) {
            add(&mut odds, &message(scene, slot, *follower, &belief));
        }
    }
    odds
}

/// What a call says to the one that it follows, if that is to be decided too.
fn pass_back(scene: &Scene, nodes: &HashMap<u32, Node>, slot: u32, odds: &Odds) -> Odds {
    let followed = scene.calls.get(slot).and_then(|call| call.follows);
    match followed.filter(|(other, _)| nodes.contains_key(other)) {
        Some((other, _)) => message(scene, other, slot, &belief(scene, slot, odds)),
        None => Odds::new(),
    }
}

/// What the call that this one follows says to it.
fn hear(scene: &Scene, nodes: &HashMap<u32, Node>, slot: u32) -> Option<Odds> {
    let (other, _) = scene.calls.get(slot)?.follows?;
    let belief = match (nodes.get(&other), nodes.get(&slot)) {
        (Some(node), Some(own)) => {
            // What it has from this call, it does not say back.
            let mut odds = node.odds.clone();
            odds.iter_mut()
                .zip(&own.said)
                .for_each(|(odds, said)| *odds -= said);
            belief(scene, other, &odds)
        }
        _ => decided(scene, other)?,
    };
    Some(message(scene, slot, slot, &belief))
}

/// Probabilities by request; what is missing to 1 is unknown.
type Belief = SmallVec<[(u32, f32); 8]>;

fn belief(scene: &Scene, slot: u32, odds: &Odds) -> Belief {
    let Some(call) = scene.calls.get(slot) else {
        return Belief::new();
    };
    let most = odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = odds.iter().map(|odds| (odds - most).exp()).sum();
    let links = call.links.iter().zip(odds);
    links
        .map(|(link, odds)| (link.request, (odds - most).exp() / sum))
        .collect()
}

/// What is known of a call that was decided before.
fn decided(scene: &Scene, slot: u32) -> Option<Belief> {
    let call = scene.calls.get(slot).filter(|call| call.decided)?;
    Some(
        call.parent
            .map(|parent| (parent, call.sure))
            .into_iter()
            .collect(),
    )
}

/// What a belief of one end of a chain's step says to the candidates of `to`,
/// its other end; `follower` is the later of the two.
fn message(scene: &Scene, to: u32, follower: u32, belief: &Belief) -> Odds {
    let (Some(call), Some(step)) = (scene.calls.get(to), scene.calls.get(follower)) else {
        return Odds::new();
    };
    let others = step.rivals.saturating_sub(1).max(1) as f32;
    let weight = step.follows.map_or(0.0, |(_, weight)| weight).exp();
    let same = weight / (weight + others);
    let other = (1.0 - same) / others;
    let of = |request: u32| {
        let known = belief.iter().find(|(cause, _)| *cause == request);
        let chance = known.map_or(0.0, |(_, chance)| *chance);
        // As against one that nothing was said of.
        ((same * chance + other * (1.0 - chance)) / other).ln()
    };
    let links = call.links.iter().map(|link| of(link.request));
    links.chain([0.0]).collect()
}

fn add(odds: &mut Odds, said: &Odds) {
    odds.iter_mut()
        .zip(said)
        .for_each(|(odds, said)| *odds += said);
}
