//! Generated conversations, captured in every way that TCP allows, against the
//! streams they were cut from.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wirespan_stitch::event::Direction::{self, Receive, Send};

use crate::conversation::{C, Conversation, S};
use crate::wire::{Outcome, Segment, decode};

/// What a capture does to the packets of one turn.
#[derive(Clone, Debug)]
struct Turn {
    from: usize,
    /// Where the bytes are cut into segments.
    pieces: Vec<Vec<u8>>,
    /// Segments sent again: from which byte, how many.
    again: Vec<(Index, usize)>,
    order: Vec<u32>,
    /// Segments that are not captured.
    lost: Vec<Index>,
}

fn turn() -> impl Strategy<Value = Turn> {
    let pieces = vec(vec(any::<u8>(), 1..40), 1..8);
    let again = vec((any::<Index>(), 1..60usize), 0..3);
    let order = vec(any::<u32>(), 12);
    let lost = vec(any::<Index>(), 0..3);
    (C..=S, pieces, again, order, lost).prop_map(|(from, pieces, again, order, lost)| Turn {
        from,
        pieces,
        again,
        order,
        lost,
    })
}

/// The capture, both streams, and which of their bytes were captured.
#[derive(Default)]
struct Truth {
    segments: Vec<Segment>,
    streams: [Vec<u8>; 2],
    captured: [BTreeSet<usize>; 2],
}

fn capture(isns: [u32; 2], turns: &[Turn], lossy: bool) -> Truth {
    let mut talk = Conversation::new(isns).handshake();
    let mut truth = Truth {
        segments: std::mem::take(&mut talk.segments),
        ..Truth::default()
    };
    let mut acknowledged = [0; 2];
    for turn in turns {
        acknowledged[1 - turn.from] = truth.streams[1 - turn.from].len();
        let stream = &mut truth.streams[turn.from];
        // (first byte, segment)
        let mut sent: Vec<(usize, Segment)> = Vec::new();
        for piece in &turn.pieces {
            talk = talk.send(turn.from, piece);
            sent.push((stream.len(), talk.segments.remove(0)));
            stream.extend(piece);
        }
        for (place, length) in &turn.again {
            // Only what is not acknowledged is sent again.
            let start = acknowledged[turn.from];
            let start = start + place.index(stream.len() - start);
            let end = stream.len().min(start + length);
            let back = i32::try_from(stream.len() - start).unwrap();
            talk = talk.again(turn.from, back, &stream[start..end]);
            sent.push((start, talk.segments.remove(0)));
        }
        let mut order = turn.order.iter();
        sent.sort_by_cached_key(|_| order.next().copied());
        if lossy {
            for lost in &turn.lost {
                if !sent.is_empty() {
                    sent.remove(lost.index(sent.len()));
                }
            }
        }
        for (start, segment) in sent {
            truth.captured[turn.from].extend(start..start + segment.payload.len());
            truth.segments.push(segment);
        }
    }
    talk = talk.close();
    truth.segments.append(&mut talk.segments);
    truth
}

/// Which bytes were told; each must be what was sent at its place.
fn told(outcome: &Outcome, direction: Direction, stream: &[u8]) -> BTreeSet<usize> {
    let mut told = BTreeSet::new();
    for (offset, bytes) in outcome.stream(1, direction) {
        let offset = offset as usize;
        assert_eq!(
            &stream[offset..offset + bytes.len()],
            bytes,
            "bytes nobody sent"
        );
        told.extend(offset..offset + bytes.len());
    }
    told
}

proptest! {
    #[test]
    fn what_was_captured_is_told_as_it_was_sent(
        isns in any::<[u32; 2]>(),
        wrap in any::<bool>(),
        lossy in any::<bool>(),
        turns in vec(turn(), 1..8),
    ) {
        let isns = if wrap { isns.map(|isn| u32::MAX - isn % 200) } else { isns };
        let truth = capture(isns, &turns, lossy);
        let outcome = decode(&truth.segments);
        for (side, direction) in [(C, Receive), (S, Send)] {
            let told = told(&outcome, direction, &truth.streams[side]);
            prop_assert_eq!(&told, &truth.captured[side], "{:?}", direction);
        }
        prop_assert_eq!(outcome.opened.len(), 1);
        prop_assert_eq!(outcome.closed.len(), 1);
        let ends = [&truth.streams[S], &truth.streams[C]].map(|stream| Some(stream.len() as u64));
        prop_assert_eq!([outcome.closed[0].sent, outcome.closed[0].received], ends);
    }

    /// Any packets missing, in any order: bytes may be missing, none be wrong.
    #[test]
    fn nothing_is_invented_whatever_is_missing(
        turns in vec(turn(), 1..6),
        keep in vec(any::<bool>(), 80),
        shuffle in proptest::option::of(vec(any::<u32>(), 80)),
    ) {
        let truth = capture([7, 8], &turns, false);
        let mut segments = truth.segments;
        let mut keep = keep.into_iter();
        segments.retain(|_| keep.next().unwrap_or(true));
        if let Some(shuffle) = shuffle {
            let mut order = shuffle.into_iter();
            segments.sort_by_cached_key(|_| order.next());
        }
        let outcome = decode(&segments);
        for data in &outcome.data {
            let side = if data.direction == Receive { C } else { S };
            // From the middle, the base tells the place.
            let base = if data.direction == Receive {
                data.connection.received_base
            } else {
                data.connection.sent_base
            };
            if data.length == 0 {
                continue;
            }
            let place = base.wrapping_add(data.offset as u32).wrapping_sub([8, 9][side]) as usize;
            let sent = &truth.streams[side][place..place + data.payload.len()];
            prop_assert_eq!(sent, &data.payload[..]);
        }
    }
}
