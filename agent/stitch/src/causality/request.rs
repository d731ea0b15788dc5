//! An incoming request, as a possible cause of calls.

use smallvec::SmallVec;

use super::act::{ExchangeId, Features};
use super::path::{Frame, Position, walk};
use crate::event::Task;
use crate::exchange::Moment;
use crate::span::TraceId;
use crate::time::Timestamp;

/// An incoming request and the calls presently given to it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The exchange.
    pub(super) id: ExchangeId,
    /// The route asked.
    pub(super) route: u64,
    /// When it was read, and by whom.
    pub(super) started: Moment,
    /// When its response was written, and by whom.
    pub(super) responded: Option<Moment>,
    /// Whether the exchange is over.
    pub(super) ended: bool,
    /// The trace its headers name.
    pub(super) trace_id: Option<TraceId>,
    /// Request ids and tokens that it is indexed by.
    pub(super) shared_ids: SmallVec<[u64; 2]>,
    /// Distinctive tokens that it is indexed by.
    pub(super) tokens: SmallVec<[u64; 4]>,
    /// Calls presently given to it, in the order of their starts.
    pub(super) calls: SmallVec<[u32; 4]>,
    /// Undecided calls that it is a candidate for.
    pub(super) suitors: SmallVec<[u32; 8]>,
    /// Log-likelihood of its path with these calls.
    pub(super) likelihood: f32,
    /// Where its path has come to.
    pub(super) position: Position,
    /// Probability that every decision about it was right.
    pub(super) certainty: f32,
    /// Whether its path up to the response was learnt.
    pub(super) learnt: bool,
    /// The last search that looked at its suitors.
    pub(super) search: u32,
    /// Neighbours in the order of activity.
    pub(super) newer: Option<u32>,
    /// See `newer`.
    pub(super) older: Option<u32>,
}

impl Request {
    /// A request that was just read.
    pub(super) fn new(id: ExchangeId, at: Moment, features: Features) -> Self {
        let frame = Frame {
            route: features.route,
            started: at.time,
            responded: None,
        };
        Self {
            id,
            route: features.route,
            started: at,
            responded: None,
            ended: false,
            trace_id: features.trace_id,
            shared_ids: features.request_ids,
            tokens: features.tokens,
            calls: SmallVec::new(),
            suitors: SmallVec::new(),
            likelihood: 0.0,
            position: walk(frame, &[], |_| ()),
            certainty: 1.0,
            learnt: false,
            search: 0,
            newer: None,
            older: None,
        }
    }

    /// Whether its response was not written yet.
    pub(super) fn open(&self) -> bool {
        self.responded.is_none() && !self.ended
    }

    /// The request as its path sees it.
    pub(super) fn frame(&self) -> Frame {
        Frame {
            route: self.route,
            started: self.started.time,
            responded: self.responded.map(|at| at.time),
        }
    }

    /// Whether `task` is the one that read it or answered it.
    pub(super) fn served_by(&self, task: Task) -> bool {
        let same = |other: Task| {
            if task.coroutine != 0 || other.coroutine != 0 {
                task.coroutine == other.coroutine
            } else {
                task.tid != 0 && task.tid == other.tid
            }
        };
        same(self.started.task) || self.responded.is_some_and(|at| same(at.task))
    }

    /// Whether it may still cause a call at `now`.
    pub(super) fn may_cause(&self, now: Timestamp, after_response: std::time::Duration) -> bool {
        match self.responded {
            None => !self.ended,
            Some(at) => now <= at.time + after_response,
        }
    }
}
