//! One direction of a connection: segments in, in any order, with repeats and
//! holes; pieces of the byte stream out, in order, each byte once.
//!
//! The first copy of a byte wins. A hole holds back what is behind it until
//! what is missing arrives, or until it is known that it never will: the
//! receiver acknowledged it, so it went by without being captured; or too much
//! is held. A hole that was given up shows as a jump in the offsets.
//!
//! A piece carries the time at which its last byte could be read by the
//! receiver: that of the latest packet up to it, in the order of the stream.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};

use super::counters::Counters;
use crate::time::Timestamp;

/// Offset of the first byte seen in a stream whose begin was not: far from 0,
/// so that the stream is known to have started before, and 0 modulo 2³², so
/// that the base is the sequence number of that byte.
pub(super) const MIDDLE: u64 = 1 << 32;

/// The largest window there can be (RFC 7323 section 2.3), and so the farthest
/// that a segment of this connection can be ahead.
const WINDOW_MAX: u64 = 1 << 30;

/// So far before what was acknowledged swapped packets may begin.
const SWAPPED_MAX: i64 = 64 << 10;

/// What a held piece costs beside its bytes.
const HELD_OVERHEAD: usize = 128;

/// Bytes at one place of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub time: Timestamp,
    pub offset: u64,
    pub length: u64,
    /// The first of them; at most `length`.
    pub payload: Bytes,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Sequence number of offset 0, once known.
    base: Option<u32>,
    /// Whether `base` comes from the handshake.
    start_known: bool,
    /// Whether `base` is only what the other end acknowledged.
    hearsay: bool,
    /// Offset of the next byte to hand out.
    next: u64,
    /// Offset up to which the receiver acknowledged.
    acknowledged: u64,
    /// Offset after the last byte, once a FIN told.
    end: Option<u64>,
    held: BTreeMap<u64, Piece>,
    held_cost: usize,
    time: Timestamp,
    /// The window that this direction's *sender* grants to the other end.
    window: u16,
    window_scale: Option<u8>,
    voice: Voice,
}

/// Whether the sender of a direction was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Voice {
    /// Not yet.
    #[default]
    Awaited,
    /// Not for so long that it is believed not to be captured.
    Missed,
    /// It was.
    Heard,
}

impl Flow {
    pub(super) fn base(&self) -> Option<u32> {
        self.base
    }

    /// Whether the begin of this direction was seen.
    pub(super) fn start_known(&self) -> bool {
        self.start_known
    }

    /// Offset after the last byte, if a FIN told and all before it is done with.
    pub(super) fn finished(&self) -> Option<u64> {
        self.end.filter(|end| self.next >= *end)
    }

    /// Bytes held back, with what holding them costs.
    pub(super) fn held_cost(&self) -> usize {
        self.held_cost
    }

    /// When the last byte handed out could be read.
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// The handshake told that the first byte has sequence number `base`.
    pub(super) fn start(&mut self, base: u32) {
        (self.next, self.acknowledged) = (0, 0);
        self.base = Some(base);
        self.start_known = true;
    }

    /// Whether a SYN before `sequence` may be that of a direction that seemed to
    /// be met in its middle: packets at its beginning are in the wrong order, and
    /// nothing was told of it.
    pub(super) fn may_begin_at(&self, sequence: u32) -> bool {
        let untold = !self.start_known && self.next == MIDDLE && self.held.is_empty();
        let before = self.base.map(|base| base.wrapping_sub(sequence));
        untold && before.is_some_and(|before| i64::from(before) <= SWAPPED_MAX)
    }

    /// The same, by the word of the other end.
    pub(super) fn start_by_hearsay(&mut self, base: u32) {
        self.start(base);
        self.hearsay = true;
    }

    /// This direction's sender speaks for the first time, at `sequence`. Where
    /// that cannot be what the other end acknowledged, the sender is believed.
    pub(super) fn check_hearsay(&mut self, sequence: u32) {
        let wrong = self
            .offset_of(sequence)
            .is_some_and(|offset| offset < -1 || !self.in_reach(offset));
        if std::mem::take(&mut self.hearsay) && wrong {
            *self = Self::default();
            self.start_in_the_middle(sequence);
        }
    }

    /// The first byte seen has sequence number `sequence`; what was before is
    /// not known.
    pub(super) fn start_in_the_middle(&mut self, sequence: u32) {
        self.base = Some(sequence);
        self.next = MIDDLE;
        self.acknowledged = MIDDLE;
    }

    /// This direction's sender speaks for the first time, with `length` bytes at
    /// `sequence`. Where they lie just before what the other end acknowledged, a
    /// capture that begins in the middle has them in the wrong order.
    pub(super) fn begin_earlier(&mut self, sequence: u32, length: u64) {
        let before = self.offset_of(sequence).map(|at| MIDDLE.cast_signed() - at);
        let fresh = self.voice != Voice::Heard && !self.start_known && self.next == MIDDLE;
        // A single byte is a probe.
        if fresh
            && length > 1
            && let Some(before @ 1..=SWAPPED_MAX) = before
        {
            self.start_in_the_middle(sequence);
            self.acknowledged = MIDDLE + before.cast_unsigned();
        }
    }

