//! Evidence: a loop that reads all that is there before it handles any of it
//! writes in the order of the reads. When such a turn is over, its writes are
//! aligned with its reads ([`align`](super::align)): by their order, by what
//! usually follows what ([`Sequels`](super::sequel::Sequels)), and by its responses, whose requests are
//! known.

use super::adjacency::{Kind, Manner};
use super::align::{Alignment, Rows};
use super::batch::{Place, Turn, Write, Written};
use super::call::Connection;
use super::path::mix;
use super::scene::{Read, Scene};
use super::sequel::Reading;
use crate::time::Timestamp;

/// A pair below this chance is not claimed.
const LEAST: f32 = 0.5;
/// Steps back along a chain of calls to who caused them.
const MAX_STEPS: usize = 8;
/// Share of the earlier turns in what is known of their order.
const FADE: f64 = 0.98;
/// A response that follows the answer to a call: how much of what is believed of
/// the call's cause is taken for granted.
const BELIEVED: f64 = 0.98;
/// Keeps kinds of messages apart that have the same hash of what is asked.
const REQUEST: u64 = 1;
const RESPONSE: u64 = 2;

/// What a turn's write belongs to, and how that follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) write: Written,
    pub(super) read: Read,
    pub(super) manner: Manner,
    /// How much of it was believed because of what the call whose answer was read
    /// follows itself (in nats).
    pub(super) presumed: f32,
}

/// What each of the turn's writes belongs to, as far as aligning them tells.
pub(super) fn settle(scene: &mut Scene, turn: &Turn) -> Vec<Claim> {
    let natural: Vec<_> = present(scene, turn).collect();
    let mut late = natural.clone();
    // A new request may take one more round through the loop.
    late.sort_by_key(|(read, _)| matches!(read, Read::Request(..)));
    let mut orders = vec![natural];
    if orders[0] != late {
        orders.push(late);
    }
    let aligned = orders.iter().map(|reads| align(scene, reads, &turn.writes));
    let mut aligned: Vec<_> = aligned.collect();
    let best = usize::from(
        aligned.len() > 1 && {
            let gain = aligned[1].1.likelihood - aligned[0].1.likelihood;
            scene.requests_late = FADE * scene.requests_late + gain;
            scene.requests_late > 0.0
        },
    );
    let (readings, alignment) = aligned.swap_remove(best);
    learn(scene, &readings, &turn.writes, &alignment);
    let reads = &orders[best];
    let claims = turn.writes.iter().zip(&alignment.chances);
    claims
        .filter_map(|(write, chances)| claim(scene, reads, *write, chances))
        .collect()
}

/// The turn's reads that are not forgotten yet.
fn present(scene: &Scene, turn: &Turn) -> impl Iterator<Item = (Read, Timestamp)> {
    let reads = turn.reads.iter().copied();
    reads.filter(|(read, _)| scene.present(*read).is_some())
}

fn align(
    scene: &Scene,
    reads: &[(Read, Timestamp)],
    writes: &[Write],
) -> (Vec<Reading>, Alignment) {
    let last = reads.iter().map(|(_, at)| *at).max();
    let readings: Vec<_> = reads
        .iter()
        .map(|(read, at)| reading(scene, *read, Some(*at) == last))
        .collect();
    let sequels = &scene.sequels;
    let idle: Vec<f64> = readings.iter().map(|read| sequels.idle(*read)).collect();
    let follows = |write: &Write| {
        let pairs = reads.iter().zip(&readings).zip(&idle);
        pairs
            .map(|(((read, _), reading), idle)| {
                (1.0 - idle) * likelihood(scene, *read, *reading, *write)
            })
            .collect()
    };
    let mut rows = Rows {
        stray: writes
            .iter()
            .map(|write| sequels.stray(kind(scene, *write)))
            .collect(),
        follows: writes.iter().map(follows).collect(),
        idle,
    };
    (readings, rows.align())
}

/// How likely it is that, if a write follows this read, it is this one.
fn likelihood(scene: &Scene, read: Read, reading: Reading, write: Write) -> f64 {
    let kind = kind(scene, write);
    let Written::Response(slot, id) = write.what else {
        return scene.sequels.follows(reading, kind);
    };
    match read {
        Read::Request(_, request) => {
            f64::from(u8::from(request == id)) * scene.sequels.follows(reading, kind)
        }
        Read::Answer(call, _) => {
            let row = scene.calls.get(call);
            if !row.is_some_and(|row| row.links.iter().any(|link| link.request == slot)) {
                return 0.0;
            }
            let route = scene.requests.get(slot).map(|request| (request.route, 1.0));
            let reading = Reading { route, ..reading };
            belief(scene, call, slot) * scene.sequels.follows(reading, kind)
        }
        Read::Answered(..) => 0.0,
    }
}

