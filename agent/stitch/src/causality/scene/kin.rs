//! Calls of one kind, in the order of their starts.

use std::collections::VecDeque;

use super::Scene;
use crate::causality::act::Features;
use crate::causality::call::{Call, Connection};

/// Calls of one kind, in the order of their starts.
#[derive(Debug, Default)]
pub(in crate::causality) struct Kin {
    first: u64,
    calls: VecDeque<Option<u32>>,
}

impl Kin {
    /// Calls up to `reach` places from the one with this rank.
    pub(in crate::causality) fn near(&self, rank: u64, reach: u64) -> impl Iterator<Item = u32> {
        let low = rank.saturating_sub(reach).max(self.first);
        (low..=rank + reach)
            .filter(move |other| *other != rank)
            .filter_map(|other| *self.calls.get((other - self.first) as usize)?)
    }
}

/// Calls.
impl Scene {
    /// The connection that a call with these features takes.
    pub(in crate::causality) fn connection(&self, call: &Features) -> Connection {
        if call.first_on_socket {
            Connection::New
        } else if self.pools.is_full_with_one_more(call.callee) {
            Connection::LastFree
        } else {
            Connection::OneOfSeveral
        }
    }

    /// A call was written. Its rank among its kind is given here.
    pub(in crate::causality) fn add_call(&mut self, mut call: Call) -> u32 {
        let cleared = self.pools.called(call.callee);
        self.limits.tables_cleared += u64::from(cleared);
        let kin = self.kin.entry(call.label).or_default();
        call.rank = kin.first + kin.calls.len() as u64;
        let slot = self.calls.insert(call);
        kin.calls.push_back(Some(slot));
        slot
    }

    /// A call was written, of which nothing is kept.
    pub(in crate::causality) fn called_in_passing(&mut self, callee: u64) {
        let cleared = self.pools.called(callee);
        self.limits.tables_cleared += u64::from(cleared);
        self.pools.freed(callee);
    }

    /// Forgets a call.
    pub(in crate::causality) fn remove_call(&mut self, slot: u32) -> Option<Call> {
        let call = self.calls.remove(slot)?;
        if call.answered.is_none() {
            self.pools.freed(call.callee);
        }
        if let Some(kin) = self.kin.get_mut(&call.label) {
            if let Some(place) = kin.calls.get_mut((call.rank - kin.first) as usize) {
                *place = None;
            }
            while kin.calls.pop_front_if(|place| place.is_none()).is_some() {
                kin.first += 1;
            }
            if kin.calls.is_empty() {
                self.kin.remove(&call.label);
            }
        }
        Some(call)
    }
}
