//! The joint choice: which calls belong to which requests, over all undecided
//! calls that compete for the same requests.
//!
//! The score of a choice is the log-likelihood of every request's path with its
//! calls, plus the background rate of calls without cause, plus what evidence
//! says of each call. It is climbed by moves that change one or two requests:
//! give one call to another request, swap two calls of one kind, swap all that
//! two requests did from some moment on.

use smallvec::{SmallVec, smallvec};

use super::call::Call;
use super::effort::Effort;
use super::model::Model;
use super::path::{MAX_STEPS, Move, Next, Position, Step, position, walk};
use super::scene::Scene;
use crate::span::Method;
use crate::time::Timestamp;
use std::cell::Cell;

/// Candidates tried in full for one call, the likeliest at a glance.
const MAX_TARGETS: usize = 12;
/// Targets tried in one climb, for each of its calls.
const TRIES_PER_CALL: u32 = 48;
/// What looking at a change costs apart from its paths, and what looking at the
/// order costs for each call, in score evaluations.
const CHANGE: usize = 16;
const PLACE: usize = 6;
/// Times that all calls of a component are tried again.
const MAX_SWEEPS: usize = 12;
/// Gaps whose swap changes less than this (in nats) cannot tell two calls apart.
const TOSS_UP: f32 = 1.0;
/// Calls of a kind whose order is looked at: so many to each side.
const REACH: u64 = 4;
/// Requests tried for the call that an orphan displaces.
const MAX_ADOPTIONS: usize = 8;
/// A loss (in nats) that the order of calls cannot make good.
const BEYOND_ORDER: f32 = -40.0;
/// A gain below this is none: keeps the climb from going round.
const LEAST_GAIN: f32 = 1e-3;
/// Evidence ahead of all other candidates by so much (in nats) needs no timing.
pub(super) const PLAIN: f32 = 5.0;
/// Log-likelihood of "no cause" where timing may not be used.
const NONE_WITHOUT_TIMING: f32 = -3.0;

/// Calls and the requests they are to be given to.
pub(super) type Change = SmallVec<[(u32, Option<u32>); 8]>;

/// How much better a changed choice is, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gain {
    /// By timing.
    pub(super) timing: f32,
    /// By all other evidence.
    pub(super) fixed: f32,
}

