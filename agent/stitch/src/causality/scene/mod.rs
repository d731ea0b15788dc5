//! The facts of one process: its requests, its calls, its threads, and who can
//! be found by what. Facts only; what they are worth is the evidence's matter.

mod index;
mod kin;
mod limits;
mod requests;
mod threads;

use hashbrown::HashMap;

use super::act::ExchangeId;
use super::adjacency::Adjacency;
use super::affinity::Affinity;
use super::audit::Audit;
use super::call::Call;
use super::foresight::Foresight;
use super::model;
use super::pool::Pools;
use super::queue::Queues;
use super::request::Request;
use super::rhythm::Rhythms;
use super::sequel::Sequels;
use super::slab::Slab;
use crate::event::SocketId;
use crate::span::TraceId;
use crate::time::Timestamp;

pub(super) use index::Index;
pub(super) use kin::Kin;
pub(super) use limits::Limits;
pub(super) use threads::{Habits, Opener, Read, Thread};

/// The facts of one process.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) requests: Slab<Request>,
    pub(super) calls: Slab<Call>,
    /// Threads by id.
    pub(super) threads: HashMap<u32, Thread>,
    /// Requests by the trace that their headers name.
    pub(super) traces: Index<TraceId>,
    /// Requests by the request ids that they carry.
    pub(super) request_ids: Index<u64>,
    /// Requests by distinctive tokens.
    pub(super) tokens: Index<u64>,
    /// Requests by the runtime task that reads them.
    pub(super) coroutines: Index<u64>,
    /// Requests that are answered, but not forgotten yet.
    pub(super) late: HashMap<ExchangeId, u32>,
    /// The connections to each callee.
    pub(super) pools: Pools,
    /// Who waits for them.
    pub(super) queues: Queues,
    /// Who opened a connection.
    pub(super) openers: HashMap<SocketId, Opener>,
    /// How often what threads write belongs to what they read last.
    pub(super) adjacency: Adjacency,
    /// What follows what in turns of several reads.
    pub(super) sequels: Sequels,
    /// Which routes make which calls.
    pub(super) affinity: Affinity,
    /// When calls come that nothing causes.
    pub(super) rhythms: Rhythms,
    /// How often timing alone agreed with what was sure.
    pub(super) audit: Audit,
    /// How well timing foretells responses.
    pub(super) foresight: Foresight,
    /// Requests whose response was not written yet.
    pub(super) open: u32,
    /// When a response was written last.
    pub(super) responded: Option<Timestamp>,
    /// Calls by kind, in the order of their starts.
    pub(super) kin: HashMap<u64, Kin>,
    /// How the process treats its threads.
    pub(super) habits: Habits,
    /// Limits that were hit.
    pub(super) limits: Limits,
    /// Components searched for so far.
    pub(super) searches: u32,
    newest: Option<u32>,
    oldest: Option<u32>,
}

impl Scene {
    /// What kind of moment this is.
    pub(super) fn moment(&self, now: Timestamp) -> model::Moment {
        model::Moment::at(now, self.responded, self.open > 0)
    }

    /// How far timing is trusted at present.
    pub(super) fn trust(&self) -> f32 {
        self.trust_among(self.open)
    }

    /// How far timing is trusted among so many requests: as far as it agrees with
    /// other evidence, or where there is none, as far as it foretells responses.
    /// Wholly where threads are unknown, since nothing else is there to decide.
    pub(super) fn trust_among(&self, in_flight: u32) -> f32 {
        if self.threads.is_empty() {
            1.0
        } else if self.foresight.alone() {
            self.foresight.trust(in_flight, 0)
        } else {
            self.audit.trust(in_flight)
        }
    }
}
