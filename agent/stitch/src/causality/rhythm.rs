//! Evidence: the rhythm of calls that nothing causes. A timer's next call comes
//! some time after its last one, and another one does not come in between: a call
//! that fits in between two others as they usually follow each other is the
//! timer's, one that would make a pause far too short, or whose absence would make
//! none too long, is not.
//!
//! The calls without a cause are a renewal process. How much likelier it is with
//! this call than without, against a process without a rhythm and the same rate,
//! is `f(call - before) · f(after - call) / f(after - before) / rate`, where `f` is
//! the density of a pause. While no later call of the process is known, what
//! counts is that none came yet. Without anything learnt all this is 1.

use std::cmp::Reverse;
use std::collections::VecDeque;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::call::Call;
use super::scene::Scene;
use crate::time::Timestamp;

/// Kinds of calls of which a rhythm is remembered.
const MAX_LABELS: usize = 1024;
/// Calls of a kind remembered, the latest.
const MAX_RECENT: usize = 8;
/// Calls of its kind around one that are looked at for ones without a cause.
const REACH: u64 = 32;
/// Pauses remembered, the latest; those from which there may be a rhythm; and the
/// weight of pauses without any.
const MAX_PAUSES: usize = 32;
const LEAST: usize = 6;
/// Once all these are known, their reach is found anew after so many more.
const SETTLED: u32 = 16;
const PRIOR: f32 = 4.0;
/// Pauses are told by their logarithm, each standing for others around it
/// (Epanechnikov's kernel). Its reach by Silverman's rule, from the median distance
/// to their middle; and what few pauses leave unknown of it.
const REACH_FOR: f32 = 2.34 * 1.48;
const UNKNOWN: f32 = 0.5;
/// Probability of having no cause of a call that seems to have none for the time
/// being, and of others.
const SEEMS: f32 = 0.7;
const SEEMS_NOT: f32 = 0.05;
/// What is less likely is not looked at.
const UNLIKELY: f32 = 0.05;
/// Open requests up to which it is asked.
const MOST_RIVALS: u32 = 1;
/// The most that it says for or against (in nats).
const MOST: f32 = 5.0;

/// The rhythms of one process, by the kind of call.
#[derive(Debug, Default)]
pub(super) struct Rhythms(HashMap<u64, Rhythm>);

/// Calls of one kind that nothing caused.
#[derive(Debug, Default)]
struct Rhythm {
    /// The latest, in order.
    recent: SmallVec<[Tick; MAX_RECENT]>,
    /// Logarithms of the latest pauses between them (in ns).
    pauses: VecDeque<f32>,
    /// How far each of them stands for others.
    reach: f32,
    /// Pauses since that was found.
    since: u32,
}

/// A call, and the probability of its having no cause.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tick {
    at: Timestamp,
    chance: f32,
}

/// The calls of its kind around one.
#[derive(Clone, Debug, Default)]
struct Around {
    /// Those before it, the closest first.
    before: SmallVec<[Tick; 16]>,
    /// Those after it, the closest first.
    after: SmallVec<[Tick; 16]>,
}

impl Rhythms {
    /// A call of this kind had no cause, with this probability. Whether there were
    /// so many kinds that all were forgotten.
    pub(super) fn learn(&mut self, label: u64, at: Timestamp, chance: f32) -> bool {
        let full = self.0.len() >= MAX_LABELS && !self.0.contains_key(&label);
        if full {
            self.0.clear();
        }
        let rhythm = self.0.entry(label).or_default();
        let place = rhythm.recent.partition_point(|tick| tick.at <= at);
        let before = place.checked_sub(1).map(|before| rhythm.recent[before]);
        if let Some(before) = before {
            rhythm.paused(nanos(before.at, at));
        }
        rhythm.recent.insert(place, Tick { at, chance });
        if rhythm.recent.len() > MAX_RECENT {
            rhythm.recent.remove(0);
        }
        full
    }

    /// Whether enough is known of calls of this kind.
    pub(super) fn is_known(&self, label: u64) -> bool {
        self.known(label).is_some()
    }

