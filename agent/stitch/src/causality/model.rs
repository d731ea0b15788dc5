//! What is learnt of one process: which thing follows which, after how long,
//! and how often calls happen that no request causes.
//!
//! Bounded: states that were not used for long are forgotten. What is learnt
//! can be saved and loaded (see [`Model::save`]) and shown.

mod portrait;

use std::fmt;

use hashbrown::HashMap;
use smallvec::SmallVec;
use thiserror::Error;

use super::histogram::{self, BINS, Histogram};
use super::path::{Move, Next, Position};
use crate::time::Timestamp;

/// States remembered in one process.
const MAX_STATES: usize = 4096;
/// Different things remembered to follow one state.
const MAX_STEPS: usize = 32;
/// Labels of which a background rate is remembered.
const MAX_LABELS: usize = 1024;
/// At this weight a state's counts are halved: it follows what changes.
const HALVE_AT: f32 = 4096.0;
/// Weight of the coarser state's opinion in the finer one.
const COARSE_WEIGHT: f32 = 2.0;
/// Weight of the prior in the coarser state.
const PRIOR_WEIGHT: f32 = 1.0;
/// Share of calls made in sequence from which gaps count from the last answer.
const SEQUENTIAL: f32 = 0.8;
/// Share of answered requests that call from which it is reckoned with.
const LATE: f32 = 0.01;
/// Background calls assumed before any was seen, and the time in which.
const BACKGROUND_PRIOR: (f64, f64) = (0.02, 10e9);
/// Pairs of calls in order, and overtaken ones, assumed before any was seen.
const ORDER_PRIOR: (f32, f32) = (6.0, 3.3);
/// Pairs from which the order is known: then one call of so many is looked at.
const ORDER_KNOWN: f32 = 512.0;
const ORDER_SAMPLED: u64 = 8;
/// Share of calls that are not the first of their kind in their request from
/// which repetition is reckoned with, and first ones below which it always is.
const REPEATS: f32 = 0.002;
const FEW: f32 = 30.0;
/// First bytes of a saved model: name and version of the format.
const MAGIC: &[u8; 8] = b"wscaus\x00\x01";

/// Why a saved model cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ModelError {
    /// It is not a model, or one of another version.
    #[error("not a causality model of this version")]
    Version,
    /// It ends too early or holds impossible values.
    #[error("the causality model is damaged")]
    Damaged,
}

/// What is learnt of one process.
#[derive(Clone, Debug, Default)]
pub struct Model {
    states: HashMap<u64, State>,
    background: HashMap<u64, Background>,
    /// Time in which no request was open, in ns.
    idle: f64,
    /// Time in all, in ns.
    total: f64,
    /// The largest power of ten (ns) that divides every time seen.
    resolution: u64,
    uses: u64,
    forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    total: f32,
    used: u64,
    steps: SmallVec<[Follows; 3]>,
}

#[derive(Clone, Debug)]
struct Follows {
    next: Next,
    weight: f32,
    gaps: Option<Box<Gaps>>,
}

/// How long it takes until something follows.
#[derive(Clone, Debug, Default)]
struct Gaps {
    since_act: Histogram,
    since_event: Histogram,
    /// Times that all calls made before were answered, and that some were not.
    in_sequence: f32,
    in_parallel: f32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Background {
    idle: f32,
    busy: f32,
    /// Pairs of calls made in the order in which their causes were ready, and
    /// pairs of which one overtook the other.
    in_order: f32,
    overtaken: f32,
    /// Calls made while all earlier ones of their request were answered, and
    /// others.
    in_sequence: f32,
    in_parallel: f32,
    /// Calls that were the first of their kind in their request, and others.
    single: f32,
    repeated: f32,
}

/// How likely a thing is next in one state, with how long it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook<'a> {
    chance: f32,
    /// Learnt of the coarser state and of the finer one.
    gaps: [Option<&'a Gaps>; 2],
    has_gap: bool,
    tick: u64,
}

impl Outlook<'_> {
    /// Log-likelihood of a move of this kind, its gap included (per ns).
    pub(super) fn score(&self, step: &Move) -> f32 {
        let mut likelihood = self.chance;
        if self.has_gap {
            let mut density = histogram::prior_density(step.since_event(), self.tick);
            for (gaps, weight) in self.gaps.iter().zip([PRIOR_WEIGHT, COARSE_WEIGHT]) {
                let Some(gaps) = gaps else { continue };
                let total = gaps.since_act.total();
                let learnt = gaps.density(step, self.tick);
                density = (total * learnt + weight * density) / (total + weight);
            }
            likelihood *= density;
        }
        histogram::log2(likelihood.max(f32::MIN_POSITIVE)) * std::f32::consts::LN_2
    }
}

