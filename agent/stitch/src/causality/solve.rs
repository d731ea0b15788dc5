//! The joint choice: which calls belong to which requests, over all undecided
//! calls that compete for the same requests.
//!
//! The score of a choice is the log-likelihood of every request's path with its
//! calls, plus the background rate of calls without cause, plus what evidence
//! says of each call. It is climbed by moves that change one or two requests:
//! give one call to another request, swap two calls of one kind, swap all that
//! two requests did from some moment on.
mod gain;
mod order;
mod paths;
mod ways;

use std::cell::Cell;

use smallvec::SmallVec;

use self::paths::Path;
use super::call::{Call, Link};
use super::effort::Effort;
use super::model::Model;
use super::path::{MAX_STEPS, Move, Next, Step, position, walk};
use super::rhythm;
use super::scene::Scene;
use crate::span::Method;

pub(super) use gain::Gain;
pub(super) use paths::Paths;
pub(super) use ways::Change;

/// Candidates tried in full for one call, the likeliest at a glance.
const MAX_TARGETS: usize = 12;
/// A candidate behind the best by so much at a glance (in nats) is not tried.
const FAR_BEHIND: f32 = 20.0;
/// Targets tried in one climb, for each of its calls.
const TRIES_PER_CALL: u32 = 48;
/// Times that all calls of a component are tried again.
const MAX_SWEEPS: usize = 12;
/// A gain below this is none: keeps the climb from going round.
const LEAST_GAIN: f32 = 1e-3;
/// Evidence ahead of all other candidates by so much (in nats) needs no timing.
pub(super) const PLAIN: f32 = 5.0;
/// Log-likelihood of "no cause" where timing may not be used.
const NONE_WITHOUT_TIMING: f32 = -3.0;

/// The kind of evidence that a joint score by path counts as.
pub(super) const PATH_METHOD: Method = Method::Timing;

/// The present choice, its score and the ways to change it.
#[derive(Debug)]
pub(super) struct Solver<'a> {
    pub(super) scene: &'a mut Scene,
    pub(super) model: &'a Model,
    pub(super) timing: bool,
    /// How far timing is trusted against other evidence, 0 to 1.
    pub(super) trust: f32,
    /// Try every way, also those that other calls try as well.
    pub(super) thorough: bool,
    /// Targets that may still be tried in this climb.
    pub(super) tries: Cell<u32>,
    /// What trying may cost.
    pub(super) effort: &'a Effort,
    /// Paths walked before, where many are.
    pub(super) paths: Option<&'a Paths>,
}