    /// The sender of this direction grants a window to the other end.
    pub(super) fn grant(&mut self, window: u16, scale: Option<u8>) {
        self.voice = Voice::Heard;
        self.window = window;
        self.window_scale = self.window_scale.or(scale);
    }

    /// How far beyond what it acknowledged this direction's sender can be sent
    /// to. Without its SYN the scale is not known, and the largest assumed.
    pub(super) fn granted(&self) -> u64 {
        let scale = match (self.window_scale, self.start_known) {
            (Some(scale), _) => scale.min(14),
            (None, true) => 0,
            (None, false) => 14,
        };
        if self.voice == Voice::Heard {
            u64::from(self.window) << scale
        } else {
            WINDOW_MAX
        }
    }

    /// Offset of `sequence`, taken to be within 2 GiB of the next byte; below
    /// zero for what is before the stream. `None` if no base is known.
    pub(super) fn offset_of(&self, sequence: u32) -> Option<i64> {
        let next = self.base?.wrapping_add(self.next as u32);
        Some(self.next.cast_signed() + i64::from(sequence.wrapping_sub(next).cast_signed()))
    }

    /// Whether all before `offset` is done with.
    pub(super) fn is_told_to(&self, offset: u64) -> bool {
        self.next >= offset
    }

    /// Whether `sequence` follows bytes that were seen since the SYN.
    pub(super) fn has_told_up_to(&self, sequence: u32) -> bool {
        let told = 0..=self.next.cast_signed();
        let offset = self.offset_of(sequence).filter(|_| self.start_known);
        offset.is_some_and(|offset| told.contains(&offset))
    }

    /// Whether a segment at `offset` can be part of this stream's future.
    pub(super) fn in_reach(&self, offset: i64) -> bool {
        offset <= (self.next.max(self.acknowledged) + WINDOW_MAX).cast_signed()
    }

    /// Whether the receiver, which grants `window`, heeds a RST here (RFC 9293
    /// section 3.10.7.4). It may have received more or less than was captured.
    pub(super) fn reset_counts(&self, offset: i64, window: u64) -> bool {
        let lowest = self.next.min(self.acknowledged);
        let highest = self.next.max(self.acknowledged) + window;
        (lowest.cast_signed()..=highest.cast_signed()).contains(&offset)
    }

    /// A segment with `length` bytes at `offset`, which is in reach.
    pub(super) fn receive(
        &mut self,
        offset: i64,
        piece: Piece,
        out: &mut Vec<Piece>,
        counters: &mut Counters,
    ) {
        let next = self.next.cast_signed();
        let behind = u64::try_from(next - offset).unwrap_or(0);
        if behind >= piece.length || self.is_probe(offset, piece.length) {
            let probe = piece.length == 1 && behind <= 1;
            *(if probe {
                &mut counters.keep_alives
            } else {
                &mut counters.repeated
            }) += 1;
            return;
        }
        let mut piece = Piece {
            offset: offset.max(next).cast_unsigned(),
            ..piece
        };
        if behind > 0 {
            counters.repeated += 1;
            let payload = piece.payload.len().min(behind as usize);
            piece.payload.advance(payload);
            piece.length -= behind;
        }
        if let Some(excess) = self.end.and_then(|end| piece.end().checked_sub(end))
            && excess > 0
        {
            counters.out_of_window += 1;
            if excess >= piece.length {
                return;
            }
            piece.split_off(piece.length - excess);
        }
        if piece.offset == self.next && self.held.is_empty() {
            self.hand_out(piece, out);
        } else {
            counters.out_of_order += u64::from(piece.offset != self.next);
            self.hold(piece, counters);
            self.release(out, counters);
        }
    }

    /// The sender's FIN stands at `offset`.
    pub(super) fn finish_at(&mut self, offset: i64, out: &mut Vec<Piece>, counters: &mut Counters) {
        let Ok(offset) = u64::try_from(offset) else {
            return;
        };
        if self.end.is_none() && offset >= self.next {
            self.end = Some(offset);
            let beyond = self.held.split_off(&offset);
            self.held_cost -= beyond.values().map(Piece::cost).sum::<usize>();
            counters.out_of_window += beyond.len() as u64;
            self.release(out, counters);
        }
    }

    /// The receiver has everything below `offset`, as it says at `time`; a FIN
    /// counts as a byte.
    pub(super) fn acknowledge(
        &mut self,
        offset: i64,
        time: Timestamp,
        out: &mut Vec<Piece>,
        counters: &mut Counters,
    ) {
        if !self.in_reach(offset) || offset <= self.acknowledged.cast_signed() {
            return;
        }
        self.acknowledged = offset.cast_unsigned();
        self.release(out, counters);
        self.tell_lost(time, out, counters);
    }

