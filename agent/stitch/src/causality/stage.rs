//! The stage itself: routes acts to their owners, hands decisions out.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use super::act::{Act, Decision, ExchangeId, Features};
use super::audit::Audit;
use super::config::Config;
use super::counters::Counters;
use super::kind::Kind;
use super::model::Model;
use super::owner::{Desk, Owner};
use super::self_audit::{SelfAudit, Tally};
use super::shelf::{Memory, Shelf};
use super::slab::Slab;
use crate::event::{SocketId, Task};
use crate::exchange::{Moment, Role};
use crate::time::Timestamp;

/// Decides which incoming request caused each outgoing one.
#[derive(Debug)]
pub struct Causality {
    config: Config,
    owners: Slab<Entry>,
    by_key: HashMap<OwnerKey, u32>,
    exchanges: HashMap<ExchangeId, Place>,
    /// Owners by the time at which they have something to do.
    timers: BTreeSet<(Timestamp, u32)>,
    /// Models loaded for owners not met yet.
    models: HashMap<OwnerKey, Model>,
    /// What was learnt of processes that are gone.
    pub(super) shelf: Shelf,
    self_audit: Option<Box<SelfAudit>>,
    decisions: VecDeque<Decision>,
    counters: Counters,
    gone: Vec<ExchangeId>,
}

/// Process id and [`Features::owner`].
pub type OwnerKey = (u32, u64);

#[derive(Debug)]
struct Entry {
    key: OwnerKey,
    owner: Owner,
    timer: Option<Timestamp>,
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    owner: u32,
    role: Role,
    slot: u32,
}

impl Causality {
    /// A stage that has learnt nothing yet.
    pub fn new(config: Config) -> Self {
        let self_audit = config.self_audit;
        let self_audit = self_audit.map(|least| Box::new(SelfAudit::new(&config, least)));
        Self {
            shelf: Shelf::default(),
            self_audit,
            config,
            owners: Slab::default(),
            by_key: HashMap::new(),
            exchanges: HashMap::new(),
            timers: BTreeSet::new(),
            models: HashMap::new(),
            decisions: VecDeque::new(),
            counters: Counters::default(),
            gone: Vec::new(),
        }
    }

    /// Takes an act. Acts come in the order of their times.
    pub fn observe(&mut self, act: Act) {
        if let Some(audit) = &mut self.self_audit {
            audit.observe(&act, &self.shelf);
        }
        match act {
            Act::Started {
                exchange,
                role,
                socket,
                at,
                features,
            } => self.started(exchange, role, socket, at, features),
            Act::Answering { exchange, at } => self.on_exchange(exchange, at, false),
            Act::Ended { exchange, at } => self.on_exchange(exchange, at, true),
            Act::Connected { socket, at } => {
                if let Some(owner) = self.of_task(at.task) {
                    self.work(owner, at.time, |owner, _| {
                        owner.scene.opened(socket, at);
                    });
                }
            }
            Act::CallerIs { exchange, caller } => self.caller_is(exchange, caller),
            Act::Woke(_) => {}
            Act::Exited { pid, time } => self.exited(pid, time),
        }
    }

