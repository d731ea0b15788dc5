//! What is no head where a head should be.

use crate::event::Direction;
use crate::exchange::{Anomalies, Anomaly, CaptureMarks, Response, Version};
use crate::protocol::Protocol;
use crate::stream::Piece;

use super::way::Way;
use super::{Context, Http1, opposite};

/// Calls that begin with no head, after which nobody looks for one any more in
/// a connection whose beginning was seen, and was none.
const HEADLESS: u32 = 8;

/// The same where the beginning was not seen: so many in each direction. While
/// a long body goes by in one direction the other one is silent, and it begins
/// with a head when it speaks again; so one direction alone proves nothing,
/// however long. Both without a head is no HTTP/1.x, except where both bodies
/// of one exchange were met in their middle and went on side by side.
const HEADLESS_IN_THE_MIDDLE: u32 = 512;

/// The same where the other direction says nothing at all: no body that anybody
/// waits for takes so many calls.
const HEADLESS_ONE_WAY: u32 = 1 << 20;

impl Http1 {
    /// A direction goes on with what is no head.
    pub(super) fn handle_foreign(
        &mut self,
        direction: Direction,
        first: &[u8],
        context: &mut Context<'_>,
    ) {
        let Some(requests) = self.requests else {
            let protocol = Protocol::of(first);
            self.way_mut(direction).foreign = Some(protocol);
            let other = self.way(opposite(direction)).foreign;
            if protocol.is_certain() || other.is_some() {
                let named = other.filter(|_| protocol == Protocol::Unknown);
                self.stop(named.unwrap_or(protocol), context);
            }
            return;
        };
        if requests == direction {
            if let Some(last) = self.queue.last_mut() {
                last.exchange.anomalies.insert(Anomaly::ExcessBytes);
            }
            return self.miss_requests(0);
        }
        if !self.answered && !self.queue.is_loose() && self.queue.front().is_some() {
            return self.handle_headless(context);
        }
        self.queue.loosen(false, context.counters);
    }

    /// The first answer on the connection is no HTTP/1.x message, but what an
    /// HTTP/0.9 server might send: a body until the close.
    fn handle_headless(&mut self, context: &mut Context<'_>) {
        self.answered = true;
        self.target = self.queue.assign(context.counters);
        let responses = self.responses();
        let reader = &mut self.way_mut(responses).reader;
        reader.accept_headless();
        let response = Response {
            status: None,
            version: Version::Http09,
            message: reader.message(),
        };
        let mut anomalies = Anomalies::default();
        anomalies.insert(Anomaly::NoStatusLine);
        self.answer(response, anomalies, CaptureMarks::default(), context);
    }

    pub(super) fn note_opening(&mut self, direction: Direction, piece: &Piece) {
        if let Piece::Bytes { opens: true, .. } = piece {
            let way = self.way_mut(direction);
            way.headless = way.headless.saturating_add(1);
        }
    }

    /// Gives up a connection in which no head was ever found.
    pub(super) fn note_headless(&mut self, direction: Direction, context: &mut Context<'_>) {
        let way = self.way(direction);
        if self.requests.is_some() || !way.reader.is_lost() {
            return;
        }
        let hopeless = if way.foreign.is_some() {
            way.headless >= HEADLESS
        } else {
            let both = |way: &Way| way.headless >= HEADLESS_IN_THE_MIDDLE;
            way.headless >= HEADLESS_ONE_WAY || self.ways.iter().all(both)
        };
        if hopeless {
            let protocol = way.foreign.unwrap_or(Protocol::Unknown);
            self.stop(protocol, context);
        }
    }
}