    /// The rhythm of calls of this kind, if enough is known of it.
    fn known(&self, label: u64) -> Option<&Rhythm> {
        let rhythm = self.0.get(&label)?;
        (rhythm.pauses.len() >= LEAST).then_some(rhythm)
    }
}

impl Rhythm {
    /// What speaks for a call having no cause, in nats; `rate` is the log of the
    /// rate of such calls (per ns).
    fn weight(&self, at: Timestamp, around: &Around, rate: f32) -> f32 {
        let before = closest(&around.before);
        let after = closest(&around.after);
        if before.is_empty() {
            return 0.0;
        }
        let until = around.after.last().map_or(at, |tick| tick.at);
        // Of those after it, one is the next; or there is none so far.
        let rest = 1.0 - after.iter().map(|tick| tick.chance).sum::<f32>();
        let goes_on = |from: Timestamp| {
            let next = after.iter();
            let next = next.map(|t| t.chance * self.density(nanos(from, t.at), rate));
            // In the time that one more is looked for in.
            let none = rest.max(0.0) * self.lasts(nanos(from, until), rate) * rate.exp();
            next.sum::<f32>() + none
        };
        let last = |part: fn(&Self, Tick, Timestamp, f32) -> f32| -> f32 {
            before
                .iter()
                .map(|tick| tick.chance * part(self, *tick, at, rate))
                .sum()
        };
        let with = last(|rhythm, tick, at, rate| rhythm.density(nanos(tick.at, at), rate));
        let without: f32 = before
            .iter()
            .map(|tick| tick.chance * goes_on(tick.at))
            .sum();
        let with = with.max(f32::MIN_POSITIVE).ln() + goes_on(at).max(f32::MIN_POSITIVE).ln();
        let said = with - without.max(f32::MIN_POSITIVE).ln() - rate;
        said.clamp(-MOST, MOST)
    }

    /// Density of a pause (per ns).
    fn density(&self, pause: u64, rate: f32) -> f32 {
        let pause = pause.max(1) as f32;
        let even = (rate - rate.exp() * pause).exp();
        let kernel = |off: f32| 0.75 * (1.0 - off * off).max(0.0);
        let learnt = self.kernels(pause, kernel) / (self.reach * pause);
        self.mixed(learnt, even)
    }

    /// Probability of a pause being longer.
    fn lasts(&self, pause: u64, rate: f32) -> f32 {
        let pause = pause.max(1) as f32;
        let even = (-rate.exp() * pause).exp();
        let kernel = |off: f32| {
            let off = off.clamp(-1.0, 1.0);
            0.5 - 0.75 * off + 0.25 * off * off * off
        };
        self.mixed(self.kernels(pause, kernel), even)
    }

    /// The mean of a function of how far a pause is from each of those seen.
    fn kernels(&self, pause: f32, kernel: impl Fn(f32) -> f32) -> f32 {
        let pause = pause.ln();
        let off = self.pauses.iter().map(|seen| (pause - seen) / self.reach);
        off.map(kernel).sum::<f32>() / self.pauses.len() as f32
    }

    fn mixed(&self, learnt: f32, even: f32) -> f32 {
        let seen = self.pauses.len() as f32;
        (seen * learnt + PRIOR * even) / (seen + PRIOR)
    }