impl Model {
    /// Log-likelihood of a move: of what happens next, and of the gap (per ns).
    pub(super) fn score(&self, step: &Move) -> f32 {
        self.outlook(&step.from, step.next).score(step)
    }

    /// How likely `next` is in the state of `from`, at whatever time.
    pub(super) fn outlook(&self, from: &Position, next: Next) -> Outlook<'_> {
        let (mut chance, has_gap) = prior(next, from.responded);
        let mut gaps = [None, None];
        let keys = [(from.coarse, PRIOR_WEIGHT), (from.state, COARSE_WEIGHT)];
        for ((key, weight), gaps) in keys.into_iter().zip(&mut gaps) {
            let Some(state) = self.states.get(&key) else {
                continue;
            };
            let follows = state.steps.iter().find(|s| s.next == next);
            let seen = follows.map_or(0.0, |f| f.weight);
            chance = (seen + weight * chance) / (state.total + weight);
            *gaps = follows.and_then(|f| f.gaps.as_deref());
        }
        Outlook {
            chance,
            gaps,
            has_gap,
            tick: self.tick(),
        }
    }

    /// Learns a move with a weight of 0 to 1.
    pub(super) fn learn(&mut self, step: &Move, weight: f32) {
        self.uses += 1;
        if let Next::Start(label) = step.next {
            self.learn_call(label, step, weight);
        }
        for key in [step.from.state, step.from.coarse] {
            if !self.states.contains_key(&key) {
                self.make_room();
            }
            let state = self.states.entry(key).or_default();
            state.used = self.uses;
            state.learn(step, weight);
        }
    }

    /// Log of the rate (per ns) of calls of this label that nothing causes.
    pub(super) fn background(&self, label: u64) -> f32 {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        let (count, time) = BACKGROUND_PRIOR;
        let idle = (f64::from(seen.idle) + count) / (self.idle + time);
        let total = (f64::from(seen.idle + seen.busy) + count) / (self.total + time);
        idle.max(total).ln() as f32
    }

    /// Learns a call without a cause, with a weight of 0 to 1; `idle` while no
    /// request was open.
    pub(super) fn learn_background(&mut self, label: u64, weight: f32, idle: bool) {
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

    fn learn_call(&mut self, label: u64, step: &Move, weight: f32) {
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
    pub(super) fn in_sequence(&self, label: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.in_sequence >= FEW && seen.in_parallel <= 0.05 * seen.in_sequence
    }

    /// Whether one request may make several calls of this kind.
    pub(super) fn may_repeat(&self, label: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.repeated >= REPEATS * (seen.repeated + seen.single) || seen.single < FEW
    }

    /// Log-odds of a pair of calls of this kind being made in the order in which
    /// their causes were ready.
    pub(super) fn order(&self, label: u64) -> f32 {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        let (in_order, overtaken) = ORDER_PRIOR;
        ((seen.in_order + in_order) / (seen.overtaken + overtaken)).ln()
    }

    /// Whether more pairs are needed to know how calls of this kind are ordered.
    pub(super) fn wants_order(&self, label: u64, rank: u64) -> bool {
        let seen = self.background.get(&label).copied().unwrap_or_default();
        seen.in_order + seen.overtaken < ORDER_KNOWN || rank.is_multiple_of(ORDER_SAMPLED)
    }

    /// Learns whether two calls of one kind were made in order, where nothing
    /// but their order could tell which belongs to whom.
    pub(super) fn learn_order(&mut self, label: u64, in_order: bool) {
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

    /// Learns how much time went by, and whether no request was open in it.
    pub(super) fn learn_time(&mut self, from: Timestamp, to: Timestamp, idle: bool) {
        let span = to.since(from).as_nanos() as f64;
        self.total += span;
        if idle {
            self.idle += span;
        }
        if self.resolution == 0 {
            self.resolution = 1_000_000;
        }
        while !to.0.is_multiple_of(self.resolution) {
            self.resolution /= 10;
        }
    }

    /// Whether requests in this state, answered already, were seen to call.
    pub(super) fn calls_late(&self, state: u64) -> bool {
        self.states.get(&state).is_some_and(|state| {
            let late = state
                .steps
                .iter()
                .filter(|s| matches!(s.next, Next::Start(_)));
            late.map(|s| s.weight).sum::<f32>() > LATE * state.total
        })
    }

    /// States remembered.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether nothing has been learnt.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.background.is_empty()
    }

    /// States and labels forgotten because a limit was hit.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn tick(&self) -> u64 {
        self.resolution.max(1)
    }

    /// Forgets the half of the states that was not used for longest.
    fn make_room(&mut self) {
        if self.states.len() < MAX_STATES {
            return;
        }
        let mut used: Vec<u64> = self.states.values().map(|s| s.used).collect();
        used.sort_unstable();
        let limit = used[used.len() / 2];
        self.states.retain(|_, state| state.used > limit);
        self.forgotten += (used.len() - self.states.len()) as u64;
    }
}