    /// Time went on: decides what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(&(time, owner)) = self.timers.first().filter(|(time, _)| *time <= now) {
            self.work(owner, time.max(self.last(owner)), |_, _| ());
        }
    }

    /// When [`Causality::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The next decision, if one was made.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        let decision = self.decisions.pop_front()?;
        if let Some(audit) = &mut self.self_audit {
            audit.decided(&decision);
        }
        Some(decision)
    }

    /// The input ended: decides everything that is left.
    pub fn finish(&mut self) {
        let mut owners: Vec<_> = self
            .by_key
            .iter()
            .map(|(key, owner)| (*key, *owner))
            .collect();
        owners.sort_unstable();
        for (_, owner) in owners {
            self.work(owner, self.last(owner), super::owner::Owner::finish);
        }
        if let Some(audit) = &mut self.self_audit {
            audit.finish();
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        Counters {
            kinds_forgotten: self.shelf.forgotten(),
            unaudited: self.self_audit.as_ref().map_or(0, |audit| audit.skipped()),
            ..self.counters
        }
    }

    /// Tells what a process is: a process of the same kind that was met before,
    /// in this run or (see [`Causality::remember`]) an earlier one, has left
    /// what was learnt of it. To be told before the process's first act.
    pub fn introduce(&mut self, pid: u32, kind: Kind) {
        if self.shelf.kind(pid).is_some_and(|known| **known == kind) {
            return;
        }
        // It became another program: what it was is over.
        if let Some(owner) = self.by_key.get(&(pid, 0)) {
            self.remove_owner(*owner, self.last(*owner));
        }
        self.shelf.introduce(pid, kind);
    }

    /// How right the engine is without headers, where headers tell: by kind of
    /// process, in order.
    pub fn self_audit(&self) -> Vec<(Kind, Tally)> {
        let tallies = self.self_audit.iter().flat_map(|audit| audit.tallies());
        tallies.map(|(kind, tally)| (kind.clone(), tally)).collect()
    }

    /// What was learnt of an owner; `None` if it is not known.
    pub fn model(&self, key: OwnerKey) -> Option<&Model> {
        let slot = *self.by_key.get(&key)?;
        self.owners.get(slot).map(|entry| &entry.owner.model)
    }

    /// Owners with what was learnt of them, in order.
    pub fn models(&self) -> Vec<(OwnerKey, &Model)> {
        let entries = self.by_key.iter();
        let mut models: Vec<_> = entries
            .filter_map(|(key, slot)| Some((*key, &self.owners.get(*slot)?.owner.model)))
            .collect();
        models.sort_unstable_by_key(|(key, _)| *key);
        models
    }

    /// Gives an owner a model to begin with.
    pub fn set_model(&mut self, key: OwnerKey, model: Model) {
        match self
            .by_key
            .get(&key)
            .and_then(|slot| self.owners.get_mut(*slot))
        {
            Some(entry) => entry.owner.model = model,
            None => {
                self.models.insert(key, model);
            }
        }
    }
}

impl Causality {
    fn started(
        &mut self,
        exchange: ExchangeId,
        role: Role,
        socket: SocketId,
        at: Moment,
        features: Features,
    ) {
        let owner = self.owner((features.pid, features.owner), at.time);
        let slot = self.work(owner, at.time, |owner, desk| match role {
            Role::Server => owner.request_started(exchange, at, features, desk),
            Role::Client => owner.call_started(exchange, at, socket, &features, desk),
        });
        // A call without candidates is decided and forgotten at once.
        let present = slot.filter(|slot| {
            let entry = self.owners.get(owner);
            entry.is_some_and(|entry| entry.owner.holds(role, *slot, exchange))
        });
        if let Some(slot) = present {
            self.exchanges.insert(exchange, Place { owner, role, slot });
        }
    }

    fn on_exchange(&mut self, exchange: ExchangeId, at: Moment, ended: bool) {
        let Some(&Place { owner, role, slot }) = self.exchanges.get(&exchange) else {
            self.counters.acts_unknown += 1;
            return;
        };
        self.work(owner, at.time, |owner, desk| {
            // Time going on may have forgotten it.
            if !owner.holds(role, slot, exchange) {
                return;
            }
            match (role, ended) {
                (Role::Server, false) => owner.responded(slot, at, desk),
                (Role::Server, true) => owner.request_ended(slot, at, desk),
                (Role::Client, false) => owner.answered(slot, at, desk),
                (Role::Client, true) => owner.call_ended(slot, at, desk),
            }
        });
    }

    fn caller_is(&mut self, exchange: ExchangeId, caller: Task) {
        let Some(&Place { owner, slot, .. }) = self.exchanges.get(&exchange) else {
            self.counters.acts_unknown += 1;
            return;
        };
        self.work(owner, self.last(owner), |owner, desk| {
            owner.caller_is(slot, caller, desk.config);
        });
    }

