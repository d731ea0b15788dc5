//! Packets in, events out: the table of connections.

use std::net::SocketAddr;

use bytes::Bytes;
use hashbrown::HashMap;
use hashlink::LinkedHashMap;

use super::connection::{Connection, Output, Side};
use super::counters::Counters;
use super::fragments::Fragments;
use super::limits::Limits;
use super::link::LinkType;
use super::segment::{Segment, Undecoded};
use crate::event::{Event, SocketId};
use crate::time::{Timestamp, WallTime};

/// The two ends of a connection, the lower address first.
type Ends = [SocketAddr; 2];

/// Turns the packets of a capture into the events of the connections in it.
///
/// Events of one connection and direction come in the order of their bytes and
/// of their times. Across connections times can go back: by as much as the
/// capture's own do, and where bytes were held behind a hole until it was
/// known to stay one.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Open connections, the one silent longest first.
    open: LinkedHashMap<Ends, Connection>,
    /// Closed ones, the one closed first first.
    closed: LinkedHashMap<Ends, Connection>,
    /// Connections of which only the handshake was seen yet, by its numbers.
    fresh: HashMap<(u32, u32), Ends>,
    fragments: Fragments,
    held: usize,
    sockets: u64,
    out: Output,
    /// What is told by connections that are silent.
    unheard: Output,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: LinkedHashMap::new(),
            closed: LinkedHashMap::new(),
            fresh: HashMap::new(),
            fragments: Fragments::default(),
            held: 0,
            sockets: 0,
            out: Output::default(),
            unheard: Output::default(),
        }
    }

    /// Takes a packet: the captured part of it, and its length on the wire.
    pub fn handle_packet(
        &mut self,
        link: LinkType,
        time: Timestamp,
        captured: &Bytes,
        original: usize,
    ) {
        if self.out.counters.packets == 0 {
            self.out.events.push_back(Event::Clock {
                time,
                wall: WallTime(time.0),
            });
        }
        self.out.counters.packets += 1;
        let decoded = Segment::decode(link, captured, original, time, &mut self.fragments);
        let counters = &mut self.out.counters;
        counters.fragments_lost = self.fragments.dropped;
        let segment = match decoded {
            Ok(segment) => segment,
            Err(reason) => {
                *(match reason {
                    Undecoded::UnknownLink => &mut counters.unknown_link,
                    Undecoded::NotIp => &mut counters.not_ip,
                    Undecoded::NotTcp => &mut counters.not_tcp,
                    Undecoded::Fragment => &mut counters.fragments,
                    Undecoded::HeadersCut => &mut counters.headers_cut,
                    Undecoded::Malformed => &mut counters.malformed,
                }) += 1;
                return;
            }
        };
        counters.tcp += 1;
        self.forget_the_old(time);
        self.handle_segment(segment, time);
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// The capture ended: what was held back is told. Connections are closed as
    /// far as an end of them was seen; the others just stop.
    pub fn finish(&mut self) {
        while let Some((ends, connection)) = self.open.pop_front() {
            self.retire(&ends, connection, false);
        }
        self.closed.clear();
    }

    /// What became of the packets so far.
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    fn handle_segment(&mut self, segment: Segment, time: Timestamp) {
        let ends = [
            segment.source.min(segment.destination),
            segment.source.max(segment.destination),
        ];
        let side = Side::from(segment.source != ends[0]);
        if !self.make_room(&ends, &segment, side) {
            return;
        }
        let connection = if let Some(connection) = self.open.to_back(&ends) {
            connection
        } else {
            self.sockets += 1;
            self.out.counters.connections += 1;
            let connection = Connection::new(SocketId(self.sockets), ends, side);
            self.open.entry(ends).or_insert(connection)
        };
        let held = connection.held_cost();
        connection.learn(&segment, side, time);
        let bases = connection.fresh_bases();
        if let Some(bases) = bases {
            connection.silent |= *self.fresh.entry(bases).or_insert(ends) != ends;
        }
        self.out.counters.seen_elsewhere += u64::from(connection.silent);
        let out = if connection.silent {
            &mut self.unheard
        } else {
            &mut self.out
        };
        connection.advance(segment, side, time, out);
        connection.relieve(side, self.limits.held, out);
        if self.held - held + connection.held_cost() > self.limits.held_total {
            connection.relieve(side, 0, out);
        }
        self.unheard.events.clear();
        self.held = self.held - held + connection.held_cost();
        let closed = connection.is_closed();
        if let Some(bases) = bases.filter(|_| connection.fresh_bases().is_none()) {
            self.no_longer_fresh(bases, &ends);
        }
        if closed && let Some(connection) = self.open.remove(&ends) {
            self.closed.insert(ends, connection);
            if self.closed.len() > self.limits.closed {
                self.closed.pop_front();
            }
        }
    }

    /// Whether the segment is to be followed; if so, there is room in `open`,
    /// and the connection there, if any, is the one it belongs to.
    fn make_room(&mut self, ends: &Ends, segment: &Segment, side: Side) -> bool {
        match self.open.get(ends) {
            Some(connection) if connection.owns(segment, side) => return true,
            Some(_) => {
                self.out.counters.reused += 1;
                if let Some(connection) = self.open.remove(ends) {
                    self.retire(ends, connection, true);
                }
            }
            None => {}
        }
        if let Some(connection) = self.closed.get(ends) {
            if connection.owns(segment, side) {
                self.out.counters.after_end += 1;
                return false;
            }
            self.closed.remove(ends);
        }
        if segment.rst {
            return false;
        }
        if self.open.len() >= self.limits.connections
            && let Some((ends, connection)) = self.open.pop_front()
        {
            self.out.counters.evicted += 1;
            self.retire(&ends, connection, false);
        }
        true
    }

    fn forget_the_old(&mut self, now: Timestamp) {
        let idle = self.limits.idle;
        while self
            .open
            .front()
            .is_some_and(|(_, oldest)| now.since(oldest.last()) > idle)
            && let Some((ends, connection)) = self.open.pop_front()
        {
            self.out.counters.idle += 1;
            self.retire(&ends, connection, false);
        }
        let linger = self.limits.linger;
        while self
            .closed
            .front()
            .is_some_and(|(_, oldest)| now.since(oldest.last()) > linger)
        {
            self.closed.pop_front();
        }
    }

    fn retire(&mut self, ends: &Ends, mut connection: Connection, replaced: bool) {
        self.held -= connection.held_cost();
        if let Some(bases) = connection.fresh_bases() {
            self.no_longer_fresh(bases, ends);
        }
        let out = if connection.silent {
            &mut self.unheard
        } else {
            &mut self.out
        };
        connection.give_up(replaced, out);
        self.unheard.events.clear();
    }

    fn no_longer_fresh(&mut self, bases: (u32, u32), ends: &Ends) {
        if self.fresh.get(&bases) == Some(ends) {
            self.fresh.remove(&bases);
        }
    }
}
