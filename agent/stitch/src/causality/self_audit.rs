//! How right the engine would be without headers: where the application passed
//! on a context that tells which request caused a call, a second stage that
//! cannot see it decides too, and the two are compared.
//!
//! In: the acts of processes that pass contexts on, and what was decided of
//! their calls. Out: a [`Tally`] for each kind of process. The second stage
//! learns from its own decisions only, as it would have to without headers, and
//! starts cold. What it costs is bounded: so many calls of a process a minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::act::{Act, Decision, ExchangeId, Features};
use super::config::Config;
use super::kind::Kind;
use super::shelf::Shelf;
use super::stage::Causality;
use crate::exchange::Role;
use crate::span::Method;
use crate::time::Timestamp;

/// Processes audited at once, and kinds of them that tallies are kept of.
const MAX_WATCHED: usize = 64;
const MAX_TALLIES: usize = 256;
/// Calls audited of one process in a [`WINDOW`].
const MAX_CALLS: u32 = 2048;
const WINDOW: Duration = Duration::from_mins(1);
/// When a window opens, requests from before are not known: so long after that
/// calls are not compared.
const SETTLE: Duration = Duration::from_secs(1);
/// Calls whose two decisions are waited for.
const MAX_PENDING: usize = 16_384;
/// From this confidence on a wrong parent is a broken promise.
const SURE: f32 = 0.9;

/// How right decisions without headers were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls whose cause the headers told.
    pub known: u64,
    /// Those that were given a parent without them.
    pub given: u64,
    /// Those that were given the right one.
    pub right: u64,
    /// Those that were given one with confidence ≥ 0.9.
    pub sure: u64,
    /// Those of them that were given a wrong one.
    pub sure_wrong: u64,
}

impl Tally {
    /// Share of the parents given that are right, 0 to 1; `None` if none was.
    pub fn precision(&self) -> Option<f64> {
        (self.given > 0).then(|| self.right as f64 / self.given as f64)
    }

    /// Share of the calls given the right parent, 0 to 1; `None` if there were
    /// no calls.
    pub fn recall(&self) -> Option<f64> {
        (self.known > 0).then(|| self.right as f64 / self.known as f64)
    }

    fn add(&mut self, truth: ExchangeId, found: Found, least: f32) {
        let given = found.confidence >= least;
        let right = found.cause == truth;
        let sure = found.confidence >= SURE;
        self.known += 1;
        self.given += u64::from(given);
        self.right += u64::from(given && right);
        self.sure += u64::from(sure);
        self.sure_wrong += u64::from(sure && !right);
    }
}

/// The comparison.
#[derive(Debug)]
pub(super) struct SelfAudit {
    /// The one that cannot see headers.
    blind: Causality,
    /// The least confidence that makes a parent.
    least: f32,
    watched: HashMap<u32, Watch>,
    pending: HashMap<ExchangeId, Pending>,
    tallies: BTreeMap<Arc<Kind>, Tally>,
    skipped: u64,
}

/// A process that is audited.
#[derive(Debug)]
struct Watch {
    kind: Arc<Kind>,
    window: Timestamp,
    compared_from: Timestamp,
    calls: u32,
}

/// A call of which one decision or none is known.
#[derive(Debug)]
struct Pending {
    kind: Arc<Kind>,
    truth: Option<ExchangeId>,
    found: Option<Found>,
}

/// What was found without headers; confidence 0 if nothing was.
#[derive(Clone, Copy, Debug)]
struct Found {
    cause: ExchangeId,
    confidence: f32,
}

impl SelfAudit {
    /// An audit that counts what has at least this confidence as given.
    pub(super) fn new(config: &Config, least: f32) -> Self {
        let mut config = config.clone();
        config.without.push(Method::Explicit);
        config.self_audit = None;
        Self {
            blind: Causality::new(config),
            least,
            watched: HashMap::new(),
            pending: HashMap::new(),
            tallies: BTreeMap::new(),
            skipped: 0,
        }
    }

    /// Takes an act, before the stage that sees all does.
    pub(super) fn observe(&mut self, act: &Act, kinds: &Shelf) {
        if let Act::Started {
            exchange,
            role,
            at,
            features,
            ..
        } = act
        {
            let begun = self.begins(*exchange, *role, at.time, features, kinds);
            if !begun {
                return;
            }
        } else if self.watched.is_empty() {
            return;
        }
        if let Act::Exited { pid, .. } = act {
            self.watched.remove(pid);
        }
        if let Some(time) = time(act) {
            self.blind.handle_timeout(time);
        }
        self.blind.observe(act.clone());
        self.collect();
    }

