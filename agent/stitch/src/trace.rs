//! Gives each exchange its place in a trace.
//!
//! In: exchanges as they start and end, and for each outgoing one the decision
//! of the causality stage. Out: ended exchanges with trace id, parent and links.
//!
//! A place is known late: a server's parent is the client span of the same
//! message, that one's parent is the request that caused it, whose own place may
//! be open. So an exchange waits for the one it hangs on, and is placed together
//! with it. Every wait has a limit:
//!
//! - [`PEER_LAG`] for the other end of a message to show up on this host;
//! - [`PLACE_LAG`] for everything: what has no place by then becomes a root.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::causality::{Candidate, Decision, ExchangeId};
use crate::event::{Connection, Process};
use crate::exchange::{Exchange, Role};
use crate::identity::MessageId;
use crate::span::{Causality, Link, Method, SpanId, TraceId};
use crate::time::{Timestamp, WallTime};

/// How long after a request is read its sender may still show up, and how long
/// a client waits for its server's end: a call is told when it returns, which
/// under load is later than the other end's answer to it.
pub const PEER_LAG: Duration = Duration::from_millis(100);

/// The longest an exchange waits for its place.
pub const PLACE_LAG: Duration = Duration::from_secs(10);

/// How many placed server exchanges are remembered after they were handed out,
/// for calls that they caused but that are decided later.
const REMEMBERED: usize = 65_536;

/// Guesses below this confidence are noise, and not worth a link.
const LINK_CONFIDENCE: f32 = 0.05;

/// What is known of an exchange when it starts.
#[derive(Debug)]
pub struct Start {
    /// Its number.
    pub id: ExchangeId,
    /// The owner's part.
    pub role: Role,
    /// The name of its request.
    pub message: MessageId,
    /// The trace context in its headers.
    pub context: Option<Context>,
    /// Who tells its parent.
    pub placed_by: PlacedBy,
}

/// Who tells the parent of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacedBy {
    /// The other end of its message, if it is seen within [`PEER_LAG`]: servers.
    Peer,
    /// A [`Decision`]: clients, and servers in a packet capture, where there is
    /// nobody at the other end.
    Decision,
}

/// A trace context that a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that sent the request, where the format tells.
    pub parent: Option<SpanId>,
    /// `tracestate`; empty if none.
    pub state: Bytes,
}

/// An exchange that ended, and what its span needs besides a place.
#[derive(Debug)]
pub struct Ended {
    /// The exchange.
    pub exchange: Box<Exchange>,
    /// The connection.
    pub connection: Connection,
    /// The owner; `None` in packet captures.
    pub process: Option<Arc<Process>>,
    /// When a proxy queued the request.
    pub queued: Option<WallTime>,
}

/// An exchange that ended, with its place.
#[derive(Debug)]
pub struct Placed {
    /// What was handed in.
    pub ended: Ended,
    /// Its span id.
    pub span_id: SpanId,
    /// Its place.
    pub place: Place,
    /// `tracestate` of the context it carried; empty if none.
    pub state: Bytes,
    /// For a client: when the server began to read and ended to write.
    pub served: Option<(Timestamp, Timestamp)>,
}

/// Where an exchange stands in a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The trace.
    pub trace_id: TraceId,
    /// The parent; `None` for a root.
    pub parent: Option<SpanId>,
    /// How the parent is known.
    pub causality: Option<Causality>,
    /// A guess that was not sure enough to be the parent.
    pub link: Option<Link>,
}

/// Exchanges on their way to a place.
#[derive(Debug)]
pub struct Assembly {
    threshold: f32,
    entries: HashMap<ExchangeId, Entry>,
    ends: HashMap<MessageId, Ends>,
    remembered: Remembered,
    peer_timers: VecDeque<(Timestamp, ExchangeId)>,
    place_timers: VecDeque<(Timestamp, ExchangeId)>,
    ready: VecDeque<Placed>,
    overdue: u64,
}

#[derive(Debug)]
struct Entry {
    role: Role,
    message: MessageId,
    span_id: SpanId,
    context: Option<Context>,
    placing: Placing,
    /// Exchanges that are placed once this one is.
    waiters: SmallVec<[ExchangeId; 2]>,
    /// Whether another exchange was placed by this one's place.
    relied_on: bool,
    ended: Option<Ended>,
    /// For a client: when its server read and wrote, or that it is not waited for.
    served: Served,
}

