//! A model as bytes, and as text to compare.

use std::fmt;

use hashbrown::HashMap;
use smallvec::SmallVec;
use thiserror::Error;

use super::background::{Background, MAX_LABELS};
use super::moments::{ByMoment, MOMENTS};
use super::state::{Follows, Gaps, State};
use super::{MAX_STATES, Model};
use crate::causality::histogram::{BINS, Histogram};
use crate::causality::path::Next;

/// First bytes of a saved model: name and version of the format.
const MAGIC: &[u8; 8] = b"wscaus\x00\x02";

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

/// Saving, loading, showing.
impl Model {
    /// The learnt model as bytes, for [`Model::load`] after a restart.
    pub fn save(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        self.time.save(&mut out);
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
                seen,
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
            seen.save(&mut out);
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
            time: ByMoment::load(&mut input)?,
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
                seen: ByMoment::load(&mut input)?,
            };
            model.background.insert(label, seen);
        }
        input
            .0
            .is_empty()
            .then_some(model)
            .ok_or(ModelError::Damaged)
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

impl ByMoment {
    fn save(&self, out: &mut Vec<u8>) {
        let amounts = self.0.iter();
        amounts.for_each(|amount| out.extend(amount.to_le_bytes()));
    }

    fn load(input: &mut Input<'_>) -> Result<Self, ModelError> {
        let mut amounts = [0.0; MOMENTS];
        for amount in &mut amounts {
            *amount = f64::from_le_bytes(input.take()?);
        }
        let sound = amounts.iter().all(|it| it.is_finite() && *it >= 0.0);
        sound.then_some(Self(amounts)).ok_or(ModelError::Damaged)
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

pub(super) fn sorted<V>(map: &HashMap<u64, V>) -> Vec<(&u64, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| **key);
    entries
}
