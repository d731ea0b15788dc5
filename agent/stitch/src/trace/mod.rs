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

mod place;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;
use smallvec::SmallVec;

use crate::causality::{Candidate, Decision, ExchangeId};
use crate::event::{Connection, Process};
use crate::exchange::{Exchange, Role};
use crate::identity::MessageId;
use crate::span::{Causality, Method, SpanId, TraceId, Weighed};
use crate::time::{Timestamp, WallTime};

pub use place::{Context, Place};

use place::Tie;

/// How long after a request is read its sender may still show up, and how long
/// a client waits for its server's end: a call is told when it returns, which
/// under load is later than the other end's answer to it.
pub const PEER_LAG: Duration = Duration::from_millis(100);

/// The longest an exchange waits for its place.
pub const PLACE_LAG: Duration = Duration::from_secs(10);

/// Among how many exchanges, the latest to start, those of servers are remembered
/// after they were handed out, for calls that they caused but that are decided
/// later.
const REMEMBERED: u64 = 131_072;

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
    /// The candidates for its cause, best first, where they are kept.
    pub candidates: Vec<Weighed>,
}

/// Exchanges on their way to a place.
#[derive(Debug)]
pub struct Assembly {
    threshold: f32,
    keep_candidates: bool,
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
    candidates: Vec<Weighed>,
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

/// Places of server exchanges that were handed out: each where its number says,
/// until one with a number that is greater by [`REMEMBERED`] takes it.
#[derive(Debug, Default)]
struct Remembered(Vec<Option<(ExchangeId, (TraceId, SpanId))>>);

impl Assembly {
    /// Parents need at least a confidence of `threshold`, 0 to 1.
    ///
    /// `keep_candidates`: spans tell all that were weighed, for `explain`.
    pub fn new(threshold: f32, keep_candidates: bool) -> Self {
        Self {
            threshold,
            keep_candidates,
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
            candidates: Vec::new(),
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
        let weighed = self.weighed(decision);
        let Some(call) = self.entries.get_mut(&decision.call) else {
            return;
        };
        if !matches!(call.placing, Placing::Open) {
            return;
        }
        call.candidates = weighed;
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
        if role == Role::Server
            && let Some(client) = self.ends.get(&message).and_then(|ends| ends.client)
        {
            if let Some(entry) = self.entries.get_mut(&client) {
                entry.served = Served::At(first, last);
            }
            self.hand_out(client);
        }
        let waits = !self.hand_out(id);
        if waits && role == Role::Client {
            self.peer_timers.push_back((now + PEER_LAG, id));
        }
    }

    /// Lets waits end that have lasted too long.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.peer_timers.pop_front_if(|(due, _)| *due <= now) {
            self.peer_overdue(id);
        }
        while let Some((_, id)) = self.place_timers.pop_front_if(|(due, _)| *due <= now) {
            self.place_overdue(id);
        }
        self.drop_idle_peer_timers();
        self.drop_idle_place_timers();
    }

    /// When [`Self::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
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

    /// The candidates by the ids of their spans; none if they are not kept.
    fn weighed(&self, decision: &Decision) -> Vec<Weighed> {
        let span_id = |cause| match self.entries.get(cause) {
            Some(entry) => Some(entry.span_id),
            None => Some(self.remembered.get(*cause)?.1),
        };
        let kept = decision.candidates.iter().filter(|_| self.keep_candidates);
        kept.filter_map(|candidate| {
            Some(Weighed {
                span_id: span_id(&candidate.cause)?,
                causality: causality(candidate),
                evidence: candidate.evidence.clone(),
            })
        })
        .collect()
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
            None => self.remembered.get(on),
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
            if self.place_timers.front().is_some_and(|front| front.1 == id) {
                self.drop_idle_place_timers();
            }
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
    /// Returns whether it had.
    fn hand_out(&mut self, id: ExchangeId) -> bool {
        let Slot::Occupied(slot) = self.entries.entry(id) else {
            return false;
        };
        let entry = slot.get();
        if entry.ended.is_none() || !matches!(entry.placing, Placing::Placed(_)) {
            return false;
        }
        if let Slot::Occupied(mut ends) = self.ends.entry(entry.message) {
            let Ends { client, server } = ends.get_mut();
            match entry.role {
                Role::Client if server.is_some() && matches!(entry.served, Served::Unknown) => {
                    return false;
                }
                Role::Client => *client = None,
                Role::Server => *server = None,
            }
            if client.is_none() && server.is_none() {
                ends.remove();
            }
        }
        let entry = slot.remove();
        if self.peer_timers.front().is_some_and(|front| front.1 == id) {
            self.drop_idle_peer_timers();
        }
        if self.place_timers.front().is_some_and(|front| front.1 == id) {
            self.drop_idle_place_timers();
        }
        let (Some(ended), Placing::Placed(place)) = (entry.ended, entry.placing) else {
            return false;
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
            candidates: entry.candidates,
        });
        true
    }

    /// Keeps in front a timer of an exchange that is still here.
    fn drop_idle_peer_timers(&mut self) {
        let gone = |id: &ExchangeId| !self.entries.contains_key(id);
        while self.peer_timers.pop_front_if(|(_, id)| gone(id)).is_some() {}
    }

    /// Keeps in front a timer of an exchange that has no place yet.
    fn drop_idle_place_timers(&mut self) {
        let placed = |id: &ExchangeId| {
            self.entries
                .get(id)
                .is_none_or(|entry| matches!(entry.placing, Placing::Placed(_)))
        };
        while self
            .place_timers
            .pop_front_if(|(_, id)| placed(id))
            .is_some()
        {}
    }
}

impl Entry {
    fn beside(&self, on: (TraceId, SpanId), tie: Tie) -> Place {
        Place::beside(on, tie, self.message, self.context.as_ref())
    }

    fn alone(&self) -> Place {
        Place::alone(self.message, self.context.as_ref())
    }
}

impl Remembered {
    fn insert(&mut self, id: ExchangeId, place: (TraceId, SpanId)) {
        let at = Self::index(id);
        if at >= self.0.len() {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some((id, place));
    }

    fn get(&self, id: ExchangeId) -> Option<(TraceId, SpanId)> {
        let (found, place) = (*self.0.get(Self::index(id))?)?;
        (found == id).then_some(place)
    }

    fn index(id: ExchangeId) -> usize {
        (id.0 % REMEMBERED) as usize
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
mod tests;
