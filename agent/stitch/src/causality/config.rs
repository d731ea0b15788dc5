//! The limits of the causality stage.

use std::time::Duration;

use crate::span::Method;

/// Kinds of evidence that can be done without, to see what each is worth.
pub const KINDS: [Method; 9] = [
    Method::Explicit,
    Method::Thread,
    Method::EventLoop,
    Method::Coroutine,
    Method::Wakeup,
    Method::Token,
    Method::Queue,
    Method::Route,
    Method::Timing,
];

/// Limits and choices; [`Config::default`] is what `wirespan run` uses.
#[derive(Clone, Debug)]
pub struct Config {
    /// A call is decided at the latest this long after it started.
    pub lag: Duration,
    /// How long after its response a request may still make calls.
    pub after_response: Duration,
    /// From this probability on, a call is decided at its cause's response
    /// rather than after the lag. 0 to 1.
    pub sure: f32,
    /// Processes remembered; the longest silent one is forgotten first.
    pub max_owners: usize,
    /// Requests remembered in one process; the least active one goes first.
    pub max_requests: usize,
    /// Undecided calls in one process; the oldest is decided first.
    pub max_pending: usize,
    /// Requests weighed for one call, the latest active first.
    pub max_weighed: usize,
    /// Requests kept as candidates for one call, the likeliest first.
    pub max_candidates: usize,
    /// Calls that are decided together.
    pub max_component: usize,
    /// Score evaluations that deciding a call may take, on average (one is about
    /// 0.2 µs). Without any left a call is decided greedily.
    pub effort: u32,
    /// Kinds of evidence to do without.
    pub without: Vec<Method>,
    /// Where headers tell the cause of calls, decide without them too and
    /// compare; what has this confidence or more counts as given a parent.
    /// `None`: do not.
    pub self_audit: Option<f32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lag: Duration::from_secs(3),
            after_response: Duration::from_millis(500),
            sure: 0.99,
            max_owners: 4096,
            max_requests: 16_384,
            max_pending: 16_384,
            max_weighed: 128,
            max_candidates: 48,
            max_component: 256,
            effort: 256,
            without: Vec::new(),
            self_audit: None,
        }
    }
}

impl Config {
    /// Whether this kind of evidence may be used.
    pub(super) fn uses(&self, method: Method) -> bool {
        !self.without.contains(&method)
    }
}
