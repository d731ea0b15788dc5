//! All stages, one behind the other: the only file that sees them all.
//!
//! In: [`Event`]s, in nearly the order of their times. Out: [`Span`]s, and
//! [`Verdict`]s for the source.
//!
//! What comes out depends on the events and their times only, never on when the
//! engine is called: before an event is handled, every deadline before it has
//! been, in order. So a replay gives the very spans of the live run.

mod exchanges;
mod learning;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::account::Account;
use crate::causality::{self, Act};
use crate::connection::{Connection, End};
use crate::event::{Closed, Data, Event, Opened, SocketId, Task};
use crate::exchange::Moment;
use crate::protocol::Limits;
use crate::protocol::http1::Heads;
use crate::reorder::Reorder;
use crate::sockets::{Socket, Sockets};
use crate::span::Span;
use crate::time::{Clock, Timestamp};
use crate::verdict::Verdict;

use exchanges::Exchanges;

/// What an engine may be told to do otherwise.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits of what one connection may hold.
    pub limits: Arc<Limits>,
    /// How causes are found.
    pub causality: causality::Config,
    /// The least confidence that makes a parent, 0 to 1.
    pub parent_confidence: f32,
    /// The most sockets that are followed at once; beyond it one that has been
    /// silent for long is given up.
    pub max_sockets: usize,
    /// Bytes of memory that all sockets together keep of what waits: requests,
    /// heads, bodies in doubt. Beyond it those that keep most are given up.
    pub max_held: usize,
    /// Query parameters whose values are no evidence of a cause: an evaluation
    /// hides its truth behind them.
    pub ignored_parameters: Vec<String>,
    /// Whether spans tell every cause that was weighed, for `explain`.
    pub keep_candidates: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Arc::new(Limits::default()),
            causality: causality::Config::default(),
            parent_confidence: 0.6,
            max_sockets: 100_000,
            max_held: 64 << 20,
            ignored_parameters: Vec::new(),
            keep_candidates: false,
        }
    }
}

/// No deadline lies beyond it, a century after boot: times of a damaged recording
/// may, where adding to them gets nowhere.
const END_OF_TIME: Timestamp = Timestamp(u64::MAX >> 2);

/// The deadline where there is none.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// Why an engine wants to be called at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// An event is held back for earlier ones.
    Reorder,
    /// An exchange lasts too long.
    Connection,
    /// A cause must be decided on.
    Causality,
    /// An exchange waits too long for its place.
    Placement,
}

/// Events in, spans out.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    reorder: Reorder,
    sockets: Sockets,
    heads: Heads,
    timers: Timers,
    exchanges: Exchanges,
    verdicts: VecDeque<Verdict>,
    now: Timestamp,
}