impl State {
    fn learn(&mut self, step: &Move, weight: f32) {
        let (_, has_gap) = prior(step.next, step.from.responded);
        self.total += weight;
        let found = self.steps.iter().position(|s| s.next == step.next);
        let index = match found {
            Some(index) => index,
            None if self.steps.len() >= MAX_STEPS => return,
            None => {
                self.steps.push(Follows {
                    next: step.next,
                    weight: 0.0,
                    gaps: has_gap.then(Box::default),
                });
                self.steps.len() - 1
            }
        };
        let follows = &mut self.steps[index];
        follows.weight += weight;
        if let Some(gaps) = &mut follows.gaps {
            gaps.add(step, weight);
        }
        if self.total > HALVE_AT {
            self.total /= 2.0;
            self.steps.iter_mut().for_each(|s| s.weight /= 2.0);
        }
    }
}

impl Gaps {
    /// Probability of being in sequence or not, times the density of the gap.
    fn density(&self, step: &Move, tick: u64) -> f32 {
        if !step.from.called {
            return self.since_act.density(step.since_act(), tick);
        }
        let seen = self.in_sequence + self.in_parallel;
        let sequence = (self.in_sequence + 0.5) / (seen + 1.0);
        let density = if sequence >= SEQUENTIAL {
            self.since_event.density(step.since_event(), tick)
        } else {
            self.since_act.density(step.since_act(), tick)
        };
        density
            * if step.from.waiting {
                1.0 - sequence
            } else {
                sequence
            }
    }

    /// The gaps that count.
    fn usual(&self) -> &Histogram {
        let seen = self.in_sequence + self.in_parallel;
        if self.in_sequence >= SEQUENTIAL * seen {
            &self.since_event
        } else {
            &self.since_act
        }
    }

    fn add(&mut self, step: &Move, weight: f32) {
        self.since_act.add(step.since_act(), weight);
        self.since_event.add(step.since_event(), weight);
        if step.from.waiting {
            self.in_parallel += weight;
        } else {
            self.in_sequence += weight;
        }
    }
}

/// What is assumed of a move before anything was learnt, and whether it has a
/// gap.
fn prior(next: Next, responded: bool) -> (f32, bool) {
    match (next, responded) {
        (Next::Start(_), false) => (0.2, true),
        (Next::Start(_), true) => (0.005, true),
        (Next::Respond, _) => (0.3, true),
        (Next::Nothing, _) => (0.95, false),
    }
}

