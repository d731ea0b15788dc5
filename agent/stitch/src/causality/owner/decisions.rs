//! Decisions: when a call is decided, together with which others, and what
//! follows from it.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Desk, Owner};
use crate::causality::act::{Decision, ExchangeId};
use crate::causality::confidence::{self, Odds};
use crate::causality::{belief, event_loop, queue, route};
use crate::span::Method;
use crate::time::Timestamp;

/// A call is decided earlier than its deadline, by up to this share of the lag,
/// where another one of its component is due.
const EARLY: f32 = 0.125;
/// Score evaluations from which calls are searched for together, and of which
/// one call may be searched.
const SEARCH: u32 = 64;
const SEARCH_EACH: u32 = 16;
/// Probability of having no cause from which a call may be one of a timer's.
const LIKELY: f32 = 0.5;
/// Trust in timing from which looking for a better joint choice by it is worth
/// its cost.
const WORTH_SEARCHING: f32 = 0.2;
/// Requests in flight from which such a choice, where threads are known, is more
/// often sharp and wrong than better: on live servers with 32 in flight it took 3
/// to 6 points of precision.
const MANY: u32 = 16;

impl Owner {
    /// Decides a call together with those that compete with it, as far as all
    /// their candidates are answered. Odds are told before any of them is fixed:
    /// who is unsure which of two is right is unsure of both.
    pub(super) fn decide_component(&mut self, call: u32, desk: &mut Desk<'_>) {
        let affords = self.effort.left() >= SEARCH;
        let limit = if affords {
            let limit = (self.effort.left() / SEARCH_EACH) as usize;
            limit.clamp(1, desk.config.max_component)
        } else {
            desk.config.max_component
        };
        let crowded = self.undecided >= desk.config.max_pending;
        let calls = self.solver(desk.config).component(call, limit);
        for call in &calls {
            event_loop::weigh_again(&mut self.scene, *call);
            if desk.config.uses(Method::Route) {
                route::weigh(&mut self.scene, *call);
            }
            if desk.config.uses(Method::Queue) {
                self.ask_queue(*call);
            }
            self.solver(desk.config).weigh_cause(*call);
        }
        let rivals = self.rivals(&calls);
        let few = rivals < MANY || self.scene.threads.is_empty() || self.scene.foresight.alone();
        let trust = self.scene.trust_among(rivals);
        let worth = few && trust >= WORTH_SEARCHING;
        let searched = worth && affords;
        if searched {
            self.paths.forget();
            let mut solver = self.searcher(trust, desk.config);
            solver.refresh_all(&calls);
            solver.improve(&calls);
        }
        desk.counters.largest_component = desk.counters.largest_component.max(calls.len() as u64);
        // Where the component was cut, its far end lacks its other neighbours.
        let whole = calls.len() < limit;
        let near = if whole { calls.len() } else { calls.len() / 2 };
        // Calls that will be due soon are decided too: looking at all again for
        // each of them would cost too much.
        let soon = self.now - desk.config.lag.mul_f32(1.0 - EARLY);
        let ripe = calls.iter().enumerate().filter(|(index, slot)| {
            let started = self.scene.calls.get(**slot).map(|row| row.started.time);
            let hurry = crowded && *index < calls.len().div_ceil(4);
            let due = hurry || started.is_some_and(|started| started <= soon);
            **slot == call || *index < near && (due || self.is_settled(**slot))
        });
        let ripe: Vec<u32> = ripe.map(|(_, slot)| *slot).collect();
        belief::propagate(&mut self.scene, &ripe);
        let mut solver = self.solver(desk.config);
        if searched {
            solver = self.searcher(trust, desk.config);
            solver.thorough = true;
        }
        let mut cut = 0;
        let odds = |slot: &u32| {
            let afford = solver.effort.left() >= SEARCH;
            cut += u64::from(worth && !afford);
            if searched && afford {
                confidence::odds(&solver, *slot)
            } else {
                confidence::greedy(&solver, *slot)
            }
        };
        let odds: Vec<_> = ripe.iter().map(odds).collect();
        desk.counters.decided_greedily += cut;
        for (slot, odds) in ripe.into_iter().zip(odds) {
            self.settle(slot, &odds, desk);
        }
    }

    /// Brings what the queue says of a call up to date.
    fn ask_queue(&mut self, call: u32) {
        let Some(verdict) = queue::verdict(&mut self.scene, call) else {
            return;
        };
        for request in queue::unthought_of(&self.scene, call, &verdict) {
            self.add_weight(call, request, Method::Queue, 0.0);
        }
        queue::weigh(&mut self.scene, call, &verdict);
    }

    /// Requests that were open when one of these calls started, in the middle.
    fn rivals(&self, calls: &[u32]) -> u32 {
        let rows = calls.iter().filter_map(|call| self.scene.calls.get(*call));
        let mut rivals: Vec<u32> = rows.map(|row| row.rivals).collect();
        rivals.sort_unstable();
        rivals.get(rivals.len() / 2).copied().unwrap_or_default()
    }

    fn is_settled(&self, call: u32) -> bool {
        self.scene.calls.get(call).is_some_and(|row| {
            let mut requests = row
                .links
                .iter()
                .filter_map(|l| self.scene.requests.get(l.request));
            requests.all(|request| !request.open())
        })
    }