    /// Tells that all before what the receiver acknowledged went by, now and not
    /// when later bytes show it: what is lost may be what is answered next. A
    /// single byte is a FIN that was not captured: it counts as one.
    fn tell_lost(&mut self, time: Timestamp, out: &mut Vec<Piece>, counters: &mut Counters) {
        let place = self.end.unwrap_or(u64::MAX).min(self.acknowledged);
        if self.voice == Voice::Heard && place > self.next + 1 {
            self.skip_to(place, counters);
            let nothing = Piece {
                time,
                offset: place,
                length: 0,
                payload: Bytes::new(),
            };
            self.hand_out(nothing, out);
        }
    }

    /// It was waited for long enough.
    pub(super) fn give_up_waiting(&mut self) {
        if self.voice == Voice::Awaited {
            self.voice = Voice::Missed;
        }
    }

    /// Whether the receiver has what was not seen, if it acknowledges `offset`.
    /// Where this direction is not captured at all, nothing is to be waited for.
    pub(super) fn lacks(&self, offset: i64) -> bool {
        self.voice != Voice::Missed
            && offset > self.next.cast_signed()
            && self.in_reach(offset)
            && self.finished().is_none()
    }

    /// Gives up the first hole; false if there is none.
    pub(super) fn give_up_hole(&mut self, out: &mut Vec<Piece>, counters: &mut Counters) -> bool {
        // Behind the last byte seen, only what was acknowledged is known of.
        let first = self.held.keys().next().copied();
        let place = first.or(self.end).unwrap_or(self.acknowledged);
        if place <= self.next {
            return false;
        }
        self.skip_to(place, counters);
        self.release(out, counters);
        true
    }

    /// A probe for whether the receiver lives: one byte of rubbish before the
    /// next byte (RFC 9293 section 3.8.4). Where bytes are missing, the next
    /// byte is the one that the receiver waits for.
    fn is_probe(&self, offset: i64, length: u64) -> bool {
        length == 1
            && self.acknowledged > self.next
            && offset + 1 == self.acknowledged.cast_signed()
    }

    /// Hands out what is no longer behind a hole.
    fn release(&mut self, out: &mut Vec<Piece>, counters: &mut Counters) {
        while let Some(first) = self.held.first_entry() {
            let place = *first.key();
            if place > self.next && place > self.acknowledged {
                return;
            }
            let piece = first.remove();
            self.held_cost -= piece.cost();
            self.skip_to(place, counters);
            self.hand_out(piece, out);
        }
        if let Some(end) = self.end
            && self.acknowledged >= end
        {
            self.skip_to(end, counters);
        }
    }

    fn skip_to(&mut self, place: u64, counters: &mut Counters) {
        if place > self.next {
            counters.gaps += 1;
            counters.gap_bytes += place - self.next;
            self.next = place;
        }
    }

    fn hand_out(&mut self, mut piece: Piece, out: &mut Vec<Piece>) {
        self.time = self.time.max(piece.time);
        piece.time = self.time;
        self.next = piece.end();
        out.push(piece);
    }

    /// Holds those parts of a piece that are not held yet.
    fn hold(&mut self, mut piece: Piece, counters: &mut Counters) {
        let mut differs = false;
        let mut news = false;
        loop {
            if let Some((_, before)) = self.held.range(..=piece.offset).next_back()
                && before.end() > piece.offset
            {
                differs |= before.differs_from(&piece);
                let known = before.end() - piece.offset;
                if known >= piece.length {
                    break;
                }
                piece = piece.split_off(known);
                continue;
            }
            let after = self
                .held
                .range(piece.offset..)
                .next()
                .map(|(place, _)| *place);
            news = true;
            if let Some(place) = after.filter(|place| *place < piece.end()) {
                let rest = piece.split_off(place - piece.offset);
                self.keep(piece);
                piece = rest;
            } else {
                self.keep(piece);
                break;
            }
        }
        counters.overlap_conflicts += u64::from(differs);
        counters.repeated += u64::from(!news);
    }

    /// Copies the bytes: a slice would keep the whole read buffer alive.
    fn keep(&mut self, mut piece: Piece) {
        piece.payload = Bytes::copy_from_slice(&piece.payload);
        self.held_cost += piece.cost();
        self.held.insert(piece.offset, piece);
    }
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset + self.length
    }

    fn cost(&self) -> usize {
        self.payload.len() + HELD_OVERHEAD
    }

    /// Keeps the first `length` bytes; the others are returned. `length` is at
    /// most that of the piece.
    fn split_off(&mut self, length: u64) -> Self {
        let payload = self
            .payload
            .split_off(self.payload.len().min(length as usize));
        let rest = Self {
            time: self.time,
            offset: self.offset + length,
            length: self.length - length,
            payload,
        };
        self.length = length;
        rest
    }

    /// Whether a byte that both have is not the same; `other` begins in `self`.
    fn differs_from(&self, other: &Self) -> bool {
        let known = self
            .payload
            .get((other.offset - self.offset) as usize..)
            .unwrap_or_default();
        known
            .iter()
            .zip(&other.payload)
            .any(|(known, new)| known != new)
    }
}