    fn exited(&mut self, pid: u32, time: Timestamp) {
        let keys = self.by_key.keys().filter(|(owner, _)| *owner == pid);
        let mut keys: Vec<_> = keys.copied().collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(owner) = self.by_key.get(&key) {
                self.remove_owner(*owner, time);
            }
        }
        self.shelf.farewell(pid);
    }

    /// Does work for an owner at a time, and what comes with it.
    fn work<T>(
        &mut self,
        slot: u32,
        now: Timestamp,
        work: impl FnOnce(&mut Owner, &mut Desk<'_>) -> T,
    ) -> Option<T> {
        let entry = self.owners.get_mut(slot)?;
        let mut desk = Desk {
            config: &self.config,
            counters: &mut self.counters,
            decisions: &mut self.decisions,
            gone: &mut self.gone,
        };
        entry.owner.advance(now, &mut desk);
        let done = work(&mut entry.owner, &mut desk);
        let limits = std::mem::take(&mut entry.owner.scene.limits);
        self.counters.turns_cut += limits.turns_cut;
        self.counters.turns_untimed += limits.turns_untimed;
        self.counters.queues_cut += limits.queues_cut;
        self.counters.tables_cleared += limits.tables_cleared;
        for id in self.gone.drain(..) {
            self.exchanges.remove(&id);
        }
        let timer = entry.owner.deadline().map(|time| time.max(now));
        if timer != entry.timer {
            if let Some(old) = entry.timer {
                self.timers.remove(&(old, slot));
            }
            self.timers.extend(timer.map(|time| (time, slot)));
            entry.timer = timer;
        }
        entry.last = now;
        Some(done)
    }

    fn owner(&mut self, key: OwnerKey, now: Timestamp) -> u32 {
        if let Some(slot) = self.by_key.get(&key) {
            return *slot;
        }
        if self.owners.len() >= self.config.max_owners
            && let Some((_, slot)) = self.silent_longest()
        {
            self.counters.owners_evicted += 1;
            self.remove_owner(slot, now);
        }
        let memory = match self.models.remove(&key) {
            Some(model) => Memory {
                model,
                ..Memory::default()
            },
            None => self.shelf.recall(key.0).unwrap_or_default(),
        };
        let mut owner = Owner::new(memory.model, now, &self.config);
        owner.scene.audit = memory.audit;
        let slot = self.owners.insert(Entry {
            key,
            owner,
            timer: None,
            last: now,
        });
        self.by_key.insert(key, slot);
        slot
    }

    fn remove_owner(&mut self, slot: u32, now: Timestamp) {
        self.work(slot, now, super::owner::Owner::finish);
        let Some(entry) = self.owners.remove(slot) else {
            return;
        };
        let memory = Memory {
            model: entry.owner.model,
            audit: entry.owner.scene.audit,
        };
        self.shelf.keep(entry.key.0, memory);
        self.by_key.remove(&entry.key);
        self.timers.retain(|(_, owner)| *owner != slot);
        self.exchanges.retain(|_, place| place.owner != slot);
    }

    /// What was learnt of the living processes whose kind is known, those that
    /// did something last are last.
    pub(super) fn living(&self) -> impl Iterator<Item = (&Arc<Kind>, &Model, &Audit)> {
        let slots = self.by_key.values();
        let mut entries: Vec<&Entry> = slots.filter_map(|slot| self.owners.get(*slot)).collect();
        entries.sort_unstable_by_key(|entry| (entry.last, entry.key));
        entries.into_iter().filter_map(|entry| {
            let kind = self.shelf.kind(entry.key.0)?;
            Some((kind, &entry.owner.model, &entry.owner.scene.audit))
        })
    }

    fn silent_longest(&self) -> Option<(Timestamp, u32)> {
        let slots = self.by_key.values();
        slots.map(|slot| (self.last(*slot), *slot)).min()
    }

    fn of_task(&self, task: Task) -> Option<u32> {
        self.by_key.get(&(task.pid, 0)).copied()
    }

    fn last(&self, owner: u32) -> Timestamp {
        self.owners
            .get(owner)
            .map_or(Timestamp(0), |entry| entry.last)
    }
}