impl Solver<'_> {
    /// Undecided calls that compete with `call`, itself among them, in the
    /// order of their starts; at most `limit`.
    pub(super) fn component(&mut self, call: u32, limit: usize) -> Vec<u32> {
        let Scene {
            requests,
            calls,
            searches,
            ..
        } = &mut *self.scene;
        *searches = searches.wrapping_add(1);
        let mut found = vec![call];
        if let Some(row) = calls.get_mut(call) {
            row.search = *searches;
        }
        let mut next = 0;
        while next < found.len() && found.len() < limit {
            let links = calls.get(found[next]).map(|call| &call.links);
            let links: SmallVec<[u32; 16]> =
                links.into_iter().flatten().map(|l| l.request).collect();
            next += 1;
            for slot in links {
                let Some(request) = requests.get_mut(slot) else {
                    continue;
                };
                if std::mem::replace(&mut request.search, *searches) == *searches {
                    continue;
                }
                for suitor in &request.suitors {
                    let Some(row) = calls.get_mut(*suitor).filter(|_| found.len() < limit) else {
                        break;
                    };
                    if row.search != *searches {
                        row.search = *searches;
                        found.push(*suitor);
                    }
                }
            }
        }
        found.sort_unstable_by_key(|call| self.order(*call));
        found
    }

    /// Whether a call can be decided without timing: by having one candidate,
    /// or by evidence that leaves the others far behind.
    pub(super) fn is_plain(&self, call: u32) -> bool {
        self.scene.calls.get(call).is_some_and(|row| {
            let (mut best, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
            for weight in row.links.iter().map(|link| link.weights.total()) {
                second = second.max(weight.min(best));
                best = best.max(weight);
            }
            row.links.len() == 1 || best - second >= PLAIN
        })
    }

    /// Whether a call has one candidate only.
    pub(super) fn is_alone(&self, call: u32) -> bool {
        self.scene
            .calls
            .get(call)
            .is_some_and(|row| row.links.len() == 1)
    }

    /// Brings the cached likelihoods of every candidate of `calls` up to date.
    pub(super) fn refresh_all(&mut self, calls: &[u32]) {
        let mut requests = Vec::new();
        for call in calls.iter().filter_map(|call| self.scene.calls.get(*call)) {
            requests.extend(call.links.iter().map(|link| link.request));
        }
        requests.sort_unstable();
        requests.dedup();
        for request in requests {
            self.refresh(request);
        }
    }

    /// Brings the cached position of a request up to date; its likelihood is
    /// only looked at after [`Solver::refresh_all`].
    pub(super) fn locate(&mut self, request: u32) {
        let Some(row) = self.scene.requests.get(request) else {
            return;
        };
        let frame = row.frame();
        let rows = row
            .calls
            .iter()
            .filter_map(|slot| self.scene.calls.get(*slot));
        let steps: SmallVec<[Step; 8]> = rows.map(Call::step).collect();
        let calls = row.calls.clone();
        let skipped = steps.len().saturating_sub(MAX_STEPS);
        let mut next = calls.iter().skip(skipped);
        let scene = &mut *self.scene;
        let rows = &mut scene.calls;
        let position = walk(frame, &steps, |step| {
            if matches!(step.next, Next::Start(_))
                && let Some(call) = next.next().and_then(|slot| rows.get_mut(*slot))
            {
                call.ready = step.from.ready();
            }
        });
        if let Some(row) = scene.requests.get_mut(request) {
            row.position = position;
        }
    }

    /// Brings the cached likelihood and position of a request up to date.
    pub(super) fn refresh(&mut self, request: u32) {
        let Some(calls) = self.scene.requests.get(request).map(|r| r.calls.clone()) else {
            return;
        };
        let Some(Path {
            likelihood,
            position,
            ready,
        }) = self.path(request, &calls)
        else {
            return;
        };
        for (call, ready) in calls.iter().zip(ready) {
            if let Some(call) = self.scene.calls.get_mut(*call) {
                call.ready = ready;
            }
        }
        if let Some(request) = self.scene.requests.get_mut(request) {
            (request.likelihood, request.position) = (likelihood, position);
        }
    }

    /// Climbs from the present choice by moves of these calls. After the first
    /// sweep only what touches a changed request is tried again.
    pub(super) fn improve(&mut self, calls: &[u32]) {
        let mut changed: Option<Vec<u32>> = None;
        self.tries.set(calls.len() as u32 * TRIES_PER_CALL);
        for _ in 0..MAX_SWEEPS {
            let mut touched = Vec::new();
            for call in calls {
                let fresh = |request: u32| {
                    let before = changed.as_ref().is_none_or(|c| c.contains(&request));
                    before || touched.contains(&request)
                };
                let best = self.best_move(*call, fresh);
                if let Some((_, change)) = best.filter(|(g, _)| self.worth(*g) > LEAST_GAIN) {
                    for (slot, to) in &change {
                        let from = self.scene.calls.get(*slot).and_then(|call| call.parent);
                        touched.extend(from.into_iter().chain(*to));
                    }
                    self.apply(&change);
                }
            }
            if touched.is_empty() {
                break;
            }
            touched.sort_unstable();
            touched.dedup();
            changed = Some(touched);
        }
    }

    /// What a gain is worth, timing counted as far as it is trusted.
    fn worth(&self, gain: Gain) -> f32 {
        self.trust * gain.timing + gain.fixed
    }

    /// The best way to give `call` to `to`, and its gain.
    pub(super) fn best_way(&self, call: u32, to: Option<u32>) -> Option<(Gain, Change)> {
        let mut best: Option<(Gain, Change)> = None;
        for change in self.ways(call, to) {
            let Some(gain) = self.gain(&change) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(g, _)| self.worth(gain) > self.worth(*g))
            {
                best = Some((gain, change));
            }
        }
        best
    }

    /// Gives calls to other requests.
    pub(super) fn apply(&mut self, change: &Change) {
        let mut changed: SmallVec<[u32; 8]> = SmallVec::new();
        for (call, to) in change {
            changed.extend(self.place(*call, *to).into_iter().chain(*to));
        }
        changed.sort_unstable();
        changed.dedup();
        changed
            .into_iter()
            .for_each(|request| self.refresh(request));
    }

    /// Gives one call to a request.
    pub(super) fn assign(&mut self, slot: u32, to: Option<u32>) {
        let from = self.scene.calls.get(slot).and_then(|call| call.parent);
        if from != to {
            self.place(slot, to);
            from.into_iter()
                .chain(to)
                .for_each(|request| self.locate(request));
        }
    }

    /// Puts a call to the calls of a request; gives the one that had it.
    fn place(&mut self, slot: u32, to: Option<u32>) -> Option<u32> {
        let call = self.scene.calls.get_mut(slot)?;
        let from = std::mem::replace(&mut call.parent, to);
        if let Some(request) = from.and_then(|from| self.scene.requests.get_mut(from)) {
            request.calls.retain(|other| *other != slot);
        }
        let Some(to) = to else { return from };
        let calls = self.scene.requests.get(to).map(|r| &r.calls);
        let after = self.order(slot);
        let at = calls.map_or(0, |calls| calls.partition_point(|c| self.order(*c) < after));
        if let Some(request) = self.scene.requests.get_mut(to) {
            request.calls.insert(at, slot);
        }
        from
    }

    /// The best move of a call between requests of which one is `fresh`.
    fn best_move(&self, call: u32, fresh: impl Fn(u32) -> bool) -> Option<(Gain, Change)> {
        let row = self.scene.calls.get(call).filter(|call| !call.decided)?;
        let own = row.parent.is_none_or(&fresh);
        let targets = self.likeliest(call, |request| own || fresh(request), MAX_TARGETS);
        let targets = targets.into_iter().map(Some);
        let mut best: Option<(Gain, Change)> = None;
        for to in targets.chain((own && row.parent.is_some()).then_some(None)) {
            if !self.try_one() {
                break;
            }
            let Some(way) = self.best_way(call, to) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(gain, _)| self.worth(way.0) > self.worth(*gain))
            {
                best = Some(way);
            }
        }
        best
    }

    /// The candidates, other than its present cause, that are likeliest to have
    /// made `call` as things are: the best `limit`, as far as they are `wanted`.
    pub(super) fn likeliest(
        &self,
        call: u32,
        wanted: impl Fn(u32) -> bool,
        limit: usize,
    ) -> SmallVec<[u32; 16]> {
        let Some(row) = self.scene.calls.get(call) else {
            return SmallVec::new();
        };
        if row.links.len() == 1 {
            let only = row.links.iter().map(|link| link.request);
            return only
                .filter(|request| Some(*request) != row.parent && wanted(*request))
                .collect();
        }
        let score =
            |link: &Link| link.weights.total() + self.trust * self.glance(row, link.request);
        let mut best = f32::NEG_INFINITY;
        let mut scored: SmallVec<[(f32, u32); 32]> = SmallVec::new();
        for link in &row.links {
            let score = score(link);
            best = best.max(score);
            if Some(link.request) != row.parent && wanted(link.request) {
                scored.push((score, link.request));
            }
        }
        scored.retain(|(score, _)| *score >= best - FAR_BEHIND);
        if scored.len() > limit {
            scored.select_nth_unstable_by(limit, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            scored.truncate(limit);
        }
        scored.into_iter().map(|(_, request)| request).collect()
    }

    /// Log-likelihood that a request makes this call, from where it stands after
    /// the calls before it, one of the same kind left out if there may be no two.
    fn glance(&self, call: &Call, request: u32) -> f32 {
        let Some(row) = self.scene.requests.get(request).filter(|_| self.timing) else {
            return 0.0;
        };
        self.effort.spend(1);
        let instead = !self.model.may_repeat(call.label);
        let rows = row
            .calls
            .iter()
            .filter_map(|slot| self.scene.calls.get(*slot));
        let rows = rows.filter(|other| !(instead && other.label == call.label));
        let steps: SmallVec<[Step; 8]> = rows.map(Call::step).collect();
        let time = call.started.time;
        self.model.score(&Move {
            from: position(row.frame(), &steps, time),
            next: Next::Start(call.label),
            time,
            repeats: false,
        })
    }

    /// Takes one from the tries that are left; `false` if there are none.
    fn try_one(&self) -> bool {
        let left = self.tries.get();
        self.tries.set(left.saturating_sub(1));
        left > 0 && self.effort.left() > 0
    }

    /// Brings up to date what the moment of a call says of its having a cause.
    pub(super) fn weigh_cause(&mut self, call: u32) {
        let Some(row) = self.scene.calls.get(call).filter(|_| self.timing) else {
            return;
        };
        let moment = row.moment;
        let by_moment = moment.map_or(0.0, |moment| self.model.causeless(row.label, moment));
        let by_rhythm = rhythm::weight(self.scene, call, self.background(row.label));
        if let Some(row) = self.scene.calls.get_mut(call) {
            row.none.set(Method::Timing, by_moment + by_rhythm);
        }
    }

    /// Log-likelihood that a call of this kind has no cause.
    pub(super) fn background(&self, label: u64) -> f32 {
        background(self.model, self.timing, label)
    }

    fn order(&self, call: u32) -> (u64, u64) {
        let row = self.scene.calls.get(call);
        row.map_or((0, 0), |call| (call.started.time.0, call.id.0))
    }
}

/// Log-likelihood that a call of this kind has no cause.
pub(super) fn background(model: &Model, timing: bool, label: u64) -> f32 {
    if timing {
        model.background(label)
    } else {
        NONE_WITHOUT_TIMING
    }
}
