//! The requests of a process: open ones in the order of their activity, answered
//! ones until they are forgotten.

use super::{Read, Scene};
use crate::causality::request::Request;
use crate::exchange::Moment;

impl Scene {
    /// Whether the process ever read a request.
    pub(in crate::causality) fn ever_served(&self) -> bool {
        self.habits.served > 0.0
    }

    /// A request was read.
    pub(in crate::causality) fn add_request(&mut self, request: Request) -> u32 {
        self.open += 1;
        let (id, at) = (request.id, request.started);
        let (trace_id, coroutine) = (request.trace_id, at.task.coroutine);
        let (request_ids, tokens) = (request.shared_ids.clone(), request.tokens.clone());
        let slot = self.requests.insert(request);
        self.link_newest(slot);
        if let Some(trace_id) = trace_id {
            self.traces.insert(trace_id, slot);
        }
        request_ids
            .iter()
            .for_each(|id| self.request_ids.insert(*id, slot));
        tokens
            .iter()
            .for_each(|token| self.tokens.insert(*token, slot));
        if coroutine != 0 {
            self.coroutines.insert(coroutine, slot);
        }
        self.habits.served += 1.0;
        let mut free = 0;
        let overlaps = self.thread(at.task).is_some_and(|thread| {
            if !std::mem::replace(&mut thread.reads_requests, true) {
                free = thread.free_calls;
            }
            thread.open += 1;
            thread.serves = Some((slot, id));
            thread.open > 1
        });
        self.habits.free = self.habits.free.saturating_add(free);
        if overlaps {
            self.habits.overlapped += 1.0;
        }
        self.habits.forget();
        self.did_something(at, None);
        self.read(at, Read::Request(slot, id));
        slot
    }

    /// A request's response was written. `false` if that was known already.
    pub(in crate::causality) fn respond(&mut self, slot: u32, at: Moment) -> bool {
        let Some(request) = self
            .requests
            .get_mut(slot)
            .filter(|r| r.responded.is_none())
        else {
            return false;
        };
        request.responded = Some(at);
        self.responded = self.responded.max(Some(at.time));
        let reader = request.started.task;
        self.open -= 1;
        if let Some(thread) = self.thread(reader) {
            thread.open = thread.open.saturating_sub(1);
        }
        self.did_something(at, None);
        self.unlink(slot);
        true
    }

    /// Forgets a request.
    pub(in crate::causality) fn remove_request(&mut self, slot: u32) -> Option<Request> {
        let now = self.requests.get(slot)?.started;
        self.respond(slot, now);
        let request = self.requests.remove(slot)?;
        self.late.remove(&request.id);
        if let Some(trace_id) = &request.trace_id {
            self.traces.remove(trace_id, slot);
        }
        request
            .shared_ids
            .iter()
            .for_each(|id| self.request_ids.remove(id, slot));
        request
            .tokens
            .iter()
            .for_each(|token| self.tokens.remove(token, slot));
        self.coroutines
            .remove(&request.started.task.coroutine, slot);
        Some(request)
    }

    /// Open requests, the latest active first.
    pub(in crate::causality) fn recent(&self) -> impl Iterator<Item = (u32, &Request)> {
        let mut next = self.newest;
        std::iter::from_fn(move || {
            let slot = next?;
            let request = self.requests.get(slot)?;
            next = request.older;
            Some((slot, request))
        })
    }

    /// The open request that was not active for longest.
    pub(in crate::causality) fn stalest(&self) -> Option<u32> {
        self.oldest
    }

    /// A request was active: if open, it comes first in [`Scene::recent`].
    pub(in crate::causality) fn touch(&mut self, slot: u32) {
        if self
            .requests
            .get(slot)
            .is_some_and(|r| r.responded.is_none())
        {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let older = self.newest.replace(slot);
        if let Some(request) = self.requests.get_mut(slot) {
            (request.newer, request.older) = (None, older);
        }
        match older.and_then(|older| self.requests.get_mut(older)) {
            Some(older) => older.newer = Some(slot),
            None => self.oldest = Some(slot),
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(request) = self.requests.get(slot) else {
            return;
        };
        let (newer, older) = (request.newer, request.older);
        match newer.and_then(|newer| self.requests.get_mut(newer)) {
            Some(request) => request.older = older,
            None => self.newest = older,
        }
        match older.and_then(|older| self.requests.get_mut(older)) {
            Some(request) => request.newer = newer,
            None => self.oldest = newer,
        }
    }
}