/// Saving, loading, showing.
impl Model {
    /// The learnt model as bytes, for [`Model::load`] after a restart.
    pub fn save(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.idle.to_le_bytes());
        out.extend(self.total.to_le_bytes());
        out.extend(self.resolution.to_le_bytes());
        out.extend((self.states.len() as u32).to_le_bytes());
        for (key, state) in sorted(&self.states) {
            out.extend(key.to_le_bytes());
            out.extend(state.total.to_le_bytes());
            out.push(state.steps.len() as u8);
            state.steps.iter().for_each(|step| step.save(&mut out));
        }
        out.extend((self.background.len() as u32).to_le_bytes());
        for (label, seen) in sorted(&self.background) {
            out.extend(label.to_le_bytes());
            let Background {
                idle,
                busy,
                in_order,
                overtaken,
                in_sequence,
                in_parallel,
                single,
                repeated,
            } = *seen;
            let order = [in_order, overtaken, in_sequence, in_parallel];
            for weight in [idle, busy]
                .into_iter()
                .chain(order)
                .chain([single, repeated])
            {
                out.extend(weight.to_le_bytes());
            }
        }
        out
    }

    /// A model from the bytes of [`Model::save`].
    ///
    /// # Errors
    ///
    /// When the bytes are of another version, or damaged.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut input = Input(bytes);
        if input.take::<8>().ok().as_ref() != Some(MAGIC) {
            return Err(ModelError::Version);
        }
        let mut model = Self {
            idle: f64::from_le_bytes(input.take()?),
            total: f64::from_le_bytes(input.take()?),
            resolution: u64::from_le_bytes(input.take()?),
            ..Self::default()
        };
        for _ in 0..input.count(MAX_STATES)? {
            let key = input.number()?;
            let state = State::load(&mut input)?;
            model.states.insert(key, state);
        }
        for _ in 0..input.count(MAX_LABELS)? {
            let label = input.number()?;
            let seen = Background {
                idle: input.weight()?,
                busy: input.weight()?,
                in_order: input.weight()?,
                overtaken: input.weight()?,
                in_sequence: input.weight()?,
                in_parallel: input.weight()?,
                single: input.weight()?,
                repeated: input.weight()?,
            };
            model.background.insert(label, seen);
        }
        let sound = model.idle.is_finite() && model.total.is_finite() && input.0.is_empty();
        sound.then_some(model).ok_or(ModelError::Damaged)
    }
}