    /// At a response: decides the calls of this request that are beyond doubt.
    pub(super) fn decide_sure(&mut self, request: u32, desk: &mut Desk<'_>) {
        let Some(row) = self.scene.requests.get(request) else {
            return;
        };
        let open = |call: &u32| self.scene.calls.get(*call).is_some_and(|row| !row.decided);
        let mut calls: SmallVec<[u32; 8]> = row.calls.iter().copied().filter(open).collect();
        let mut solver = self.solver(desk.config);
        calls.retain(|call| solver.is_plain(*call));
        for call in &calls {
            solver.weigh_cause(*call);
            if solver.is_alone(*call) {
                solver.refresh_all(&[*call]);
            }
        }
        belief::propagate(&mut self.scene, &calls);
        for call in calls {
            let solver = self.solver(desk.config);
            let odds = if solver.is_alone(call) {
                confidence::odds(&solver, call)
            } else {
                confidence::greedy(&solver, call)
            };
            let best = odds.first().map(|best| (best.request, best.probability));
            if best.is_some_and(|(r, p)| r == Some(request) && p >= desk.config.sure) {
                self.settle(call, &odds, desk);
            }
        }
    }

    pub(super) fn decide_oldest(&mut self, desk: &mut Desk<'_>) {
        while let Some((_, call, id)) = self.due.pop_front() {
            if self.is_undecided(call, id) {
                self.decide_component(call, desk);
                return;
            }
        }
    }

    pub(super) fn decide(&mut self, call: u32, desk: &mut Desk<'_>) {
        let mut solver = self.solver(desk.config);
        solver.refresh_all(&[call]);
        solver.weigh_cause(call);
        belief::propagate(&mut self.scene, &[call]);
        let odds = confidence::odds(&self.solver(desk.config), call);
        self.settle(call, &odds, desk);
    }

    /// Gives the decision on a call, once and for all.
    pub(super) fn settle(&mut self, slot: u32, odds: &[Odds], desk: &mut Desk<'_>) {
        let best = odds.first().and_then(|best| best.request);
        let mut solver = self.solver(desk.config);
        let candidates = confidence::candidates(&solver, slot, odds);
        solver.assign(slot, best);
        let Some(row) = self.scene.calls.get_mut(slot) else {
            return;
        };
        row.decided = true;
        row.sure = odds.first().map_or(0.0, |best| best.probability);
        self.undecided -= 1;
        desk.counters.decisions += 1;
        desk.decisions.push_back(Decision {
            call: row.id,
            candidates,
        });
        let (label, idle, started) = (row.label, row.rivals == 0, row.started.time);
        if let Some(agreed) = confidence::audit(odds) {
            self.scene.audit.add(row.rivals, agreed);
        }
        // Where threads are unknown, timing is trusted anyway.
        if row.rivals > 1 && best.is_some() && row.started.task.tid != 0 {
            self.scene
                .foresight
                .decided(confidence::is_spoken_for(odds));
        }
        let links: SmallVec<[u32; 8]> = row.links.iter().map(|link| link.request).collect();
        route::learn(&mut self.scene, label, odds);
        let chance = |request: Option<u32>| {
            let entry = odds.iter().find(|entry| entry.request == request);
            entry.map_or(0.0, |entry| entry.probability)
        };
        if best.is_none() {
            self.learn_uncaused(label, started, chance(None), idle);
        }
        for request in &links {
            let right = if best == Some(*request) {
                chance(Some(*request))
            } else {
                1.0 - chance(Some(*request))
            };
            self.release(*request, slot, right, desk.config.after_response);
        }
        match best {
            Some(request) => self.trim(request, desk),
            None => self.drop_call(slot, desk),
        }
        if odds
            .first()
            .is_some_and(|best| best.probability >= desk.config.sure)
        {
            self.learn_order(slot, desk.config);
        }
        links
            .into_iter()
            .for_each(|request| self.learn_if_settled(request));
    }

    /// A call of this kind had no cause, with the probability `chance`; `idle`: no
    /// request was open.
    pub(super) fn learn_uncaused(
        &mut self,
        label: u64,
        started: Timestamp,
        chance: f32,
        idle: bool,
    ) {
        let chance = chance.max(f32::from(u8::from(idle)));
        self.model.learn_background(label, chance, idle);
        // Who never serves has nothing yet to tell a rhythm from.
        let wanted = self.scene.responded.is_some() || !self.scene.rhythms.is_known(label);
        if chance >= LIKELY && wanted {
            let cleared = self.scene.rhythms.learn(label, started, chance);
            self.scene.limits.tables_cleared += u64::from(cleared);
        }
    }

    /// A decided call no longer binds one of its candidates; that this was right
    /// has the probability `right`.
    fn release(&mut self, request: u32, call: u32, right: f32, after_response: Duration) {
        let Some(row) = self.scene.requests.get_mut(request) else {
            return;
        };
        row.suitors.retain(|suitor| *suitor != call);
        row.certainty *= right;
        let overdue = row
            .responded
            .is_some_and(|at| at.time + after_response <= self.now);
        if row.suitors.is_empty() && overdue {
            self.leaving.push_front((self.now, request, row.id));
        }
    }

    pub(super) fn is_undecided(&self, call: u32, id: ExchangeId) -> bool {
        let row = self.scene.calls.get(call);
        row.is_some_and(|row| row.id == id && !row.decided)
    }
}
