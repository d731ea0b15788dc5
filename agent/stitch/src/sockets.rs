//! The table of sockets that are followed, with an end to its growth.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::causality::ExchangeId;
use crate::connection::Connection;
use crate::event::{self, SocketId};
use crate::time::{Timestamp, WallTime};

/// One socket: its connection, its HTTP, and its exchanges that are open.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) facts: event::Connection,
    pub(crate) source: event::Source,
    pub(crate) http: Connection,
    /// In the order of their requests.
    pub(crate) open: VecDeque<Open>,
    /// The deadline that a timer is set for.
    pub(crate) timer: Option<Timestamp>,
    pub(crate) requests: u64,
    last_used: Timestamp,
    /// What it kept when it was last looked at, in bytes.
    held: usize,
}

/// An exchange that has begun on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) ordinal: u64,
    pub(crate) id: ExchangeId,
    /// In a packet capture: the same exchange as the client's call.
    pub(crate) call: Option<ExchangeId>,
    pub(crate) queued: Option<WallTime>,
}

/// What a socket kept, and what it keeps: bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    before: usize,
    now: usize,
}

/// Over its limit, memory is brought down to so much of it: 7 of 8 parts.
const RELIEF: (usize, usize) = (7, 8);

/// At most `capacity` sockets, which keep at most `memory` bytes together.
#[derive(Debug)]
pub(crate) struct Sockets {
    table: HashMap<SocketId, Socket>,
    /// Each socket once, the one to be looked at next for eviction first.
    turns: VecDeque<(SocketId, Timestamp)>,
    capacity: usize,
    memory: usize,
    /// What all keep, in bytes.
    held: usize,
}

impl Socket {
    pub(crate) fn new(facts: event::Connection, source: event::Source, http: Connection) -> Self {
        Self {
            facts,
            source,
            http,
            open: VecDeque::new(),
            timer: None,
            requests: 0,
            last_used: Timestamp(0),
            held: 0,
        }
    }

    /// The connection, as the exchanges on it show it: in a packet capture the
    /// owner is the end that answers.
    pub(crate) fn connection(&self) -> event::Connection {
        let turned = self.source == event::Source::Packets
            && self.http.requests() == Some(event::Direction::Send);
        if turned {
            self.facts.turned()
        } else {
            self.facts
        }
    }

    /// Ends the exchange `ordinal`; `None` if it never began.
    pub(crate) fn close(&mut self, ordinal: u64) -> Option<Open> {
        let place = self.place(ordinal)?;
        self.open.remove(place)
    }

    /// How what it keeps has changed since this was asked last.
    pub(crate) fn change(&mut self) -> Change {
        let now = self.http.held();
        let before = std::mem::replace(&mut self.held, now);
        Change { before, now }
    }

    /// The exchange `ordinal`, if it is open.
    pub(crate) fn find(&self, ordinal: u64) -> Option<Open> {
        Some(self.open[self.place(ordinal)?])
    }

    fn place(&self, ordinal: u64) -> Option<usize> {
        let open = &self.open;
        open.binary_search_by_key(&ordinal, |open| open.ordinal)
            .ok()
    }
}

impl Sockets {
    pub(crate) fn new(capacity: usize, memory: usize) -> Self {
        Self {
            table: HashMap::new(),
            turns: VecDeque::new(),
            capacity: capacity.max(1),
            memory,
            held: 0,
        }
    }

    pub(crate) fn get(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.table.get_mut(&id)
    }

    /// The socket `id`, in use at `now`; made by `new` if it is not there.
    pub(crate) fn used(
        &mut self,
        id: SocketId,
        now: Timestamp,
        new: impl FnOnce() -> Socket,
    ) -> &mut Socket {
        let turns = &mut self.turns;
        let socket = self.table.entry(id).or_insert_with(|| {
            turns.push_back((id, now));
            new()
        });
        socket.last_used = now;
        socket
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        let socket = self.table.remove(&id)?;
        self.held -= socket.held;
        Some(socket)
    }

    /// Takes in what a socket keeps now instead of before.
    pub(crate) fn weigh(&mut self, change: Change) {
        self.held = self.held + change.now - change.before;
    }

    /// The sockets that must go to keep within the memory: those that keep most,
    /// and enough of them that it takes a while until some must go again.
    pub(crate) fn heaviest(&self) -> Vec<SocketId> {
        if self.held <= self.memory {
            return Vec::new();
        }
        let mut excess = self.held - self.memory / RELIEF.1 * RELIEF.0;
        // Some keep at least the mean, but not all keep more.
        let mean = self.held / self.table.len().max(1);
        let sockets = self.table.iter().filter(|(_, socket)| socket.held >= mean);
        let mut heaviest: Vec<_> = sockets.map(|(id, socket)| (socket.held, *id)).collect();
        heaviest.sort_unstable_by(|one, other| other.cmp(one));
        let needed = heaviest.iter().take_while(|(held, _)| {
            let go_on = excess > 0;
            excess = excess.saturating_sub(*held);
            go_on
        });
        needed.map(|(_, id)| *id).collect()
    }

    /// A socket that must go to keep within the capacity: one that has not been
    /// used since it was last looked at.
    pub(crate) fn surplus(&mut self) -> Option<SocketId> {
        // Turns of sockets that are gone must not pile up either.
        while self.table.len() > self.capacity || self.turns.len() > 2 * self.capacity {
            let (id, seen) = self.turns.pop_front()?;
            match self.table.get(&id) {
                Some(socket) if socket.last_used > seen => {
                    self.turns.push_back((id, socket.last_used));
                }
                Some(_) if self.table.len() > self.capacity => return Some(id),
                Some(_) => self.turns.push_back((id, seen)),
                None => {}
            }
        }
        None
    }

    /// All sockets, in a fixed order.
    pub(crate) fn ids(&self) -> Vec<SocketId> {
        let mut ids: Vec<_> = self.table.keys().copied().collect();
        ids.sort_unstable();
        ids
    }
}