impl fmt::Display for Model {
    /// One line for each thing that follows a state: how often, after how long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, state) in sorted(&self.states) {
            for step in &state.steps {
                let share = 100.0 * step.weight / state.total.max(f32::MIN_POSITIVE);
                write!(f, "{key:016x} → {}: {share:.1} %", step.next)?;
                if let Some(gaps) = &step.gaps {
                    write!(f, " after {} µs", gaps.usual().median() / 1000)?;
                }
                writeln!(f, " (of {:.0})", state.total)?;
            }
        }
        for (label, _) in sorted(&self.background) {
            let rate = self.background(*label).exp() * 1e9;
            writeln!(f, "no cause → {label:016x}: {rate:.3} /s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(label) => write!(f, "call {label:016x}"),
            Self::Respond => f.write_str("response"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl State {
    fn load(input: &mut Input<'_>) -> Result<Self, ModelError> {
        let total = input.weight()?;
        let [count] = input.take()?;
        let mut steps = SmallVec::new();
        for _ in 0..count {
            steps.push(Follows::load(input)?);
        }
        Ok(Self {
            total,
            used: 0,
            steps,
        })
    }
}

impl Follows {
    fn save(&self, out: &mut Vec<u8>) {
        let (code, label) = match self.next {
            Next::Start(label) => (0, label),
            Next::Respond => (2, 0),
            Next::Nothing => (3, 0),
        };
        out.push(code | if self.gaps.is_some() { 0x80 } else { 0 });
        out.extend(label.to_le_bytes());
        out.extend(self.weight.to_le_bytes());
        if let Some(gaps) = &self.gaps {
            gaps.save(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, ModelError> {
        let [code] = input.take()?;
        let label = input.number()?;
        let next = match code & 0x7f {
            0 => Next::Start(label),
            2 => Next::Respond,
            3 => Next::Nothing,
            _ => return Err(ModelError::Damaged),
        };
        let weight = input.weight()?;
        let gaps = if code & 0x80 == 0 {
            None
        } else {
            Some(Box::new(Gaps::load(input)?))
        };
        Ok(Self { next, weight, gaps })
    }
}

impl Gaps {
    fn save(&self, out: &mut Vec<u8>) {
        let bins = self.since_act.bins().iter().chain(self.since_event.bins());
        let counts = [self.in_sequence, self.in_parallel];
        bins.chain(&counts)
            .for_each(|value| out.extend(value.to_le_bytes()));
    }

    fn load(input: &mut Input<'_>) -> Result<Self, ModelError> {
        Ok(Self {
            since_act: input.histogram()?,
            since_event: input.histogram()?,
            in_sequence: input.weight()?,
            in_parallel: input.weight()?,
        })
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(ModelError::Damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u64, ModelError> {
        self.take().map(u64::from_le_bytes)
    }

    fn weight(&mut self) -> Result<f32, ModelError> {
        let weight = f32::from_le_bytes(self.take()?);
        let sound = weight.is_finite() && weight >= 0.0;
        sound.then_some(weight).ok_or(ModelError::Damaged)
    }

    fn histogram(&mut self) -> Result<Histogram, ModelError> {
        let mut bins = [0.0; BINS];
        for bin in &mut bins {
            *bin = self.weight()?;
        }
        Ok(Histogram::from_bins(&bins))
    }

    fn count(&mut self, limit: usize) -> Result<usize, ModelError> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        (count <= limit).then_some(count).ok_or(ModelError::Damaged)
    }
}

fn sorted<V>(map: &HashMap<u64, V>) -> Vec<(&u64, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| **key);
    entries
}

#[cfg(test)]
mod tests {
    use super::super::path::{Frame, Step, walk};
    use super::*;

    fn taught() -> Model {
        let mut model = Model::default();
        for n in 0..50 {
            moves(n * 1000, 40_000, |step| model.learn(step, 1.0));
        }
        model.learn_background(9, 1.0, true);
        model.learn_time(Timestamp(0), Timestamp(1_000_000_123), true);
        model
    }

    fn moves(start: u64, gap: u64, mut tell: impl FnMut(&Move)) {
        let frame = Frame {
            route: 1,
            started: Timestamp(start),
            responded: Some(Timestamp(start + 200_000)),
        };
        let step = Step {
            label: 5,
            started: Timestamp(start + gap),
            ended: Some(Timestamp(start + 150_000)),
        };
        walk(frame, &[step], |step| tell(&step));
    }

    fn score(model: &Model, gap: u64) -> f32 {
        let mut sum = 0.0;
        moves(0, gap, |step| sum += model.score(step));
        sum
    }

    #[test]
    fn what_was_learnt_is_likelier() {
        let model = taught();
        assert!(score(&model, 41_000) > score(&model, 5_000) + 2.0);
        assert!(score(&model, 41_000) > score(&Model::default(), 41_000));
        assert!(model.background(9) > model.background(8) + 3.0);
    }

    #[test]
    fn saving_and_loading_keeps_every_opinion() {
        let model = taught();
        let bytes = model.save();
        let loaded = Model::load(&bytes).unwrap();
        assert_eq!(loaded.save(), bytes);
        assert!((score(&loaded, 41_000) - score(&model, 41_000)).abs() < 1e-3);
        assert!(loaded.to_string().contains("response"));
    }

    #[test]
    fn foreign_and_damaged_bytes_are_refused() {
        let bytes = taught().save();
        assert_eq!(Model::load(b"other").unwrap_err(), ModelError::Version);
        for end in 8..bytes.len() {
            assert!(Model::load(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(Model::load(&longer).unwrap_err(), ModelError::Damaged);
    }

    #[test]
    fn states_are_bounded() {
        let mut model = Model::default();
        for route in 0..10_000 {
            let frame = Frame {
                route,
                started: Timestamp(0),
                responded: Some(Timestamp(10)),
            };
            walk(frame, &[], |step| model.learn(&step, 1.0));
        }
        assert!(model.len() <= MAX_STATES);
        assert!(model.forgotten() > 0);
    }
}
