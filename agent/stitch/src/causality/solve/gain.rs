//! What a change of the choice gains.

use smallvec::SmallVec;

use super::order::Places;
use super::paths::Path;
use super::{Change, Solver};
use crate::causality::call::Call;
use crate::causality::path::{MAX_STEPS, Next, Step, walk};
use crate::time::Timestamp;

/// What looking at a change costs apart from its paths, in score evaluations.
const CHANGE: usize = 16;
/// A loss (in nats) that the order of calls cannot make good.
const BEYOND_ORDER: f32 = -40.0;

/// How much better a changed choice is, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::causality) struct Gain {
    /// By timing.
    pub(in crate::causality) timing: f32,
    /// By all other evidence.
    pub(in crate::causality) fixed: f32,
}

impl Gain {
    /// Both together.
    pub(in crate::causality) fn total(self) -> f32 {
        self.timing + self.fixed
    }
}

impl Solver<'_> {
    /// What a change gains; `None` if a call may not go where it is sent.
    pub(super) fn gain(&self, change: &Change) -> Option<Gain> {
        let mut gain = Gain::default();
        let mut requests = SmallVec::<[u32; 4]>::new();
        for (slot, to) in change {
            let call = self.scene.calls.get(*slot)?;
            gain.fixed += call.weight(*to)? - call.weight(call.parent).unwrap_or_default();
            if to.is_none() {
                gain.timing += self.background(call.label);
            }
            if call.parent.is_none() {
                gain.timing -= self.background(call.label);
            }
            for request in call.parent.into_iter().chain(*to) {
                if !requests.contains(&request) {
                    requests.push(request);
                }
            }
        }
        gain.fixed += self.pairs(change);
        self.effort.spend(CHANGE);
        let mut places = Places::new();
        for (slot, to) in change.iter().filter(|(_, to)| to.is_none()) {
            places.push((*slot, *to, Timestamp(0)));
        }
        for request in requests {
            gain.timing += self.path_gain(request, change, &mut places)?;
        }
        if self.timing && gain.total() > BEYOND_ORDER {
            gain.timing += self.order_gain(&places);
        }
        Some(gain)
    }

    /// What a change gains in the path of one request; tells when the request
    /// would be ready for each of its calls.
    fn path_gain(&self, request: u32, change: &Change, places: &mut Places) -> Option<f32> {
        let row = self.scene.requests.get(request)?;
        let moved = |slot: &u32| change.iter().any(|(call, _)| call == slot);
        let mut calls: SmallVec<[u32; 8]> = row
            .calls
            .iter()
            .copied()
            .filter(|slot| !moved(slot))
            .collect();
        for (call, _) in change.iter().filter(|(_, to)| *to == Some(request)) {
            let order = self.order(*call);
            let at = calls.partition_point(|other| self.order(*other) < order);
            calls.insert(at, *call);
        }
        let path = self.path(request, &calls)?;
        // Where nothing changes, the order does not either.
        let places_now = calls.iter().zip(path.ready).filter(|(slot, ready)| {
            let row = self.scene.calls.get(**slot);
            row.is_none_or(|row| row.parent != Some(request) || row.ready != *ready)
        });
        places.extend(places_now.map(|(call, ready)| (*call, Some(request), ready)));
        Some(path.likelihood - row.likelihood)
    }

    /// What a change gains by calls that have the cause of the one they follow.
    fn pairs(&self, change: &Change) -> f32 {
        let place = |slot: u32| match change.iter().find(|(call, _)| *call == slot) {
            Some((_, to)) => *to,
            None => self.scene.calls.get(slot).and_then(|call| call.parent),
        };
        let parent = |slot: u32| self.scene.calls.get(slot).and_then(|call| call.parent);
        let mut gain = 0.0;
        let mut weigh = |one: u32, other: u32, weight: f32| {
            let together = place(one).is_some() && place(one) == place(other);
            let before = parent(one).is_some() && parent(one) == parent(other);
            gain += weight * (f32::from(u8::from(together)) - f32::from(u8::from(before)));
        };
        for (slot, _) in change {
            let Some(call) = self.scene.calls.get(*slot) else {
                continue;
            };
            if let Some((followed, weight)) = call.follows {
                weigh(*slot, followed, weight);
            }
            for follower in &call.followers {
                let inside = change.iter().any(|(call, _)| call == follower);
                let row = self.scene.calls.get(*follower).filter(|_| !inside);
                if let Some((_, weight)) = row.and_then(|row| row.follows) {
                    weigh(*follower, *slot, weight);
                }
            }
        }
        gain
    }

    /// A request's path with these calls.
    pub(super) fn path(&self, request: u32, calls: &[u32]) -> Option<Path> {
        self.effort.spend(calls.len() + 1);
        let walk = || self.walk(request, calls);
        match self.paths {
            Some(paths) => paths.of(request, calls, walk),
            None => walk(),
        }
    }

    fn walk(&self, request: u32, calls: &[u32]) -> Option<Path> {
        let frame = self.scene.requests.get(request)?.frame();
        let rows = calls.iter().filter_map(|slot| self.scene.calls.get(*slot));
        let steps: SmallVec<[Step; 8]> = rows.map(Call::step).collect();
        let mut likelihood = 0.0;
        // The path looks at the last calls only: those before are not ranked.
        let skipped = steps.len().saturating_sub(MAX_STEPS);
        let mut ready: SmallVec<[Timestamp; 8]> = steps
            .iter()
            .take(skipped)
            .map(|step| step.started)
            .collect();
        let position = walk(frame, &steps, |step| {
            if self.timing {
                likelihood += self.model.score(&step);
            }
            if matches!(step.next, Next::Start(_)) {
                ready.push(step.from.ready());
            }
        });
        Some(Path {
            likelihood,
            position,
            ready,
        })
    }
}
