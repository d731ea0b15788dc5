//! What is learnt of calls of one kind, whoever makes them: how often without a
//! cause, in which order, how often in one request.

use super::moments::{ByMoment, Moment, causeless};
use super::{HALVE_AT, Model};
use crate::causality::path::Move;
use crate::time::Timestamp;

/// Labels of which this is remembered.
pub(super) const MAX_LABELS: usize = 1024;
/// Background calls assumed before any was seen, and the time in which.
const BACKGROUND_PRIOR: (f64, f64) = (0.02, 6e9);
/// Pairs of calls in order, and overtaken ones, assumed before any was seen.
const ORDER_PRIOR: (f32, f32) = (6.0, 3.3);
/// Pairs from which the order is known: then one call of so many is looked at.
const ORDER_KNOWN: f32 = 512.0;
const ORDER_SAMPLED: u64 = 8;
/// Share of calls that are not the first of their kind in their request from
/// which repetition is reckoned with, and first ones below which it always is.
const REPEATS: f32 = 0.002;
const FEW: f32 = 30.0;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Background {
    pub(super) idle: f32,
    pub(super) busy: f32,
    /// All calls, by when they were made.
    pub(super) seen: ByMoment,
    /// Pairs of calls made in the order in which their causes were ready, and
    /// pairs of which one overtook the other.
    pub(super) in_order: f32,
    pub(super) overtaken: f32,
    /// Calls made while all earlier ones of their request were answered, and
    /// others.
    pub(super) in_sequence: f32,
    pub(super) in_parallel: f32,
    /// Calls that were the first of their kind in their request, and others.
    pub(super) single: f32,
    pub(super) repeated: f32,
}

impl Model {
    /// Log of the rate (per ns) of calls of this label that nothing causes.
    pub(in crate::causality) fn background(&self, label: u64) -> f32 {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        let (count, time) = BACKGROUND_PRIOR;
        let idle = (f64::from(seen.idle) + count) / (self.time.idle() + time);
        let total = (f64::from(seen.idle + seen.busy) + count) / (self.time.total() + time);
        idle.max(total).ln() as f32
    }

    /// Learns a call without a cause, with a weight of 0 to 1; `idle` while no
    /// request was open.
    pub(in crate::causality) fn learn_background(&mut self, label: u64, weight: f32, idle: bool) {
        let Some(seen) = self.label(label) else {
            return;
        };
        *(if idle { &mut seen.idle } else { &mut seen.busy }) += weight;
    }

    fn label(&mut self, label: u64) -> Option<&mut Background> {
        if self.background.len() >= MAX_LABELS && !self.background.contains_key(&label) {
            self.forgotten += 1;
            return None;
        }
        Some(self.background.entry(label).or_default())
    }

    pub(super) fn learn_call(&mut self, label: u64, step: &Move, weight: f32) {
        let Some(seen) = self.label(label) else {
            return;
        };
        let repeats = if step.repeats {
            &mut seen.repeated
        } else {
            &mut seen.single
        };
        *repeats += weight;
        let sequence = if step.from.waiting {
            &mut seen.in_parallel
        } else {
            &mut seen.in_sequence
        };
        *sequence += weight;
    }

    /// Whether calls of this kind wait for the answers to the ones before.
    pub(in crate::causality) fn in_sequence(&self, label: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.in_sequence >= FEW && seen.in_parallel <= 0.05 * seen.in_sequence
    }

    /// Whether one request may make several calls of this kind.
    pub(in crate::causality) fn may_repeat(&self, label: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.repeated >= REPEATS * (seen.repeated + seen.single) || seen.single < FEW
    }

    /// Log-odds of a pair of calls of this kind being made in the order in which
    /// their causes were ready.
    pub(in crate::causality) fn order(&self, label: u64) -> f32 {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        let (in_order, overtaken) = ORDER_PRIOR;
        ((seen.in_order + in_order) / (seen.overtaken + overtaken)).ln()
    }

    /// Whether more pairs are needed to know how calls of this kind are ordered.
    pub(in crate::causality) fn wants_order(&self, label: u64, rank: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.in_order + seen.overtaken < ORDER_KNOWN || rank.is_multiple_of(ORDER_SAMPLED)
    }

    /// Learns whether two calls of one kind were made in order, where nothing
    /// but their order could tell which belongs to whom.
    pub(in crate::causality) fn learn_order(&mut self, label: u64, in_order: bool) {
        let Some(seen) = self.label(label) else {
            return;
        };
        *(if in_order {
            &mut seen.in_order
        } else {
            &mut seen.overtaken
        }) += 1.0;
        if seen.in_order + seen.overtaken > HALVE_AT {
            seen.in_order /= 2.0;
            seen.overtaken /= 2.0;
        }
    }

    /// A call of this kind was made at such a moment.
    pub(in crate::causality) fn saw(&mut self, label: u64, moment: Moment) {
        if let Some(seen) = self.label(label) {
            seen.seen.add(moment, 1.0);
        }
    }

    /// What speaks for a call of this kind at such a moment having no cause, in
    /// nats: that as many are made where nothing could cause them.
    pub(in crate::causality) fn causeless(&self, label: u64, moment: Moment) -> f32 {
        let seen = self.background.get(&label);
        seen.map_or(0.0, |seen| causeless(&seen.seen, &self.time, moment))
    }

    /// Learns how much time went by, with the last response at `responded` and
    /// requests open or not.
    pub(in crate::causality) fn learn_time(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        responded: Option<Timestamp>,
        open: bool,
    ) {
        if open {
            let busy = Moment::at(to, responded, true);
            self.time.add(busy, to.since(from).as_nanos() as f64);
        } else {
            // Before any response all is long after it.
            let last = responded.map_or(from.0.saturating_sub(u64::from(u32::MAX)), |at| at.0);
            self.time
                .add_idle(from.0.saturating_sub(last), to.0.saturating_sub(last));
        }
        if self.resolution == 0 {
            self.resolution = 1_000_000;
        }
        while !to.0.is_multiple_of(self.resolution) {
            self.resolution /= 10;
        }
    }
}