#[derive(Debug)]
enum Placing {
    /// A server waits for its client to be seen, a client for a decision.
    Open,
    /// Hangs on an exchange that has no place yet.
    Behind(Tie),
    /// Done.
    Placed(Place),
}

/// What an exchange will be to the one that it waits for.
#[derive(Clone, Copy, Debug)]
enum Tie {
    /// Its child.
    Child(Causality),
    /// A root that links to it.
    Linked(Causality),
}

#[derive(Clone, Copy, Debug)]
enum Served {
    Unknown,
    At(Timestamp, Timestamp),
    Overdue,
}

/// The exchanges at the two ends of one message, while they are here.
#[derive(Debug, Default)]
struct Ends {
    client: Option<ExchangeId>,
    server: Option<ExchangeId>,
}

/// Places of server exchanges that were handed out; the oldest is forgotten.
#[derive(Debug, Default)]
struct Remembered {
    places: HashMap<ExchangeId, (TraceId, SpanId)>,
    order: VecDeque<ExchangeId>,
}

impl Assembly {
    /// Parents need at least a confidence of `threshold`, 0 to 1.
    pub fn new(threshold: f32) -> Self {
        Self {
            threshold,
            entries: HashMap::new(),
            ends: HashMap::new(),
            remembered: Remembered::default(),
            peer_timers: VecDeque::new(),
            place_timers: VecDeque::new(),
            ready: VecDeque::new(),
            overdue: 0,
        }
    }

    /// Takes in an exchange that starts.
    pub fn start(&mut self, start: Start, now: Timestamp) {
        let Start {
            id,
            role,
            message,
            context,
            placed_by,
        } = start;
        let entry = Entry {
            role,
            message,
            span_id: message.span_id(role),
            context,
            placing: Placing::Open,
            waiters: SmallVec::new(),
            relied_on: false,
            ended: None,
            served: Served::Unknown,
        };
        self.entries.insert(id, entry);
        self.place_timers.push_back((now + PLACE_LAG, id));
        let ends = self.ends.entry(message).or_default();
        match role {
            Role::Client => {
                ends.client = Some(id);
                if let Some(server) = ends.server {
                    self.hang_on_client(server, id);
                }
            }
            Role::Server => {
                ends.server = Some(id);
                match (placed_by, ends.client) {
                    (PlacedBy::Peer, Some(client)) => self.hang_on_client(id, client),
                    (PlacedBy::Peer, None) => self.peer_timers.push_back((now + PEER_LAG, id)),
                    (PlacedBy::Decision, _) => {}
                }
            }
        }
    }

    /// Takes in what the causality stage says of a call.
    pub fn decide(&mut self, decision: &Decision) {
        let Some(call) = self.entries.get(&decision.call) else {
            return;
        };
        if !matches!(call.placing, Placing::Open) {
            return;
        }
        // A call that a process makes to itself cannot be its own cause.
        let own_server = self.ends.get(&call.message).and_then(|ends| ends.server);
        let best = decision
            .candidates
            .iter()
            .find(|best| Some(best.cause) != own_server);
        match best {
            Some(best) if best.confidence >= self.threshold => {
                self.hang(decision.call, best.cause, Tie::Child(causality(best)));
            }
            Some(best) if best.confidence >= LINK_CONFIDENCE => {
                self.hang(decision.call, best.cause, Tie::Linked(causality(best)));
            }
            _ => self.place_alone(decision.call),
        }
    }

    /// Takes in the end of an exchange.
    pub fn end(&mut self, id: ExchangeId, ended: Ended, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let (first, last) = times(&ended.exchange);
        entry.ended = Some(ended);
        let (role, message) = (entry.role, entry.message);
        match role {
            Role::Server => {
                if let Some(client) = self.ends.get(&message).and_then(|ends| ends.client) {
                    if let Some(entry) = self.entries.get_mut(&client) {
                        entry.served = Served::At(first, last);
                    }
                    self.hand_out(client);
                }
            }
            Role::Client => self.peer_timers.push_back((now + PEER_LAG, id)),
        }
        self.hand_out(id);
    }

