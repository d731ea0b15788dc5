//! A connection as an observer on the way sees it: segments of both ends in,
//! events out.
//!
//! The owner of its socket is the end that accepted. Where no SYN was seen the
//! end with the lower port is taken for it, which the HTTP stage does not rely
//! on: there the end that sends requests is the client.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::counters::Counters;
use super::flow::{Flow, Piece};
use super::parked::Parked;
use super::segment::Segment;
use crate::event::{
    Closed, Connection as Facts, Data, Direction, Event, Opened, Opener, Shortfall, SocketId,
    Source, Task,
};
use crate::time::Timestamp;

/// Where connections put what they found.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub events: VecDeque<Event>,
    pub counters: Counters,
    pieces: Vec<Piece>,
}

/// The end of a connection that sent a segment: an index.
pub(super) type Side = usize;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: SocketId,
    ends: [SocketAddr; 2],
    /// What each end sends.
    flows: [Flow; 2],
    owner: Side,
    handshake: bool,
    opened: Option<Timestamp>,
    /// The time of what was told last.
    told: Timestamp,
    has_data: bool,
    closed: Option<Close>,
    /// A RST of this end, and the offset where it stands, behind missing bytes.
    reset_at: Option<(Side, u64)>,
    parked: Parked,
    last: Timestamp,
    /// Another connection is the same one, seen at another place: what this one
    /// tells is not to be heard.
    pub(super) silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    Finished,
    Reset,
}