/// How much likelier than another one this request is to have caused the call, as
/// far as is known of what the call follows.
fn belief(scene: &Scene, call: u32, request: u32) -> f64 {
    let others = f64::from(scene.open.max(1)) + 1.0;
    let believed = presumed(scene, call);
    let sure = believed.map_or(0.0, |(_, sure)| BELIEVED * f64::from(sure));
    let own = believed.is_some_and(|(presumed, _)| presumed == request);
    1.0 - sure + if own { sure * others } else { 0.0 }
}

fn reading(scene: &Scene, read: Read, last: bool) -> Reading {
    match read {
        Read::Request(slot, _) | Read::Answered(slot, _) => Reading {
            kind: scene
                .requests
                .get(slot)
                .map_or(0, |r| mix(r.route, REQUEST)),
            last,
            route: None,
        },
        Read::Answer(slot, _) => Reading {
            kind: scene.calls.get(slot).map_or(0, |call| call.label),
            last,
            route: presumed(scene, slot).and_then(|(request, sure)| {
                let route = scene.requests.get(request)?.route;
                Some((route, f64::from(sure)))
            }),
        },
    }
}

fn kind(scene: &Scene, write: Write) -> u64 {
    match write.what {
        Written::Call(slot, _) => scene.calls.get(slot).map_or(0, |call| call.label),
        Written::Response(slot, _) => {
            let request = scene.requests.get(slot);
            request.map_or(RESPONSE, |request| mix(request.route, RESPONSE))
        }
    }
}

/// Who is taken to have caused a call, by the chain that it is on, and how sure
/// that is.
fn presumed(scene: &Scene, call: u32) -> Option<(u32, f32)> {
    let (mut slot, mut sure) = (call, 1.0);
    for _ in 0..MAX_STEPS {
        let row = scene.calls.get(slot)?;
        if row.decided {
            return Some((row.parent?, sure * row.sure));
        }
        let (what, manner) = row.after?;
        sure *= scene.adjacency.chance(manner);
        match scene.present(what)? {
            Read::Request(request, _) | Read::Answered(request, _) => return Some((request, sure)),
            Read::Answer(earlier, _) => slot = earlier,
        }
    }
    None
}

fn learn(scene: &mut Scene, readings: &[Reading], writes: &[Write], alignment: &Alignment) {
    let mut idle = vec![1.0; readings.len()];
    for (write, chances) in writes.iter().zip(&alignment.chances) {
        let kind = kind(scene, *write);
        let mut stray = 1.0;
        for ((reading, idle), chance) in readings.iter().zip(&mut idle).zip(chances) {
            let chance = f64::from(*chance);
            scene.sequels.learn_pair(*reading, kind, chance);
            *idle -= chance;
            stray -= chance;
        }
        scene.sequels.learn_stray(kind, stray.max(0.0));
    }
    for (reading, idle) in readings.iter().zip(idle) {
        scene.sequels.learn_idle(*reading, f64::max(idle, 0.0));
    }
}

fn claim(
    scene: &Scene,
    reads: &[(Read, Timestamp)],
    write: Write,
    chances: &[f32],
) -> Option<Claim> {
    let best = (0..reads.len()).max_by(|a, b| chances[*a].total_cmp(&chances[*b]))?;
    if chances[best] < LEAST {
        return None;
    }
    let (read, at) = reads[best];
    let (kind, connection) = match (write.what, read) {
        (Written::Response(..), Read::Answer(..)) => (Kind::Response, Connection::OneOfSeveral),
        (Written::Response(..), _) => return None,
        (Written::Call(slot, _), Read::Answer(other, _)) => {
            let (call, other) = (scene.calls.get(slot)?, scene.calls.get(other)?);
            (Kind::of_call(call, other), call.connection)
        }
        (Written::Call(slot, _), _) => (Kind::CallAfterRequest, scene.calls.get(slot)?.connection),
    };
    let manner = Manner {
        kind,
        place: Place::aligned(chances[best]),
        first: connection == Connection::New,
        gap: write.at.time.since(at),
    };
    let presumed = match (write.what, read) {
        (Written::Response(slot, _), Read::Answer(call, _)) => belief(scene, call, slot).ln(),
        _ => 0.0,
    };
    Some(Claim {
        write: write.what,
        read,
        manner,
        presumed: presumed.max(0.0) as f32,
    })
}