    /// Takes what was decided with headers in sight.
    pub(super) fn decided(&mut self, decision: &Decision) {
        if !self.pending.contains_key(&decision.call) {
            return;
        }
        let explicit = |evidence: &[(Method, f32)]| {
            let mut kinds = evidence.iter().map(|(method, _)| *method);
            kinds.any(|method| method == Method::Explicit)
        };
        let candidates = decision.candidates.iter();
        let mut told = candidates.filter(|candidate| explicit(&candidate.evidence));
        match (told.next(), told.next()) {
            (Some(cause), None) => {
                if let Some(pending) = self.pending.get_mut(&decision.call) {
                    pending.truth = Some(cause.cause);
                }
                self.compare(decision.call);
            }
            // Headers say nothing, or name several.
            _ => {
                self.pending.remove(&decision.call);
            }
        }
    }

    /// The input ended.
    pub(super) fn finish(&mut self) {
        self.blind.finish();
        self.collect();
    }

    /// How right decisions without headers were, by kind of process.
    pub(super) fn tallies(&self) -> impl Iterator<Item = (&Kind, Tally)> {
        let tallies = self.tallies.iter();
        tallies.map(|(kind, tally)| (kind.as_ref(), *tally))
    }

    /// Exchanges left out because a limit was hit.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// An exchange starts: whether it is to be looked at.
    fn begins(
        &mut self,
        exchange: ExchangeId,
        role: Role,
        now: Timestamp,
        features: &Features,
        kinds: &Shelf,
    ) -> bool {
        let pid = features.pid;
        let Some(watch) = self.watched.get_mut(&pid) else {
            let carries = features.trace_id.is_some() || !features.request_ids.is_empty();
            return carries && pid != 0 && self.watch(pid, now, kinds) && role == Role::Server;
        };
        if now >= watch.window + WINDOW {
            if watch.calls >= MAX_CALLS {
                watch.compared_from = now + SETTLE;
            }
            (watch.window, watch.calls) = (now, 0);
        }
        if watch.calls >= MAX_CALLS {
            self.skipped += 1;
            return false;
        }
        if role == Role::Client {
            watch.calls += 1;
            if now >= watch.compared_from && self.pending.len() < MAX_PENDING {
                let pending = Pending {
                    kind: Arc::clone(&watch.kind),
                    truth: None,
                    found: None,
                };
                self.pending.insert(exchange, pending);
            }
        }
        true
    }

    /// Begins to look at a process, if there is room.
    fn watch(&mut self, pid: u32, now: Timestamp, kinds: &Shelf) -> bool {
        let kind = kinds.kind(pid).map_or_else(
            || {
                Arc::new(Kind {
                    service: format!("process {pid}"),
                    ..Kind::default()
                })
            },
            Arc::clone,
        );
        let tallied = self.tallies.contains_key(&kind) || self.tallies.len() < MAX_TALLIES;
        if self.watched.len() >= MAX_WATCHED || !tallied {
            self.skipped += 1;
            return false;
        }
        let watch = Watch {
            kind,
            window: now,
            compared_from: now,
            calls: 0,
        };
        self.watched.insert(pid, watch);
        true
    }

    /// Takes in what the stage without headers decided.
    fn collect(&mut self) {
        while let Some(decision) = self.blind.poll_decision() {
            let Some(pending) = self.pending.get_mut(&decision.call) else {
                continue;
            };
            let best = decision.candidates.first();
            pending.found = Some(Found {
                cause: best.map_or(ExchangeId(0), |best| best.cause),
                confidence: best.map_or(0.0, |best| best.confidence),
            });
            self.compare(decision.call);
        }
    }

    /// Counts a call once both decisions are there.
    fn compare(&mut self, call: ExchangeId) {
        let both = self
            .pending
            .get(&call)
            .and_then(|pending| Some((pending.truth?, pending.found?)));
        if let Some((truth, found)) = both
            && let Some(pending) = self.pending.remove(&call)
        {
            let tally = self.tallies.entry(pending.kind).or_default();
            tally.add(truth, found, self.least);
        }
    }
}

