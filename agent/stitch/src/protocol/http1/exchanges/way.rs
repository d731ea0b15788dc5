//! One direction, and what of it waits for the other one.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::protocol::Protocol;
use crate::protocol::http1::reader::Reader;
use crate::stream::{Cause, Piece};

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) reader: Reader,
    /// What waits for the other direction.
    pub(super) backlog: VecDeque<Piece>,
    backlog_bytes: usize,
    /// What it began with, if not a head.
    pub(super) foreign: Option<Protocol>,
    /// Calls that began with no head, since the last head.
    pub(super) headless: u32,
    pub(super) begun: bool,
    /// Its beginning was not seen.
    pub(super) in_the_middle: bool,
}

impl Way {
    /// Keeps a piece, if what waits stays below `limit`; else only its length.
    /// Returns how many bytes were not kept.
    pub(super) fn hold(&mut self, piece: Piece, limit: usize) -> usize {
        if is_empty(&piece) {
            return 0;
        }
        let size = size(&piece);
        if self.backlog_bytes + size <= limit {
            self.backlog_bytes += size;
            self.backlog.push_back(copied(piece));
            return 0;
        }
        let bytes = match &piece {
            Piece::Bytes { bytes, .. } => bytes.len(),
            Piece::Hole { .. } => 0,
        };
        let (length, hole) = without_bytes(piece);
        if let Some(Piece::Hole { length: before, .. }) = self.backlog.back_mut() {
            *before += length;
        } else {
            self.backlog_bytes += size_of::<Piece>();
            self.backlog.push_back(hole);
        }
        bytes
    }

    /// Bytes of memory that what waits keeps.
    pub(super) fn held(&self) -> usize {
        self.backlog_bytes + self.reader.held()
    }

    /// Puts back what waits behind the pieces that are held.
    pub(super) fn hold_behind(&mut self, later: VecDeque<Piece>) {
        let first = std::mem::replace(&mut self.backlog, later);
        for piece in first.into_iter().rev() {
            self.backlog.push_front(piece);
        }
    }

    /// The piece that has waited longest.
    pub(super) fn next_held(&mut self) -> Option<Piece> {
        let piece = self.backlog.pop_front()?;
        self.backlog_bytes -= size(&piece);
        Some(piece)
    }

    /// Nothing is read any more.
    pub(super) fn switch_off(&mut self) {
        self.reader.switch_off();
        self.backlog = VecDeque::new();
        self.backlog_bytes = 0;
    }
}

pub(super) fn is_empty(piece: &Piece) -> bool {
    match piece {
        Piece::Bytes { bytes, .. } => bytes.is_empty(),
        Piece::Hole { length, .. } => *length == 0,
    }
}

/// Bytes of memory that keeping a piece takes.
fn size(piece: &Piece) -> usize {
    let bytes = match piece {
        Piece::Bytes { bytes, .. } => bytes.len(),
        Piece::Hole { .. } => 0,
    };
    size_of::<Piece>() + bytes
}

/// A piece that does not keep the buffer alive which its bytes lie in.
fn copied(mut piece: Piece) -> Piece {
    if let Piece::Bytes { bytes, .. } = &mut piece {
        *bytes = Bytes::copy_from_slice(bytes);
    }
    piece
}

/// The hole that is left when a piece's bytes are not kept.
fn without_bytes(piece: Piece) -> (u64, Piece) {
    match piece {
        Piece::Hole { length, .. } => (length, piece),
        Piece::Bytes {
            offset, bytes, at, ..
        } => {
            let length = bytes.len() as u64;
            let hole = Piece::Hole {
                offset,
                length,
                cause: Cause::NotCopied,
                at,
            };
            (length, hole)
        }
    }
}