impl Gain {
    /// Both together.
    pub(super) fn total(self) -> f32 {
        self.timing + self.fixed
    }
}

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
            for request in links.iter().filter_map(|slot| requests.get(*slot)) {
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
        let links = row.links.iter();
        let links = links.filter(|link| Some(link.request) != row.parent && wanted(link.request));
        if row.links.len() <= limit {
            return links.map(|link| link.request).collect();
        }
        let mut scored: SmallVec<[(f32, u32); 32]> = links
            .map(|link| {
                (
                    link.weights.total() + self.trust * self.glance(row, link.request),
                    link.request,
                )
            })
            .collect();
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

    /// Changes that give `call` to `to`.
    fn ways(&self, call: u32, to: Option<u32>) -> SmallVec<[Change; 4]> {
        let mut ways: SmallVec<[Change; 4]> = SmallVec::new();
        let Some(row) = self.scene.calls.get(call) else {
            return ways;
        };
        let partner = to.and_then(|target| self.partner(call, target));
        if partner.is_none() || self.model.may_repeat(row.label) {
            ways.push(smallvec![(call, to)]);
        }
        match (row.parent, to, partner) {
            (Some(source), Some(target), _) => {
                self.exchanges(call, source, target, partner, &mut ways);
            }
            (None, Some(target), Some(partner)) => {
                self.adoptions(call, target, partner, &mut ways);
            }
            _ => {}
        }
        ways
    }

    /// `source` and `target` swap `call` for `partner`, all from there on, or
    /// all they have.
    fn exchanges(
        &self,
        call: u32,
        source: u32,
        target: u32,
        partner: Option<u32>,
        ways: &mut SmallVec<[Change; 4]>,
    ) {
        let (from, to) = (Some(source), Some(target));
        let mut swap = |own: u32, other: u32| {
            let mut change = self.tail(source, own, to);
            change.extend(self.tail(target, other, from));
            if change.len() > 1 && !ways.contains(&change) {
                ways.push(change);
            }
        };
        let first = |request| self.scene.requests.get(request)?.calls.first().copied();
        if first(source) == Some(call) || self.thorough {
            let own = first(source).unwrap_or(call);
            swap(own, first(target).unwrap_or(own));
        }
        swap(call, call);
        if let Some(partner) = partner.filter(|partner| self.may_swap(call, *partner)) {
            swap(call, partner);
            ways.push(smallvec![(call, to), (partner, from)]);
        }
    }

    /// Whether each cause was ready when the other one's call was made.
    fn may_swap(&self, one: u32, other: u32) -> bool {
        let rows = (self.scene.calls.get(one), self.scene.calls.get(other));
        matches!(rows, (Some(one), Some(other))
            if one.started.time >= other.ready && other.started.time >= one.ready
                || !self.model.in_sequence(one.label))
    }

    /// `target` takes the orphan `call`, and gives the like that it has to
    /// another request.
    fn adoptions(&self, call: u32, target: u32, partner: u32, ways: &mut SmallVec<[Change; 4]>) {
        ways.push(smallvec![(call, Some(target)), (partner, None)]);
        let links = self.scene.calls.get(partner).map(|row| &row.links);
        let others = links.into_iter().flatten().map(|link| link.request);
        for other in others.filter(|other| *other != target).take(MAX_ADOPTIONS) {
            let swap = self.partner(partner, other);
            let mut changes = smallvec![smallvec![(partner, Some(other))]];
            self.exchanges(partner, target, other, swap, &mut changes);
            for mut change in changes {
                if change.iter().all(|(moved, _)| *moved != call) {
                    change.push((call, Some(target)));
                    ways.push(change);
                }
            }
        }
    }

    /// The undecided call of the same kind in `request`, closest in time.
    fn partner(&self, call: u32, request: u32) -> Option<u32> {
        let row = self.scene.calls.get(call)?;
        let others = self.scene.requests.get(request)?.calls.iter();
        others
            .filter_map(|slot| Some((*slot, self.scene.calls.get(*slot)?)))
            .filter(|(_, other)| other.label == row.label && !other.decided)
            .min_by_key(|(_, other)| other.started.time.0.abs_diff(row.started.time.0))
            .map(|(slot, _)| slot)
    }

    /// Undecided calls of `request` from `since` on, moved to `to`, as far as
    /// they may go there.
    fn tail(&self, request: u32, since: u32, to: Option<u32>) -> Change {
        let from = self.order(since);
        let calls = self.scene.requests.get(request).map(|r| r.calls.as_slice());
        let tail = calls.unwrap_or_default().iter().rev();
        let mut change: Change = tail
            .take_while(|slot| self.order(**slot) >= from)
            .filter(|slot| {
                let call = self.scene.calls.get(**slot);
                call.is_some_and(|call| !call.decided && call.weight(to).is_some())
            })
            .map(|slot| (*slot, to))
            .collect();
        change.reverse();
        change
    }

    /// Takes one from the tries that are left; `false` if there are none.
    fn try_one(&self) -> bool {
        let left = self.tries.get();
        self.tries.set(left.saturating_sub(1));
        left > 0 && self.effort.left() > 0
    }

    /// What a change gains; `None` if a call may not go where it is sent.
    fn gain(&self, change: &Change) -> Option<Gain> {
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
        let arriving = change.iter().filter(|(_, to)| *to == Some(request));
        calls.extend(arriving.map(|(call, _)| *call));
        calls.sort_unstable_by_key(|slot| self.order(*slot));
        let path = self.path(request, &calls)?;
        let ready = calls.iter().zip(path.ready);
        places.extend(ready.map(|(call, ready)| (*call, Some(request), ready)));
        Some(path.likelihood - row.likelihood)
    }

    /// What a change gains by calls being made in the order in which their
    /// causes were ready.
    fn order_gain(&self, places: &Places) -> f32 {
        self.effort.spend(PLACE * places.len());
        let mut gain = 0.0;
        for (index, (slot, parent, ready)) in places.iter().enumerate() {
            let Some(call) = self.scene.calls.get(*slot) else {
                continue;
            };
            let Some(kin) = self.scene.kin.get(&call.label) else {
                continue;
            };
            let mut pairs = 0;
            for near in kin.near(call.rank, REACH) {
                let Some(other) = self.scene.calls.get(near) else {
                    continue;
                };
                let before = (other.parent, other.ready);
                let place = places.iter().position(|(slot, ..)| *slot == near);
                if place.is_some_and(|place| place < index) {
                    continue;
                }
                let after = place.map_or(before, |place| (places[place].1, places[place].2));
                let times = (call.started.time, other.started.time);
                pairs += in_order((*parent, *ready), after, times);
                pairs -= in_order((call.parent, call.ready), before, times);
            }
            if pairs != 0 {
                gain += self.model.order(call.label) * pairs as f32 / 2.0;
            }
        }
        gain
    }

    /// Calls that competed with `call`, next to it in order, where swapping the
    /// two would hardly change how likely their gaps are: whether they are in
    /// order.
    pub(super) fn undecided_by_gaps(&self, call: u32) -> SmallVec<[bool; 2]> {
        let mut pairs = SmallVec::new();
        let Some(one) = self.scene.calls.get(call) else {
            return pairs;
        };
        let Some(kin) = self.scene.kin.get(&one.label) else {
            return pairs;
        };
        for near in kin.near(one.rank, 1) {
            let Some(other) = self.scene.calls.get(near) else {
                continue;
            };
            let times = (one.started.time, other.started.time);
            let order = in_order((one.parent, one.ready), (other.parent, other.ready), times);
            if order == 0 {
                continue;
            }
            let (Some(own), Some(others)) = (self.before(call), self.before(near)) else {
                continue;
            };
            let score = |from: Position, time: Timestamp| {
                let next = Next::Start(one.label);
                self.model.score(&Move {
                    from,
                    next,
                    time,
                    repeats: false,
                })
            };
            let now = score(own, times.0) + score(others, times.1);
            let swapped = score(own, times.1) + score(others, times.0);
            if (now - swapped).abs() < TOSS_UP {
                pairs.push(order > 0);
            }
        }
        pairs
    }

    /// Where the cause of `call` stood when it made it.
    fn before(&self, call: u32) -> Option<Position> {
        let started = self.scene.calls.get(call)?.started.time;
        let request = self
            .scene
            .requests
            .get(self.scene.calls.get(call)?.parent?)?;
        let rows = request
            .calls
            .iter()
            .filter_map(|slot| self.scene.calls.get(*slot));
        let steps: SmallVec<[Step; 8]> = rows.map(Call::step).collect();
        let mut found = None;
        walk(request.frame(), &steps, |step| {
            if step.time == started && matches!(step.next, Next::Start(_)) {
                found = Some(step.from);
            }
        });
        found
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
    fn path(&self, request: u32, calls: &[u32]) -> Option<Path> {
        let frame = self.scene.requests.get(request)?.frame();
        let rows = calls.iter().filter_map(|slot| self.scene.calls.get(*slot));
        let steps: SmallVec<[Step; 8]> = rows.map(Call::step).collect();
        let mut likelihood = 0.0;
        self.effort.spend(steps.len() + 1);
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

/// Calls with their cause and when it would be ready for them.
type Places = SmallVec<[(u32, Option<u32>, Timestamp); 16]>;

/// What a path says.
struct Path {
    likelihood: f32,
    position: Position,
    /// When the request was ready for each of its calls.
    ready: SmallVec<[Timestamp; 8]>,
}

/// 1 if two calls are made in the order in which their causes were ready, -1 if
/// one overtook the other, 0 if they did not compete.
fn in_order(
    one: (Option<u32>, Timestamp),
    other: (Option<u32>, Timestamp),
    started: (Timestamp, Timestamp),
) -> i32 {
    let competed = one.0.is_some()
        && other.0.is_some()
        && one.0 != other.0
        && one.1.max(other.1) <= started.0.min(started.1)
        && one.1 != other.1
        && started.0 != started.1;
    match (competed, (one.1 < other.1) == (started.0 < started.1)) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    }
}

/// The kind of evidence that a joint score by path counts as.
pub(super) const PATH_METHOD: Method = Method::Timing;