    /// Lets waits end that have lasted too long.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.peer_timers.pop_front_if(|(due, _)| *due <= now) {
            self.peer_overdue(id);
        }
        while let Some((_, id)) = self.place_timers.pop_front_if(|(due, _)| *due <= now) {
            self.place_overdue(id);
        }
    }

    /// When [`Self::handle_timeout`] has something to do next.
    pub fn poll_timeout(&mut self) -> Option<Timestamp> {
        let Self {
            entries,
            peer_timers,
            place_timers,
            ..
        } = self;
        let done = |id: &ExchangeId| !entries.contains_key(id);
        while peer_timers.pop_front_if(|(_, id)| done(id)).is_some() {}
        let placed = |id: &ExchangeId| {
            entries
                .get(id)
                .is_none_or(|entry| matches!(entry.placing, Placing::Placed(_)))
        };
        while place_timers.pop_front_if(|(_, id)| placed(id)).is_some() {}
        let fronts = [self.peer_timers.front(), self.place_timers.front()];
        fronts.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// The input has ended: places and hands out all that is left.
    pub fn finish(&mut self) {
        let mut left: Vec<ExchangeId> = self.entries.keys().copied().collect();
        left.sort_unstable();
        for id in left {
            self.peer_overdue(id);
            self.place_overdue(id);
        }
    }

    /// The next exchange that has both an end and a place.
    pub fn poll(&mut self) -> Option<Placed> {
        self.ready.pop_front()
    }

    /// Exchanges that have no end or no place yet.
    pub fn open(&self) -> usize {
        self.entries.len()
    }

    /// Exchanges that became roots since they waited too long for a place.
    pub fn overdue(&self) -> u64 {
        self.overdue
    }

    fn hang_on_client(&mut self, server: ExchangeId, client: ExchangeId) {
        let Some(entry) = self.entries.get_mut(&server) else {
            return;
        };
        // A client that shows up late is still right, if nobody was told otherwise.
        if matches!(entry.placing, Placing::Placed(_)) && !entry.relied_on {
            entry.placing = Placing::Open;
        }
        if matches!(entry.placing, Placing::Open) {
            let same = Causality {
                method: Method::SameConnection,
                confidence: 1.0,
            };
            self.hang(server, client, Tie::Child(same));
        }
    }

    /// Places `id` by the place of `on`, now or when that has one.
    fn hang(&mut self, id: ExchangeId, on: ExchangeId, tie: Tie) {
        let place = match self.entries.get_mut(&on) {
            Some(Entry {
                placing: Placing::Placed(place),
                span_id,
                relied_on,
                ..
            }) => {
                *relied_on = true;
                Some((place.trace_id, *span_id))
            }
            Some(entry) => {
                entry.waiters.push(id);
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.placing = Placing::Behind(tie);
                }
                return;
            }
            None => self.remembered.places.get(&on).copied(),
        };
        match place {
            Some(on) => self.place_by(id, on, tie),
            None => self.place_alone(id),
        }
    }

    fn place_by(&mut self, id: ExchangeId, on: (TraceId, SpanId), tie: Tie) {
        if let Some(entry) = self.entries.get(&id) {
            self.place(id, entry.beside(on, tie));
        }
    }

    fn place_alone(&mut self, id: ExchangeId) {
        if let Some(entry) = self.entries.get(&id) {
            self.place(id, entry.alone());
        }
    }

    /// Gives `id` its place, and with it all that wait for it, however long the
    /// chain is.
    fn place(&mut self, id: ExchangeId, place: Place) {
        let mut work: SmallVec<[_; 2]> = smallvec::smallvec![(id, place)];
        while let Some((id, place)) = work.pop() {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let on = (place.trace_id, entry.span_id);
            entry.placing = Placing::Placed(place);
            let waiters = std::mem::take(&mut entry.waiters);
            entry.relied_on |= !waiters.is_empty();
            for waiter in waiters.into_iter().rev() {
                if let Some(entry) = self.entries.get(&waiter)
                    && let Placing::Behind(tie) = entry.placing
                {
                    work.push((waiter, entry.beside(on, tie)));
                }
            }
            self.hand_out(id);
        }
    }

    fn peer_overdue(&mut self, id: ExchangeId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        match entry.role {
            Role::Client => {
                if matches!(entry.served, Served::Unknown) {
                    entry.served = Served::Overdue;
                }
                self.hand_out(id);
            }
            Role::Server if matches!(entry.placing, Placing::Open) => self.place_alone(id),
            Role::Server => {}
        }
    }

    fn place_overdue(&mut self, id: ExchangeId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if !matches!(entry.placing, Placing::Placed(_)) {
            self.overdue += 1;
            self.place_alone(id);
        }
    }

    /// Hands `id` out if it has an end, a place and nothing left to wait for.
    fn hand_out(&mut self, id: ExchangeId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if entry.ended.is_none() || !matches!(entry.placing, Placing::Placed(_)) {
            return;
        }
        let has_server = self
            .ends
            .get(&entry.message)
            .is_some_and(|ends| ends.server.is_some());
        if entry.role == Role::Client && has_server && matches!(entry.served, Served::Unknown) {
            return;
        }
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.forget_end(entry.message, entry.role);
        let (Some(ended), Placing::Placed(place)) = (entry.ended, entry.placing) else {
            return;
        };
        if entry.role == Role::Server {
            self.remembered.insert(id, (place.trace_id, entry.span_id));
        }
        let served = match entry.served {
            Served::At(first, last) => Some((first, last)),
            Served::Unknown | Served::Overdue => None,
        };
        let state = entry
            .context
            .map(|context| context.state)
            .unwrap_or_default();
        self.ready.push_back(Placed {
            ended,
            span_id: entry.span_id,
            place,
            state,
            served,
        });
    }

    fn forget_end(&mut self, message: MessageId, role: Role) {
        let Some(ends) = self.ends.get_mut(&message) else {
            return;
        };
        match role {
            Role::Client => ends.client = None,
            Role::Server => ends.server = None,
        }
        if ends.client.is_none() && ends.server.is_none() {
            self.ends.remove(&message);
        }
    }
}

