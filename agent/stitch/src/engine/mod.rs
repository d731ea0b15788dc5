//! All stages, one behind the other: the only file that sees them all.
//!
//! In: [`Event`]s, in nearly the order of their times. Out: [`Span`]s, and
//! [`Verdict`]s for the source.
//!
//! What comes out depends on the events and their times only, never on when the
//! engine is called: before an event is handled, every deadline before it has
//! been, in order. So a replay gives the very spans of the live run.

mod exchanges;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::account::Account;
use crate::causality::{self, Act, Causality, ExchangeId};
use crate::connection::{Connection, End, Progress, Step};
use crate::event::{Closed, Data, Event, Opened, SocketId, Task};
use crate::exchange::Moment;
use crate::processes::Processes;
use crate::protocol::Limits;
use crate::reorder::Reorder;
use crate::sockets::{Socket, Sockets};
use crate::span::Span;
use crate::time::{Clock, Timestamp};
use crate::trace::Assembly;
use crate::verdict::Verdict;

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
            ignored_parameters: Vec::new(),
            keep_candidates: false,
        }
    }
}

/// No deadline lies beyond it, a century after boot: times of a damaged recording
/// may, where adding to them gets nowhere.
const END_OF_TIME: Timestamp = Timestamp(u64::MAX >> 2);

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
    clock: Clock,
    reorder: Reorder,
    sockets: Sockets,
    timers: BinaryHeap<Reverse<(Timestamp, SocketId)>>,
    processes: Processes,
    causality: Causality,
    /// In packet captures: the exchange that a call is another name of.
    calls: HashMap<ExchangeId, ExchangeId>,
    assembly: Assembly,
    verdicts: VecDeque<Verdict>,
    spans: VecDeque<Span>,
    last_id: u64,
    now: Timestamp,
    account: Account,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            clock: Clock::default(),
            reorder: Reorder::default(),
            sockets: Sockets::new(config.max_sockets),
            timers: BinaryHeap::new(),
            processes: Processes::default(),
            causality: Causality::new(config.causality.clone()),
            calls: HashMap::new(),
            assembly: Assembly::new(config.parent_confidence, config.keep_candidates),
            verdicts: VecDeque::new(),
            spans: VecDeque::new(),
            last_id: 0,
            now: Timestamp::default(),
            account: Account::default(),
            config,
        }
    }

    /// Takes an event in.
    pub fn handle_event(&mut self, event: Event) {
        self.account.events += 1;
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
        self.causality.finish();
        self.place();
        self.assembly.finish();
        self.hand_out();
    }

    /// The next span.
    pub fn poll_span(&mut self) -> Option<Span> {
        self.spans.pop_front()
    }

    /// The next verdict for the source.
    pub fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    /// When to call [`Self::handle_timeout`] at the latest, if no event comes,
    /// and what for.
    pub fn poll_timeout(&mut self) -> Option<(Timestamp, TimeoutReason)> {
        let held = self
            .reorder
            .next()
            .map(|time| (time, TimeoutReason::Reorder));
        [held, self.next_deadline()]
            .into_iter()
            .flatten()
            .min_by_key(|(time, _)| *time)
    }

    /// What became of the requests so far.
    pub fn account(&self) -> Account {
        Account {
            open: self.assembly.open() as u64 + self.spans.len() as u64,
            late_events: self.reorder.late(),
            overdue: self.assembly.overdue(),
            causality: self.causality.counters(),
            ..self.account.clone()
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
        while let Some((due, reason)) = self.next_deadline().filter(|(due, _)| *due <= now) {
            match reason {
                TimeoutReason::Connection => self.connection_timeout(due),
                TimeoutReason::Causality => {
                    self.causality.handle_timeout(due);
                    self.place();
                }
                TimeoutReason::Placement => {
                    self.assembly.handle_timeout(due);
                    self.hand_out();
                }
                TimeoutReason::Reorder => {}
            }
        }
    }

    fn next_deadline(&mut self) -> Option<(Timestamp, TimeoutReason)> {
        let connection = self.timers.peek().map(|Reverse((due, _))| *due);
        [
            connection.map(|due| (due, TimeoutReason::Connection)),
            self.causality
                .poll_timeout()
                .map(|due| (due, TimeoutReason::Causality)),
            self.assembly
                .poll_timeout()
                .map(|due| (due, TimeoutReason::Placement)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(due, _)| *due)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Data(data) => self.handle_data(data),
            Event::Opened(opened) => self.handle_opened(&opened),
            Event::Closed(closed) => self.handle_closed(&closed),
            Event::Process(process) => self.processes.insert(process),
            Event::Exited { time, pid } => {
                self.processes.exited(pid, time);
                self.observe(Act::Exited { pid, time });
            }
            Event::Woke(woke) => self.observe(Act::Woke(woke)),
            Event::Clock { time, wall } => self.clock = Clock { time, wall },
            Event::Lost(lost) => self.account.lost_events += lost.count,
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
        socket.http.handle_data(data, &mut self.account.http);
        self.drain(id, now);
        while let Some(surplus) = self.sockets.surplus() {
            self.account.evicted_sockets += 1;
            self.give_up(surplus, End::Evicted);
        }
    }

    fn handle_opened(&mut self, opened: &Opened) {
        if opened.task != Task::default() {
            let at = Moment {
                time: opened.time,
                task: opened.task,
            };
            self.observe(Act::Connected {
                socket: opened.socket,
                at,
            });
        }
    }

    fn handle_closed(&mut self, closed: &Closed) {
        let Some(socket) = self.sockets.get(closed.socket) else {
            return;
        };
        socket.http.handle_closed(closed, &mut self.account.http);
        self.drain(closed.socket, closed.time);
        self.sockets.remove(closed.socket);
    }

    fn give_up(&mut self, id: SocketId, end: End) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        socket.http.finish(end, &mut self.account.http);
        self.drain(id, self.now);
        self.sockets.remove(id);
    }

    fn connection_timeout(&mut self, due: Timestamp) {
        let Some(Reverse((_, id))) = self.timers.pop() else {
            return;
        };
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        socket.timer = None;
        socket.http.handle_timeout(due, &mut self.account.http);
        self.drain(id, due);
    }

    /// Takes out what a connection has to say.
    fn drain(&mut self, id: SocketId, now: Timestamp) {
        while let Some(socket) = self.sockets.get(id) {
            if let Some(verdict) = socket.http.poll_verdict() {
                self.verdicts.push_back(verdict);
            }
            let Some(Progress { ordinal, step }) = socket.http.poll() else {
                break;
            };
            match step {
                Step::Requested => self.requested(id, ordinal, now),
                Step::RequestEnded(_) => {}
                Step::Answering(at) => self.answering(id, ordinal, at),
                Step::Finished(exchange) => self.finished(id, ordinal, exchange, now),
            }
        }
        if let Some(socket) = self.sockets.get(id)
            && let Some(due) = socket.http.deadline()
            && socket.timer.is_none_or(|set| due < set)
        {
            socket.timer = Some(due);
            self.timers.push(Reverse((due, id)));
        }
    }
}