    /// Learns a pause. A part of them may be wrong: medians do not mind.
    fn paused(&mut self, pause: u64) {
        if self.pauses.len() >= MAX_PAUSES {
            self.pauses.pop_front();
        }
        self.pauses.push_back((pause.max(1) as f32).ln());
        self.since += 1;
        if self.pauses.len() >= MAX_PAUSES && self.since < SETTLED {
            return;
        }
        self.since = 0;
        let usual = median(self.pauses.iter().copied());
        let off = median(self.pauses.iter().map(|pause| (pause - usual).abs()));
        let seen = self.pauses.len() as f32;
        self.reach = REACH_FOR * off * seen.powf(-0.2) + UNKNOWN / seen;
    }
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: SmallVec<[f32; MAX_PAUSES]> = values.collect();
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Of calls, the closest first, the chance of each to be the closest without a
/// cause; in all at most 1.
fn closest(calls: &[Tick]) -> SmallVec<[Tick; 8]> {
    let mut left = 1.0;
    let mut found = SmallVec::new();
    for call in calls {
        let chance = left * call.chance;
        found.push(Tick { chance, ..*call });
        left -= chance;
        if left < UNLIKELY {
            break;
        }
    }
    found
}

/// What the rhythm of its kind says for a call having no cause, in nats; `rate` is
/// the log of the rate of such calls (per ns).
pub(super) fn weight(scene: &Scene, slot: u32, rate: f32) -> f32 {
    let Some(call) = scene.calls.get(slot) else {
        return 0.0;
    };
    match scene.rhythms.known(call.label) {
        // Among many requests some of these calls are missed, and all seem overdue.
        Some(rhythm) if call.rivals <= MOST_RIVALS => {
            rhythm.weight(call.started.time, &around(scene, call, rhythm), rate)
        }
        _ => 0.0,
    }
}

/// The calls of its kind around one, as far as they may have no cause.
fn around(scene: &Scene, call: &Call, rhythm: &Rhythm) -> Around {
    let kin = scene.kin.get(&call.label).into_iter();
    let kin = kin.flat_map(|kin| kin.near(call.rank, REACH));
    let kin = kin
        .filter_map(|slot| scene.calls.get(slot))
        .filter(|other| !other.decided);
    let kin = kin.map(|other| Tick {
        at: other.started.time,
        chance: if other.parent.is_none() {
            SEEMS
        } else {
            SEEMS_NOT
        },
    });
    let at = call.started.time;
    let mut around = Around::default();
    for tick in kin.chain(rhythm.recent.iter().copied()) {
        if tick.at < at {
            around.before.push(tick);
        } else {
            around.after.push(tick);
        }
    }
    around.before.sort_unstable_by_key(|tick| Reverse(tick.at));
    around.after.sort_unstable_by_key(|tick| tick.at);
    around
}

fn nanos(from: Timestamp, to: Timestamp) -> u64 {
    to.0.saturating_sub(from.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// Ten a second.
    const RATE: f32 = -18.4;

    /// A timer that ticks each 100 ms, give or take 10.
    fn timer() -> Rhythms {
        let mut rhythms = Rhythms::default();
        for tick in 0..20 {
            let late = [0, 3, 9, 5, 1, 7][tick as usize % 6];
            rhythms.learn(7, Timestamp((100 * tick + late) * MS), 1.0);
        }
        rhythms
    }

    fn tick(ms: u64) -> Tick {
        Tick {
            at: Timestamp(ms * MS),
            chance: 1.0,
        }
    }

    fn said(rhythms: &Rhythms, before: u64, at: u64, after: Option<u64>) -> f32 {
        let around = Around {
            before: [tick(before)].into_iter().collect(),
            after: after.map(tick).into_iter().collect(),
        };
        let rhythm = rhythms.known(7).unwrap();
        rhythm.weight(Timestamp(at * MS), &around, RATE)
    }

    fn weight(at: u64, after: Option<u64>) -> f32 {
        said(&timer(), 2000, at, after)
    }

    #[test]
    fn what_comes_in_time_is_the_timers() {
        assert!(weight(2100, None) > 0.5);
        assert!(weight(2030, None) < -1.0, "too early");
        assert!(weight(2100, Some(2200)) > 2.0, "without it one is missing");
        assert!(weight(2050, Some(2100)) < -2.0, "there is one in time");
    }

    #[test]
    fn without_a_rhythm_nothing_is_said() {
        let mut none = Rhythms::default();
        // Exponential pauses.
        let mut time = 0;
        for n in 0..400_u32 {
            none.learn(7, Timestamp(time), 1.0);
            let uniform = (n as f32 * 0.618_034).fract().max(0.001);
            time += ((-uniform.ln() * 1e8) as i64).unsigned_abs();
        }
        let said = said(&none, 2000, 2080, Some(2200));
        assert!(said.abs() < 0.7, "{said}");
    }

    #[test]
    fn kinds_are_bounded() {
        let mut rhythms = Rhythms::default();
        let cleared = (0..3000).filter(|label| rhythms.learn(*label, Timestamp(1), 1.0));
        assert_eq!(cleared.count(), 2);
        assert!(rhythms.0.len() <= MAX_LABELS);
    }
}