impl Entry {
    /// Its place where it is tied to a span that has one.
    fn beside(&self, (trace_id, span_id): (TraceId, SpanId), tie: Tie) -> Place {
        let own_trace = self.context.as_ref().map(|context| context.trace_id);
        match tie {
            Tie::Child(causality) if own_trace.is_none_or(|own| own == trace_id) => Place {
                trace_id,
                parent: Some(span_id),
                causality: Some(causality),
                link: None,
            },
            // Its own headers name another trace: that is where it is to be found.
            Tie::Child(causality) | Tie::Linked(causality) => Place {
                link: Some(Link {
                    trace_id,
                    span_id,
                    causality,
                }),
                ..self.alone()
            },
        }
    }

    /// Its place where no other exchange seen here is known to be its parent.
    fn alone(&self) -> Place {
        match &self.context {
            Some(context) => Place {
                trace_id: context.trace_id,
                parent: context.parent,
                causality: context.parent.map(|_| Causality {
                    method: Method::Explicit,
                    confidence: 1.0,
                }),
                link: None,
            },
            None => Place {
                trace_id: self.message.trace_id(),
                parent: None,
                causality: None,
                link: None,
            },
        }
    }
}

impl Remembered {
    fn insert(&mut self, id: ExchangeId, place: (TraceId, SpanId)) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        self.order.push_back(id);
        self.places.insert(id, place);
    }
}

fn causality(candidate: &Candidate) -> Causality {
    Causality {
        method: candidate.method,
        confidence: candidate.confidence,
    }
}