/// Deadlines of sockets, the earliest first.
type Timers = BinaryHeap<Reverse<(Timestamp, SocketId)>>;

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            reorder: Reorder::default(),
            sockets: Sockets::new(config.max_sockets, config.max_held),
            heads: Heads::default(),
            timers: Timers::new(),
            exchanges: Exchanges::new(&config),
            verdicts: VecDeque::new(),
            now: Timestamp::default(),
            config,
        }
    }

    /// Takes an event in.
    pub fn handle_event(&mut self, event: Event) {
        self.exchanges.account.events += 1;
        self.reorder.push(event);
        self.release(Timestamp(0));
    }

    /// Takes in that all events before `now` have been handed in.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.release(now);
        self.advance(now);
    }

    /// Takes in that nothing follows: whatever is open is handed out as it is.
    pub fn finish(&mut self) {
        self.release(Timestamp(u64::MAX));
        for id in self.sockets.ids() {
            self.give_up(id, End::EndOfInput);
        }
        self.exchanges.finish();
    }

    /// The next span.
    pub fn poll_span(&mut self) -> Option<Span> {
        self.exchanges.spans.pop_front()
    }

    /// The next verdict for the source.
    pub fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    /// When to call [`Self::handle_timeout`] at the latest, if no event comes,
    /// and what for.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        let held = self
            .reorder
            .next()
            .map(|time| (time, TimeoutReason::Reorder));
        let deadline = Some(self.next_deadline()).filter(|(due, _)| *due < NEVER);
        [held, deadline]
            .into_iter()
            .flatten()
            .min_by_key(|(time, _)| *time)
    }

    /// What became of the requests so far.
    pub fn account(&self) -> Account {
        Account {
            late_events: self.reorder.late(),
            ..self.exchanges.account()
        }
    }

    fn release(&mut self, complete: Timestamp) {
        while let Some(event) = self.reorder.pop(complete) {
            self.advance(event.time());
            self.now = event.time();
            self.handle(event);
        }
    }

    /// Lets every deadline up to `now` pass, in order.
    fn advance(&mut self, now: Timestamp) {
        let now = now.min(END_OF_TIME);
        loop {
            let (due, reason) = self.next_deadline();
            if due > now {
                return;
            }
            match reason {
                TimeoutReason::Connection => self.connection_timeout(due),
                TimeoutReason::Causality => self.exchanges.causality_timeout(due),
                TimeoutReason::Placement => self.exchanges.placement_timeout(due),
                TimeoutReason::Reorder => {}
            }
        }
    }

    /// The earliest deadline; of several at one time, that of the first stage.
    fn next_deadline(&self) -> (Timestamp, TimeoutReason) {
        let connection = self.timers.peek().map_or(NEVER, |Reverse((due, _))| *due);
        let causality = self.exchanges.causality_due().unwrap_or(NEVER);
        let placement = self.exchanges.placement_due().unwrap_or(NEVER);
        if connection <= causality && connection <= placement {
            (connection, TimeoutReason::Connection)
        } else if causality <= placement {
            (causality, TimeoutReason::Causality)
        } else {
            (placement, TimeoutReason::Placement)
        }
    }

    fn handle(&mut self, event: Event) {
        let exchanges = &mut self.exchanges;
        match event {
            Event::Data(data) => self.handle_data(data),
            Event::Opened(opened) => self.handle_opened(&opened),
            Event::Closed(closed) => self.handle_closed(&closed),
            Event::Process(process) => {
                exchanges.introduce(&process);
                exchanges.processes.insert(process);
            }
            Event::Exited { time, pid } => {
                exchanges.processes.exited(pid, time);
                exchanges.observe(Act::Exited { pid, time });
            }
            Event::Woke(woke) => exchanges.observe(Act::Woke(woke)),
            Event::Clock { time, wall } => exchanges.clock = Clock { time, wall },
            Event::Lost(lost) => exchanges.account.lost_events += lost.count,
        }
    }

    fn handle_data(&mut self, data: Data) {
        let (id, now) = (data.socket, data.time);
        let limits = &self.config.limits;
        let socket = self.sockets.used(id, now, || {
            let http = Connection::new(id, data.source, Arc::clone(limits));
            Socket::new(data.connection, data.source, http)
        });
        socket.facts = data.connection;
        let heads = self.heads.of(&data.connection);
        let counters = &mut self.exchanges.account.http;
        socket.http.handle_data(data, counters, Some(heads));
        self.verdicts
            .extend(std::iter::from_fn(|| socket.http.poll_verdict()));
        self.exchanges.take(id, socket, now);
        set_timer(&mut self.timers, id, socket);
        let change = socket.change();
        self.sockets.weigh(change);
        for heavy in self.sockets.heaviest() {
            self.exchanges.account.evicted_for_memory += 1;
            self.give_up(heavy, End::Evicted);
        }
        while let Some(surplus) = self.sockets.surplus() {
            self.exchanges.account.evicted_sockets += 1;
            self.give_up(surplus, End::Evicted);
        }
    }

    fn handle_opened(&mut self, opened: &Opened) {
        if opened.task != Task::default() {
            let at = Moment {
                time: opened.time,
                task: opened.task,
            };
            self.exchanges.observe(Act::Connected {
                socket: opened.socket,
                at,
            });
        }
    }

    fn handle_closed(&mut self, closed: &Closed) {
        let Some(mut socket) = self.sockets.remove(closed.socket) else {
            return;
        };
        socket
            .http
            .handle_closed(closed, &mut self.exchanges.account.http);
        self.exchanges.take(closed.socket, &mut socket, closed.time);
    }

    fn give_up(&mut self, id: SocketId, end: End) {
        let Some(mut socket) = self.sockets.remove(id) else {
            return;
        };
        socket.http.finish(end, &mut self.exchanges.account.http);
        self.exchanges.take(id, &mut socket, self.now);
    }

    fn connection_timeout(&mut self, due: Timestamp) {
        let Some(Reverse((_, id))) = self.timers.pop() else {
            return;
        };
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        socket.timer = None;
        socket
            .http
            .handle_timeout(due, &mut self.exchanges.account.http);
        self.exchanges.take(id, socket, due);
        set_timer(&mut self.timers, id, socket);
        let change = socket.change();
        self.sockets.weigh(change);
    }
}

fn set_timer(timers: &mut Timers, id: SocketId, socket: &mut Socket) {
    if let Some(due) = socket.http.deadline()
        && socket.timer.is_none_or(|set| due < set)
    {
        socket.timer = Some(due);
        timers.push(Reverse((due, id)));
    }
}
