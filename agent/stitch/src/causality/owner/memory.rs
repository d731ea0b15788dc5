//! Learning and forgetting: what decided calls teach, and when requests and calls
//! go.

use smallvec::SmallVec;

use super::{Desk, Owner};
use crate::causality::call::Call;
use crate::causality::config::Config;
use crate::causality::path::walk;

/// Calls kept with one request; the path looks at fewer.
const MAX_CALLS: usize = 64;
/// A path is learnt if every decision about it was right with this probability.
const LEAST_CERTAINTY: f32 = 0.3;

impl Owner {
    /// Learns from a sure call whether calls of its kind keep their order: from
    /// pairs in which the gaps alone could not have told who is whose.
    pub(super) fn learn_order(&mut self, call: u32, config: &Config) {
        let row = self.scene.calls.get(call);
        if row.is_none_or(|row| !self.model.wants_order(row.label, row.rank)) {
            return;
        }
        let pairs = self.solver(config).undecided_by_gaps(call);
        let label = self.scene.calls.get(call).map(|row| row.label);
        for in_order in pairs {
            if let Some(label) = label {
                self.model.learn_order(label, in_order);
            }
        }
    }

    /// Learns the path of an answered request once all about it is decided.
    pub(super) fn learn_if_settled(&mut self, slot: u32) {
        let Some(request) = self.scene.requests.get_mut(slot) else {
            return;
        };
        if request.learnt || request.responded.is_none() || !request.suitors.is_empty() {
            return;
        }
        request.learnt = true;
        self.learn(slot, false);
    }

    /// Learns the part of a path before or after the response.
    fn learn(&mut self, slot: u32, late: bool) {
        let Some(request) = self.scene.requests.get(slot) else {
            return;
        };
        let weight = request.certainty;
        if weight < LEAST_CERTAINTY {
            return;
        }
        let rows = request
            .calls
            .iter()
            .filter_map(|call| self.scene.calls.get(*call));
        let steps: SmallVec<[_; 8]> = rows.map(Call::step).collect();
        let model = &mut self.model;
        walk(request.frame(), &steps, |step| {
            if step.from.responded == late {
                model.learn(&step, weight);
            }
        });
    }

    /// Learns what a request did after its response, and forgets it.
    pub(super) fn forget(&mut self, slot: u32, desk: &mut Desk<'_>) {
        self.learn_if_settled(slot);
        self.learn(slot, true);
        let Some(request) = self.scene.remove_request(slot) else {
            return;
        };
        desk.gone.push(request.id);
        for call in request.calls {
            self.drop_call(call, desk);
        }
    }

    /// Forgets the first calls of a request that makes very many.
    pub(super) fn trim(&mut self, request: u32, desk: &mut Desk<'_>) {
        let Some(row) = self.scene.requests.get_mut(request) else {
            return;
        };
        if row.calls.len() <= MAX_CALLS {
            return;
        }
        let first = row.calls[0];
        let done = self.scene.calls.get(first).is_some_and(|call| call.decided);
        if done {
            row.calls.remove(0);
            self.drop_call(first, desk);
        }
    }

    /// Takes the request that was answered first.
    pub(super) fn first_leaving(&mut self) -> Option<u32> {
        while let Some((_, slot, id)) = self.leaving.pop_front() {
            if self.scene.requests.get(slot).is_some_and(|r| r.id == id) {
                return Some(slot);
            }
        }
        None
    }

    /// Forgets a request before its time.
    pub(super) fn evict(&mut self, slot: u32, desk: &mut Desk<'_>) {
        let suitors = self.scene.requests.get(slot).map(|r| r.suitors.clone());
        for call in suitors.into_iter().flatten() {
            self.decide(call, desk);
        }
        self.forget(slot, desk);
    }

    pub(super) fn drop_call(&mut self, slot: u32, desk: &mut Desk<'_>) {
        let Some(call) = self.scene.remove_call(slot) else {
            return;
        };
        desk.gone.push(call.id);
        for follower in call.followers {
            if let Some(row) = self.scene.calls.get_mut(follower) {
                row.follows = row.follows.filter(|(other, _)| *other != slot);
            }
        }
        let followed = call
            .follows
            .and_then(|(other, _)| self.scene.calls.get_mut(other));
        if let Some(row) = followed {
            row.followers.retain(|other| *other != slot);
        }
    }
}