/// When the first byte of the request and the last one of the response went by.
fn times(exchange: &Exchange) -> (Timestamp, Timestamp) {
    let request = &exchange.request.message;
    let last = exchange
        .response
        .as_ref()
        .map_or(request.last, |response| response.message.last);
    (request.first.time, last.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Fields, Message, Moment, Outcome, Request, Version};

    const FIRST: Timestamp = Timestamp(1_000);

    /// An assembly with a clock, where message `n` is the n-th on a connection.
    struct Stage {
        assembly: Assembly,
        now: Timestamp,
    }

    impl Stage {
        fn new() -> Self {
            Self {
                assembly: Assembly::new(0.5),
                now: FIRST,
            }
        }

        fn start(&mut self, id: u64, role: Role, message: u64, context: Option<Context>) {
            let id = ExchangeId(id);
            let placed_by = match role {
                Role::Server => PlacedBy::Peer,
                Role::Client => PlacedBy::Decision,
            };
            let message = self::message(message);
            self.assembly.start(
                Start {
                    id,
                    role,
                    message,
                    context,
                    placed_by,
                },
                self.now,
            );
        }

        fn decide(&mut self, call: u64, causes: &[(u64, f32)]) {
            let candidates = causes
                .iter()
                .map(|&(cause, confidence)| Candidate {
                    cause: ExchangeId(cause),
                    method: Method::Thread,
                    confidence,
                    evidence: SmallVec::new(),
                })
                .collect();
            self.assembly.decide(&Decision {
                call: ExchangeId(call),
                candidates,
            });
        }

        fn end(&mut self, id: u64, role: Role) {
            self.assembly.end(ExchangeId(id), ended(role), self.now);
        }

        fn pass(&mut self, time: Duration) {
            self.now = self.now + time;
            self.assembly.handle_timeout(self.now);
        }

        fn out(&mut self) -> Vec<Placed> {
            std::iter::from_fn(|| self.assembly.poll()).collect()
        }
    }

    fn message(offset: u64) -> MessageId {
        let address = "10.0.0.1:80".parse().unwrap();
        let connection = Connection {
            local: address,
            peer: address,
            sent_base: 1,
            received_base: 2,
            opener: None,
        };
        MessageId::new(&connection, Role::Server, offset)
    }

    fn ended(role: Role) -> Ended {
        let at = Moment {
            time: FIRST,
            ..Moment::default()
        };
        let address = "10.0.0.1:80".parse().unwrap();
        let request = Request {
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/"),
            version: Version::Http11,
            fields: Fields::default(),
            message: Message {
                first: at,
                last: at,
                ..Message::default()
            },
        };
        let exchange = Exchange {
            role,
            request,
            response: None,
            interim: 0,
            outcome: Outcome::Complete,
            anomalies: crate::exchange::Anomalies::default(),
            capture: crate::exchange::CaptureMarks::default(),
            proxied_client: None,
            upgraded_to: None,
        };
        let connection = Connection {
            local: address,
            peer: address,
            sent_base: 0,
            received_base: 0,
            opener: None,
        };
        Ended {
            exchange: Box::new(exchange),
            connection,
            process: None,
            queued: None,
        }
    }

    fn context(trace: u8) -> Context {
        Context {
            trace_id: TraceId([trace; 16]),
            parent: Some(SpanId([trace; 8])),
            state: Bytes::new(),
        }
    }

    /// curl (1) → front (2), which calls (3) → back (4).
    #[test]
    fn a_chain_is_placed_when_its_decisions_are_in_and_in_no_other_order() {
        let mut stage = Stage::new();
        stage.start(2, Role::Server, 0, None); // told before the client's call returned
        stage.start(1, Role::Client, 0, None);
        stage.start(3, Role::Client, 9, None);
        stage.start(4, Role::Server, 9, None);
        for (id, role) in [
            (4, Role::Server),
            (3, Role::Client),
            (2, Role::Server),
            (1, Role::Client),
        ] {
            stage.end(id, role);
        }
        assert!(stage.out().is_empty());
        stage.decide(1, &[]);
        stage.decide(3, &[(2, 0.9)]);
        let out = stage.out();
        let places: Vec<_> = out
            .iter()
            .map(|placed| (placed.span_id, &placed.place))
            .collect();
        let parent = |id| {
            places
                .iter()
                .find(|(span, _)| *span == id)
                .unwrap()
                .1
                .parent
        };
        let span = |offset, role| message(offset).span_id(role);
        assert_eq!(parent(span(0, Role::Client)), None);
        assert_eq!(parent(span(0, Role::Server)), Some(span(0, Role::Client)));
        assert_eq!(parent(span(9, Role::Client)), Some(span(0, Role::Server)));
        assert_eq!(parent(span(9, Role::Server)), Some(span(9, Role::Client)));
        assert!(
            places
                .iter()
                .all(|(_, place)| place.trace_id == message(0).trace_id())
        );
        assert_eq!(stage.assembly.open(), 0);
        assert!(stage.assembly.ends.is_empty());
    }

    #[test]
    fn a_server_whose_client_is_not_here_is_a_root_or_hangs_on_its_headers() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, None);
        stage.start(2, Role::Server, 9, Some(context(7)));
        stage.end(1, Role::Server);
        stage.end(2, Role::Server);
        assert!(stage.out().is_empty());
        stage.pass(PEER_LAG);
        let out = stage.out();
        assert_eq!(out[0].place.parent, None);
        assert_eq!(out[1].place.trace_id, TraceId([7; 16]));
        assert_eq!(out[1].place.parent, Some(SpanId([7; 8])));
    }

    #[test]
    fn a_client_that_shows_up_late_is_taken_if_nobody_was_told_otherwise() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, None);
        stage.pass(PEER_LAG * 2);
        stage.start(2, Role::Client, 0, None);
        stage.decide(2, &[]);
        stage.end(1, Role::Server);
        assert_eq!(
            stage.out()[0].place.parent,
            Some(message(0).span_id(Role::Client))
        );
    }

    #[test]
    fn a_doubtful_cause_is_a_link_and_never_a_parent() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, None);
        stage.start(2, Role::Client, 9, None);
        stage.decide(2, &[(1, 0.4), (7, 0.1)]);
        stage.end(2, Role::Client);
        stage.pass(PEER_LAG);
        let place = &stage.out()[0].place;
        assert_eq!(place.parent, None);
        let link = place.link.unwrap();
        assert_eq!(link.span_id, message(0).span_id(Role::Server));
        assert!((link.causality.confidence - 0.4).abs() < 1e-6);
    }

    #[test]
    fn a_call_in_another_trace_links_to_its_cause_and_stays_in_its_trace() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, Some(context(7)));
        stage.start(2, Role::Client, 9, Some(context(8)));
        stage.start(3, Role::Client, 18, Some(context(7)));
        for call in [2, 3] {
            stage.decide(call, &[(1, 1.0)]);
            stage.end(call, Role::Client);
        }
        stage.pass(PEER_LAG);
        let out = stage.out();
        assert_eq!(out[0].place.trace_id, TraceId([8; 16]));
        assert_eq!(out[0].place.parent, Some(SpanId([8; 8])));
        assert_eq!(out[0].place.link.unwrap().trace_id, TraceId([7; 16]));
        assert_eq!(out[1].place.trace_id, TraceId([7; 16]));
        assert_eq!(out[1].place.parent, Some(message(0).span_id(Role::Server)));
    }

    #[test]
    fn a_cause_that_was_handed_out_is_remembered() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, None);
        stage.end(1, Role::Server);
        stage.pass(PEER_LAG);
        assert_eq!(stage.out().len(), 1);
        stage.start(2, Role::Client, 9, None);
        stage.decide(2, &[(1, 0.9)]);
        stage.end(2, Role::Client);
        assert_eq!(
            stage.out()[0].place.parent,
            Some(message(0).span_id(Role::Server))
        );
    }

    #[test]
    fn a_call_to_oneself_is_not_its_own_cause_and_a_circle_ends() {
        let mut stage = Stage::new();
        stage.start(1, Role::Client, 0, None);
        stage.start(2, Role::Server, 0, None);
        stage.decide(1, &[(2, 1.0)]);
        stage.start(3, Role::Client, 9, None);
        stage.start(4, Role::Server, 9, None);
        stage.start(5, Role::Client, 18, None);
        stage.start(6, Role::Server, 18, None);
        stage.decide(3, &[(6, 1.0)]);
        stage.decide(5, &[(4, 1.0)]);
        for id in 1..=6 {
            stage.end(
                id,
                if id % 2 == 0 {
                    Role::Server
                } else {
                    Role::Client
                },
            );
        }
        assert_eq!(stage.out().len(), 2);
        stage.pass(PLACE_LAG);
        assert_eq!(stage.out().len(), 4);
        assert_eq!(stage.assembly.overdue(), 1);
    }

    #[test]
    fn a_client_tells_when_its_server_read_and_wrote() {
        let mut stage = Stage::new();
        stage.start(1, Role::Client, 0, None);
        stage.start(2, Role::Server, 0, None);
        stage.decide(1, &[]);
        stage.end(1, Role::Client);
        assert!(stage.out().is_empty(), "the server's end is still to come");
        stage.end(2, Role::Server);
        let out = stage.out();
        assert_eq!(out[0].served, Some((FIRST, FIRST)));
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn what_is_left_at_the_end_of_input_is_handed_out() {
        let mut stage = Stage::new();
        stage.start(1, Role::Server, 0, None);
        stage.start(2, Role::Client, 9, None);
        stage.end(1, Role::Server);
        stage.end(2, Role::Client);
        stage.assembly.finish();
        assert_eq!(stage.out().len(), 2);
        assert_eq!(stage.assembly.poll_timeout(), None);
    }
}