impl Connection {
    /// A connection between `ends`, met by a segment of `side`.
    pub(super) fn new(socket: SocketId, ends: [SocketAddr; 2], side: Side) -> Self {
        let owner = match ends[0].port().cmp(&ends[1].port()) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Greater => 1,
            std::cmp::Ordering::Equal => 1 - side,
        };
        Self {
            socket,
            ends,
            flows: Default::default(),
            owner,
            handshake: false,
            opened: None,
            told: Timestamp::default(),
            has_data: false,
            closed: None,
            reset_at: None,
            parked: Parked::default(),
            last: Timestamp::default(),
            silent: false,
        }
    }

    /// When it last said something.
    pub(super) fn last(&self) -> Timestamp {
        self.last
    }

    /// Whether it came to its end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Bytes held back in both directions.
    pub(super) fn held_cost(&self) -> usize {
        let held: usize = self.flows.iter().map(Flow::held_cost).sum();
        held + self.parked.cost()
    }

    /// What the ends called their first bytes, smaller first, if the handshake
    /// was seen and nothing but it: the same wherever it is looked at.
    pub(super) fn fresh_bases(&self) -> Option<(u32, u32)> {
        let (a, b) = (self.flows[0].base()?, self.flows[1].base()?);
        let fresh = self.handshake && !self.has_data && self.closed.is_none();
        fresh.then(|| (a.min(b), a.max(b)))
    }

    /// Whether a segment belongs to this connection rather than to a later one
    /// between the same addresses and ports.
    pub(super) fn owns(&self, segment: &Segment, side: Side) -> bool {
        let (flow, other) = (&self.flows[side], &self.flows[1 - side]);
        let first = segment.sequence.wrapping_add(1);
        match (segment.syn, segment.acknowledgment) {
            (true, None) => {
                let late = !self.has_data && flow.may_begin_at(first);
                late || flow.base().is_none_or(|base| base == first)
            }
            (true, Some(acknowledged)) => {
                let late = !self.has_data && other.may_begin_at(acknowledged);
                let agrees = late || other.base() == Some(acknowledged);
                // Data in the SYN may be acknowledged with it (RFC 7413).
                let fast = flow.base().is_none() && other.has_told_up_to(acknowledged);
                agrees
                    || fast
                    || flow
                        .base()
                        .map_or(!other.start_known(), |base| base == first)
            }
            (false, _) => {
                let after_end = flow.finished().zip(flow.offset_of(segment.sequence));
                let after_end = after_end.is_some_and(|(end, at)| at > end.cast_signed());
                !(after_end && segment.length > 0 && self.closed == Some(Close::Finished))
            }
        }
    }

    /// Learns from a segment where the streams begin. To be called before
    /// [`Self::advance`].
    pub(super) fn learn(&mut self, segment: &Segment, side: Side, time: Timestamp) {
        self.last = self.last.max(time);
        if segment.syn && !self.handshake && !self.has_data {
            self.handshake = true;
            self.owner = if segment.acknowledgment.is_some() {
                side
            } else {
                1 - side
            };
        }
        let (flow, other) = two(&mut self.flows, side);
        let first = segment.sequence.wrapping_add(1);
        let untold = segment.syn && !self.has_data;
        if segment.syn && (flow.base().is_none() || untold && flow.may_begin_at(first)) {
            flow.start(first);
        }
        let reset = segment.rst;
        if !reset {
            flow.check_hearsay(segment.sequence);
            flow.begin_earlier(segment.sequence, segment.length);
        }
        // After one SYN the other one is to be waited for.
        if flow.base().is_none() && !reset && !self.handshake {
            flow.start_in_the_middle(segment.sequence);
        }
        if let Some(acknowledged) = segment.acknowledgment
            && (other.base().is_none() || untold && other.may_begin_at(acknowledged))
            && !reset
        {
            // The first segment after a SYN can only acknowledge the other SYN.
            let answers_syn = flow.start_known() && flow.base() == Some(segment.sequence);
            if segment.syn || answers_syn {
                other.start_by_hearsay(acknowledged);
            } else {
                other.start_in_the_middle(acknowledged);
            }
        }
    }

    /// Follows a segment, or lets it wait.
    pub(super) fn advance(
        &mut self,
        segment: Segment,
        side: Side,
        time: Timestamp,
        out: &mut Output,
    ) {
        self.give_up_waiting(time, out);
        if self.is_ahead(&segment, side) {
            self.parked.push(segment, side, time);
        } else {
            self.follow(segment, side, time, out);
            self.follow_ready(out);
        }
        self.give_up_waiting(time, out);
    }

    fn give_up_waiting(&mut self, now: Timestamp, out: &mut Output) {
        while self.parked.is_over(now) {
            self.follow_parked(out);
        }
    }

    /// Whether a segment comes before what must be known of it: the SYN of its
    /// own direction, or what it acknowledges.
    fn is_ahead(&self, segment: &Segment, side: Side) -> bool {
        if self.flows[side].base().is_none() && !segment.rst {
            return true;
        }
        let other = &self.flows[1 - side];
        let acknowledged = segment.acknowledgment;
        acknowledged
            .and_then(|number| other.offset_of(number))
            .is_some_and(|offset| other.lacks(offset))
    }

    /// Follows the segments that need not wait any longer: what they acknowledge
    /// was told, and what waited for that with them.
    fn follow_ready(&mut self, out: &mut Output) {
        let mut place = 0;
        while let Some(waiting) = self.parked.get(place) {
            if self.is_ahead(&waiting.segment, waiting.side) {
                place += 1;
            } else if let Some(ready) = self.parked.take(place) {
                self.follow(ready.segment, ready.side, ready.time, out);
                place = 0;
            }
        }
    }

    /// Follows the segment that has waited longest, in vain, and what waited for
    /// it. Returns whether there is one.
    fn follow_parked(&mut self, out: &mut Output) -> bool {
        let Some(first) = self.parked.take(0) else {
            return false;
        };
        self.flows[1 - first.side].give_up_waiting();
        let flow = &mut self.flows[first.side];
        if flow.base().is_none() && !first.segment.rst {
            flow.start_in_the_middle(first.segment.sequence);
        }
        self.follow(first.segment, first.side, first.time, out);
        self.follow_ready(out);
        true
    }

    fn follow(&mut self, segment: Segment, side: Side, time: Timestamp, out: &mut Output) {
        if self.closed.is_some() {
            return;
        }
        let (flow, other) = two(&mut self.flows, side);
        flow.grant(segment.window, segment.window_scale);
        let acknowledged = segment
            .acknowledgment
            .and_then(|number| other.offset_of(number));
        if let Some(offset) = acknowledged {
            other.acknowledge(offset, time, &mut out.pieces, &mut out.counters);
        }
        if self.handshake && self.flows.iter().all(|flow| flow.base().is_some()) {
            self.open(time, out);
        }
        self.tell(1 - side, out);
        if segment.rst {
            self.reset(&segment, side, out);
        } else {
            self.take(segment, side, time, out);
        }
        self.finish(out);
    }

    /// Closes it once all before the ends that were seen is done with.
    fn finish(&mut self, out: &mut Output) {
        if self.closed.is_some() {
            return;
        }
        let reset = self.reset_at;
        if reset.is_some_and(|(side, offset)| self.flows[side].is_told_to(offset)) {
            self.flush(out);
            self.close(Close::Reset, out);
        } else if self.flows.iter().all(|flow| flow.finished().is_some()) {
            self.close(Close::Finished, out);
        }
    }

    /// Gives up the holes of the direction that `side` sends until it holds no
    /// more than `limit`.
    pub(super) fn relieve(&mut self, side: Side, limit: usize, out: &mut Output) {
        while limit == 0 && self.follow_parked(out) {}
        while self.flows[side].held_cost() > limit {
            out.counters.held_limit += 1;
            if !self.flows[side].give_up_hole(&mut out.pieces, &mut out.counters) {
                break;
            }
        }
        self.tell(side, out);
    }

    /// Nothing more will be told of it. It is closed as far as an end was seen,
    /// or, if `replaced`, because its ports are in use again.
    pub(super) fn give_up(&mut self, replaced: bool, out: &mut Output) {
        while self.follow_parked(out) {}
        if self.closed.is_some() {
            return;
        }
        self.flush(out);
        if self.reset_at.is_some() {
            self.close(Close::Reset, out);
        } else if replaced || self.flows.iter().any(|flow| flow.finished().is_some()) {
            self.close(Close::Finished, out);
        }
    }

    /// The bytes and the FIN of a segment.
    fn take(&mut self, segment: Segment, side: Side, time: Timestamp, out: &mut Output) {
        let flow = &mut self.flows[side];
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let Some(offset) = flow.offset_of(first) else {
            return;
        };
        if !flow.in_reach(offset) {
            out.counters.out_of_window += 1;
            return;
        }
        let (length, payload) = (segment.length, segment.payload);
        if length > 0 {
            out.counters.snapped += u64::from((payload.len() as u64) < length);
            let piece = Piece {
                time,
                offset: 0,
                length,
                payload,
            };
            flow.receive(offset, piece, &mut out.pieces, &mut out.counters);
        }
        if segment.fin {
            let end = offset + length.cast_signed();
            flow.finish_at(end, &mut out.pieces, &mut out.counters);
        }
        self.tell(side, out);
    }

    fn reset(&mut self, segment: &Segment, side: Side, out: &mut Output) {
        let window = self.flows[1 - side].granted();
        let flow = &self.flows[side];
        let offset = flow.offset_of(segment.sequence);
        let counts = offset.is_none_or(|offset| flow.reset_counts(offset, window));
        if !counts {
            out.counters.resets_ignored += 1;
            return;
        }
        // What it follows may come behind it, as with a FIN.
        let ahead = offset.filter(|offset| flow.lacks(*offset));
        let offset = ahead.unwrap_or_default().unsigned_abs();
        self.reset_at = Some((side, offset));
    }

    fn flush(&mut self, out: &mut Output) {
        for side in [0, 1] {
            while self.flows[side].give_up_hole(&mut out.pieces, &mut out.counters) {}
            self.tell(side, out);
        }
    }

    /// Tells that it was established, once, if that was seen.
    fn open(&mut self, time: Timestamp, out: &mut Output) {
        if self.opened.is_none() {
            self.told = self.told.max(time);
            let time = self.told;
            self.opened = Some(time);
            let (socket, connection) = (self.socket, self.facts());
            let opened = Opened {
                time,
                socket,
                task: Task::default(),
                connection,
            };
            out.events.push_back(Event::Opened(opened));
        }
    }

    /// Tells of the bytes that `side` sent.
    fn tell(&mut self, side: Side, out: &mut Output) {
        let Some(first) = out.pieces.first() else {
            return;
        };
        self.has_data = true;
        if self.handshake {
            self.open(first.time, out);
        }
        let connection = self.facts();
        let direction = if side == self.owner {
            Direction::Send
        } else {
            Direction::Receive
        };
        for piece in out.pieces.drain(..) {
            // What is told later went by later, whatever the clocks of a capture say.
            self.told = self.told.max(piece.time);
            let whole = piece.payload.len() as u64 == piece.length;
            out.events.push_back(Event::Data(Data {
                time: self.told,
                socket: self.socket,
                source: Source::Packets,
                direction,
                task: Task::default(),
                connection,
                offset: piece.offset,
                length: piece.length,
                payload: piece.payload,
                shortfall: if whole {
                    Shortfall::None
                } else {
                    Shortfall::Snapped
                },
            }));
        }
    }

    /// Tells the end, if anything was told of the connection.
    fn close(&mut self, close: Close, out: &mut Output) {
        self.closed = Some(close);
        if !self.has_data && self.opened.is_none() {
            return;
        }
        let time = self
            .flows
            .iter()
            .map(Flow::time)
            .fold(self.last.max(self.told), Timestamp::max);
        out.events.push_back(Event::Closed(Closed {
            time,
            socket: self.socket,
            reset: close == Close::Reset,
            sent: self.flows[self.owner].finished(),
            received: self.flows[1 - self.owner].finished(),
        }));
    }

    fn facts(&self) -> Facts {
        let peer = 1 - self.owner;
        Facts {
            local: self.ends[self.owner],
            peer: self.ends[peer],
            sent_base: self.flows[self.owner].base().unwrap_or(0),
            received_base: self.flows[peer].base().unwrap_or(0),
            opener: self.handshake.then_some(Opener::Peer),
        }
    }
}

/// The flow of `side` and the other one.
fn two(flows: &mut [Flow; 2], side: Side) -> (&mut Flow, &mut Flow) {
    let [zero, one] = flows;
    if side == 0 { (zero, one) } else { (one, zero) }
}
