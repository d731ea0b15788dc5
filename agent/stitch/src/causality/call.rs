//! An outgoing request, whose cause is sought.

use smallvec::SmallVec;

use super::act::ExchangeId;
use super::adjacency::{Adjacency, Manner};
use super::model;
use super::path::Step;
use super::scene::Read;
use crate::event::{SocketId, Task};
use crate::exchange::Moment;
use crate::span::Method;
use crate::time::Timestamp;

/// An outgoing request and what speaks for each possible cause.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The exchange.
    pub(super) id: ExchangeId,
    /// Where it was written.
    pub(super) socket: SocketId,
    /// Who is asked.
    pub(super) callee: u64,
    /// Callee and route asked, in one.
    pub(super) label: u64,
    /// When it was written, and by whom.
    pub(super) started: Moment,
    /// The connection that it took.
    pub(super) connection: Connection,
    /// When its answer was read.
    pub(super) answered: Option<Timestamp>,
    /// Whether the exchange is over.
    pub(super) ended: bool,
    /// Requests that may have caused it.
    pub(super) links: SmallVec<[Link; 4]>,
    /// What speaks for no cause at all.
    pub(super) none: Weights,
    /// The request it is presently given to.
    pub(super) parent: Option<u32>,
    /// Its number among the calls of its kind.
    pub(super) rank: u64,
    /// When its cause, as presently chosen, was ready to make it.
    pub(super) ready: Timestamp,
    /// What its thread had read last, and how it follows that.
    pub(super) after: Option<(Read, Manner)>,
    /// The response that followed its answer.
    pub(super) before: Option<Anchor>,
    /// The call whose answer was the last message read before it, with the
    /// weight of having the same cause.
    pub(super) follows: Option<(u32, f32)>,
    /// What evidence says of its links and of "no cause", the chain that it is
    /// on included.
    pub(super) told: SmallVec<[f32; 9]>,
    /// How sure the decision is, 0 to 1.
    pub(super) sure: f32,
    /// Calls that follow this one.
    pub(super) followers: SmallVec<[u32; 2]>,
    /// What kind of moment it was made at, by a thread that never serves.
    pub(super) moment: Option<model::Moment>,
    /// Requests that were open when it started.
    pub(super) rivals: u32,
    /// The task that waits for its answer, where a runtime's memory told it.
    pub(super) caller: Option<Task>,
    /// The last search that found it in its component.
    pub(super) search: u32,
    /// Whether its decision was given.
    pub(super) decided: bool,
}

/// The response that follows a call's answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    /// The request answered.
    pub(super) request: ExchangeId,
    /// How the response follows the answer.
    pub(super) manner: Manner,
    /// How much of that was believed because of what the call itself follows (in
    /// nats): it must not count twice.
    pub(super) presumed: f32,
}

/// The connection that a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// A new one.
    New,
    /// The last one to its callee that was not busy.
    LastFree,
    /// One of several.
    OneOfSeveral,
}

/// A request that may have caused a call.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The request.
    pub(super) request: u32,
    /// What speaks for it, apart from timing.
    pub(super) weights: Weights,
    /// Log-likelihood of its making the call, as seen when the call started.
    pub(super) guess: f32,
}

/// Log-likelihood ratios by kind of evidence.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights(pub(super) SmallVec<[(Method, f32); 2]>);

impl Anchor {
    /// What it says for the request answered, one of so many (in nats).
    pub(super) fn weight(&self, adjacency: &Adjacency, open: u32) -> f32 {
        (adjacency.weight(self.manner, open) - self.presumed).max(0.0)
    }
}

impl Weights {
    /// Adds evidence of one kind. Of the same kind the stronger counts.
    pub(super) fn add(&mut self, method: Method, weight: f32) {
        match self.0.iter_mut().find(|(kind, _)| *kind == method) {
            Some((_, present)) => *present = present.max(weight),
            None => self.0.push((method, weight)),
        }
    }

    /// Replaces what evidence of one kind said.
    pub(super) fn set(&mut self, method: Method, weight: f32) {
        match self.0.iter_mut().find(|(kind, _)| *kind == method) {
            Some((_, present)) => *present = weight,
            None => self.0.push((method, weight)),
        }
    }

    /// What evidence of one kind says; 0 if nothing.
    pub(super) fn get(&self, method: Method) -> f32 {
        let same = self.0.iter().find(|(kind, _)| *kind == method);
        same.map_or(0.0, |(_, weight)| *weight)
    }

    /// All of it together.
    pub(super) fn total(&self) -> f32 {
        self.0.iter().map(|(_, weight)| weight).sum()
    }
}

impl Call {
    /// The call as the path of its cause sees it.
    pub(super) fn step(&self) -> Step {
        Step {
            label: self.label,
            started: self.started.time,
            ended: self.answered,
        }
    }

    /// What evidence says of `request`, the chain included, as far as it was
    /// asked; `None` if it is no candidate.
    pub(super) fn told(&self, request: Option<u32>) -> Option<f32> {
        let place = match request {
            None => self.links.len(),
            Some(request) => self.links.iter().position(|l| l.request == request)?,
        };
        match self.told.get(place) {
            Some(told) if self.told.len() == self.links.len() + 1 => Some(*told),
            _ => self.weight(request),
        }
    }

    /// What speaks for `request`; `None` if it is no candidate.
    pub(super) fn weight(&self, request: Option<u32>) -> Option<f32> {
        match request {
            None => Some(self.none.total()),
            Some(request) => {
                let link = self.links.iter().find(|l| l.request == request)?;
                Some(link.weights.total())
            }
        }
    }
}
