//! Calls of one kind tend to be made in the order in which their causes were
//! ready: what that says of a change, and what is learnt of it.

use smallvec::SmallVec;

use super::Solver;
use crate::causality::call::Call;
use crate::causality::path::{Move, Next, Position, Step, walk};
use crate::time::Timestamp;

/// What looking at the order costs for each call, in score evaluations.
const PLACE: usize = 6;
/// Gaps whose swap changes less than this (in nats) cannot tell two calls apart.
const TOSS_UP: f32 = 1.0;
/// Calls of a kind whose order is looked at: so many to each side.
const REACH: u64 = 4;

/// Calls with their cause and when it would be ready for them.
pub(super) type Places = SmallVec<[(u32, Option<u32>, Timestamp); 16]>;

impl Solver<'_> {
    /// What a change gains by calls being made in the order in which their
    /// causes were ready.
    pub(super) fn order_gain(&self, places: &Places) -> f32 {
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
    pub(in crate::causality) fn undecided_by_gaps(&self, call: u32) -> SmallVec<[bool; 2]> {
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