fn time(act: &Act) -> Option<Timestamp> {
    match act {
        Act::Started { at, .. }
        | Act::Answering { at, .. }
        | Act::Ended { at, .. }
        | Act::Connected { at, .. } => Some(at.time),
        Act::Exited { time, .. } => Some(*time),
        Act::Woke(_) | Act::CallerIs { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{SocketId, Task};
    use crate::exchange::Moment;
    use crate::span::TraceId;

    const PID: u32 = 3;

    struct Server {
        stage: Causality,
        now: u64,
        next: u64,
    }

    impl Server {
        fn new(config: Config) -> Self {
            let mut stage = Causality::new(Config {
                self_audit: Some(0.6),
                ..config
            });
            stage.introduce(
                PID,
                Kind {
                    service: "shop".to_owned(),
                    executable: String::new(),
                },
            );
            Self {
                stage,
                now: 0,
                next: 0,
            }
        }

        fn at(&mut self, tid: u32) -> Moment {
            self.now += 1_000_000;
            let pid = PID;
            Moment {
                time: Timestamp(self.now),
                task: Task {
                    pid,
                    tid,
                    ..Task::default()
                },
            }
        }

        fn start(&mut self, tid: u32, role: Role, trace: Option<u64>) -> ExchangeId {
            self.next += 1;
            let (exchange, at) = (ExchangeId(self.next), self.at(tid));
            self.stage.observe(Act::Started {
                exchange,
                role,
                socket: SocketId(self.next),
                at,
                features: Features {
                    pid: PID,
                    route: 1,
                    trace_id: trace.map(|id| TraceId(u128::from(id).to_be_bytes())),
                    ..Features::default()
                },
            });
            exchange
        }

        fn end(&mut self, tid: u32, exchange: ExchangeId) {
            let at = self.at(tid);
            self.stage.observe(Act::Answering { exchange, at });
            self.stage.observe(Act::Ended { exchange, at });
            while self.stage.poll_decision().is_some() {}
        }

        /// Two requests at once, each with a call that carries the other's
        /// thread if `crossed`.
        fn pair(&mut self, traced: bool, crossed: bool) {
            let first_id = self.next + 1;
            let trace = |which: u64| traced.then_some(first_id + which);
            let one = self.start(1, Role::Server, trace(1));
            let other = self.start(2, Role::Server, trace(2));
            let (first, second) = if crossed { (2, 1) } else { (1, 2) };
            let call = self.start(1, Role::Client, trace(first));
            self.end(1, call);
            let call = self.start(2, Role::Client, trace(second));
            self.end(2, call);
            self.end(1, one);
            self.end(2, other);
        }

        fn tally(mut self) -> Option<Tally> {
            self.stage.finish();
            while self.stage.poll_decision().is_some() {}
            let tallies = self.stage.self_audit();
            assert!(tallies.iter().all(|(kind, _)| kind.service == "shop"));
            tallies.first().map(|(_, tally)| *tally)
        }
    }

    #[test]
    fn what_threads_tell_agrees_with_what_headers_tell() {
        let mut server = Server::new(Config::default());
        (0..50).for_each(|_| server.pair(true, false));
        let tally = server.tally().unwrap();
        assert!(tally.known >= 98, "{tally:?}");
        assert!(tally.recall().unwrap() > 0.9, "{tally:?}");
        assert!(tally.precision().unwrap() > 0.98, "{tally:?}");
    }

    #[test]
    fn where_threads_lie_the_audit_tells() {
        let mut server = Server::new(Config::default());
        (0..50).for_each(|_| server.pair(true, true));
        let tally = server.tally().unwrap();
        assert!(tally.known >= 98, "{tally:?}");
        assert!(tally.right * 10 < tally.known, "{tally:?}");
        assert!(tally.sure_wrong > 0, "{tally:?}");
    }

    #[test]
    fn without_headers_there_is_nothing_to_compare() {
        let mut server = Server::new(Config::default());
        (0..50).for_each(|_| server.pair(false, false));
        assert_eq!(server.tally(), None);
    }

    #[test]
    fn calls_audited_in_a_minute_are_bounded() {
        let mut server = Server::new(Config::default());
        (0..1500).for_each(|_| server.pair(true, false));
        let first = server.now;
        let audited = |server: &Server| {
            let tallies = server.stage.self_audit();
            tallies.first().map_or(0, |(_, tally)| tally.known)
        };
        let known = audited(&server);
        assert!((1900..=u64::from(MAX_CALLS)).contains(&known), "{known}");
        server.now = first + 120_000_000_000;
        (0..500).for_each(|_| server.pair(true, false));
        let later = audited(&server);
        assert!(later > known && later < known + 1000, "{later}");
    }
}
