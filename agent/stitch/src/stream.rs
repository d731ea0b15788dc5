//! One direction of a connection as a stream of bytes with holes.
//!
//! In: [`Data`] of one direction, in any pieces. Out: [`Piece`]s that follow
//! each other without overlap: bytes, and holes of known length where bytes
//! were lost, not copied, or not wanted. What the bytes mean is left to
//! [`crate::protocol`]; putting events in the order of time, to
//! [`crate::reorder`].

use bytes::{Buf, Bytes};

use crate::event::{Data, Direction, Opener, Shortfall};
use crate::exchange::Moment;
use crate::protocol::Counters;

/// The next bytes of a stream, or the next hole in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that were copied; never empty.
    Bytes {
        /// Offset of the first of them.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Whether a call (or a packet) began with them: where the sender is
        /// likely to have begun a message.
        opens: bool,
        /// When they went by.
        at: Moment,
    },
    /// Bytes that were not seen; never empty.
    Hole {
        /// Offset of the first of them.
        offset: u64,
        /// How many.
        length: u64,
        /// Why.
        cause: Cause,
        /// When they went by, or the first known time after that.
        at: Moment,
    },
}

/// Why bytes of a stream were not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// They went by before the first event of this direction.
    Before,
    /// The event that told of them was lost.
    Lost,
    /// The event told their number only.
    NotCopied,
    /// The engine asked for nothing of them.
    Unwanted,
}

/// Offsets and lengths beyond this one are nonsense: 1 PiB.
const LAST_OFFSET: u64 = 1 << 50;

/// How far one direction of a connection has been seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    next: Option<u64>,
    skip_to: u64,
}

impl Stream {
    /// Takes one call's bytes, and gives up to three pieces of them to `take`: a
    /// hole, the bytes, and what was not copied after them. What was seen before
    /// is left out (the first copy wins), what is missing becomes the hole.
    pub fn accept(
        &mut self,
        mut data: Data,
        counters: &mut Counters,
        mut take: impl FnMut(Piece, &mut Counters),
    ) {
        // No connection carries so much; a damaged recording may say so.
        data.offset = data.offset.min(LAST_OFFSET);
        data.length = data.length.min(LAST_OFFSET);
        let at = Moment {
            time: data.time,
            task: data.task,
        };
        let end = data.offset.saturating_add(data.length);
        let next = self.next.unwrap_or_else(|| beginning(&data));
        let hole = (data.offset > next).then(|| self.hole_before(next, data.offset, at, counters));
        self.next = Some(next.max(end));
        if let Some(hole) = hole {
            take(hole, counters);
        }
        let known = next.saturating_sub(data.offset).min(data.length);
        if known > 0 {
            counters.bytes_repeated += known;
        }
        take_call(data, known, at, counters, take);
    }

    /// The hole that is left at the end when the stream is known to end at
    /// `end`, or `None` if all of it was seen.
    pub fn finish(&mut self, end: u64, at: Moment, counters: &mut Counters) -> Option<Piece> {
        let end = end.min(LAST_OFFSET);
        let next = self.next.unwrap_or(end);
        self.next = Some(next.max(end));
        (end > next).then(|| self.hole_before(next, end, at, counters))
    }

    /// Offset of the first byte not seen yet; `None` before the first event.
    pub fn next(&self) -> Option<u64> {
        self.next
    }

    /// Says that bytes below `offset` are not wanted: if events of them do not
    /// come, nothing is lost. Returns whether that is news.
    pub fn skip_to(&mut self, offset: u64) -> bool {
        let news = offset > self.skip_to;
        self.skip_to = self.skip_to.max(offset);
        news
    }

    fn hole_before(&self, from: u64, to: u64, at: Moment, counters: &mut Counters) -> Piece {
        let cause = match self.next {
            None => Cause::Before,
            Some(_) if to <= self.skip_to => Cause::Unwanted,
            Some(_) => Cause::Lost,
        };
        if cause == Cause::Lost {
            counters.gaps += 1;
            counters.bytes_lost += to - from;
        }
        Piece::Hole {
            offset: from,
            length: to - from,
            cause,
            at,
        }
    }
}

/// Where this direction of the connection begins; see [`Opener`]. An end that
/// is not known to have connected may still have: its 0 and 1 are the same.
fn beginning(data: &Data) -> u64 {
    match (data.direction, data.connection.opener) {
        (Direction::Send, Some(Opener::Local)) => data.offset.min(1),
        (Direction::Send, None) if data.offset == 1 => 1,
        _ => 0,
    }
}

/// What a call brought beyond the first `known` bytes.
fn take_call(
    data: Data,
    known: u64,
    at: Moment,
    counters: &mut Counters,
    mut take: impl FnMut(Piece, &mut Counters),
) {
    let mut bytes = data.payload;
    bytes.truncate(usize::try_from(data.length).unwrap_or(usize::MAX));
    let copied = bytes.len() as u64;
    if known < copied {
        bytes.advance(known as usize);
        let piece = Piece::Bytes {
            offset: data.offset + known,
            bytes,
            opens: known == 0,
            at,
        };
        take(piece, counters);
    }
    let from = copied.max(known);
    if from < data.length {
        let cause = match data.shortfall {
            Shortfall::Unwanted => Cause::Unwanted,
            _ => Cause::NotCopied,
        };
        counters.bytes_not_copied += data.length - from;
        let piece = Piece::Hole {
            offset: data.offset + from,
            length: data.length - from,
            cause,
            at,
        };
        take(piece, counters);
    }
}
