//! Evidence: a loop that reads all that is there before it handles any of it
//! writes in the order of the reads, round by round: what a task does for it may
//! come after what others did at once. When such a turn is over, its writes are
//! aligned with its reads ([`align`](super::align)): by their order, by what
//! usually follows what ([`Sequels`]), and by its responses, whose requests are
//! known.

use super::adjacency::{Kind, MAX_STEPS, Manner};
use super::align::{Chances, Rows};
use super::batch::{Cue, Place, Turn, Write, Written};
use super::call::Connection;
use super::path::mix;
use super::scene::{Read, Scene};
use super::sequel::{ROUNDS, Reading, Sequels};
use crate::time::Timestamp;

/// A pair below this chance is not claimed.
const LEAST: f32 = 0.5;
/// How often a turn is aligned to learn from it what follows what, before that is
/// used on it, while the process is new.
const REHEARSALS: usize = 3;
/// Reads and writes from which a turn has a pattern of its own.
const TELLING: usize = 4;
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

/// A read of the turn.
#[derive(Clone, Copy, Debug)]
struct Heard {
    read: Read,
    at: Timestamp,
    reading: Reading,
    /// Probability that no write belongs to it.
    idle: f64,
    /// Who is taken to have caused the call whose answer it is, and how sure that
    /// is.
    presumed: Option<(u32, f32)>,
}

/// A write of the turn, and what kind of message it is.
#[derive(Clone, Copy, Debug)]
struct Done {
    write: Write,
    kind: u64,
}

/// What each of the turn's writes belongs to, as far as aligning them tells.
pub(super) fn settle(scene: &mut Scene, turn: &Turn) -> Vec<Claim> {
    let writes: Vec<_> = turn.writes.iter().map(|w| done(scene, *w)).collect();
    let known = rehearse(scene, turn, &writes);
    let reads = heard(scene, turn);
    let chances = align(scene, &reads, &writes);
    if let Some(known) = known {
        scene.sequels = known;
    }
    learn(scene, &reads, &writes, &chances);
    let claims = writes.iter().zip(&chances);
    claims
        .filter_map(|(done, chances)| claim(scene, &reads, done.write, chances))
        .collect()
}

/// While little is known of a process, learns from a turn of many messages what
/// follows what in it, before it is aligned for good: as many writes as reads are
/// one each. Gives what was known before.
fn rehearse(scene: &mut Scene, turn: &Turn, writes: &[Done]) -> Option<Sequels> {
    if turn.reads.len().min(writes.len()) < TELLING || !scene.sequels.is_new() {
        return None;
    }
    let known = scene.sequels.clone();
    for _ in 0..REHEARSALS {
        let reads = heard(scene, turn);
        let chances = align(scene, &reads, writes);
        scene.sequels = known.clone();
        learn(scene, &reads, writes, &chances);
    }
    Some(known)
}

/// The turn's reads that are not forgotten yet, once for each round in which they
/// may be handled.
fn heard(scene: &Scene, turn: &Turn) -> Vec<Heard> {
    let reads = turn.reads.iter().copied();
    let reads: Vec<_> = reads
        .filter(|(read, _)| scene.present(*read).is_some())
        .collect();
    let last = reads.iter().map(|(_, at)| *at).max();
    let describe = |(read, at): &(Read, Timestamp)| {
        let presumed = match *read {
            Read::Answer(call, _) => presumed(scene, call),
            Read::Request(..) | Read::Answered(..) => None,
        };
        Heard {
            read: *read,
            at: *at,
            reading: reading(scene, *read, presumed, Some(*at) == last),
            idle: 0.0,
            presumed,
        }
    };
    let heard: Vec<_> = reads.iter().map(describe).collect();
    let in_round = |round| heard.iter().map(move |heard| heard.in_round(scene, round));
    (0..ROUNDS).flat_map(in_round).collect()
}

impl Heard {
    fn in_round(self, scene: &Scene, round: usize) -> Self {
        let reading = Reading {
            round,
            ..self.reading
        };
        Self {
            idle: scene.sequels.idle(reading),
            reading,
            ..self
        }
    }
}

fn align(scene: &Scene, reads: &[Heard], writes: &[Done]) -> Chances {
    let follows = |done: &Done| {
        let likelihood = |heard: &Heard| (1.0 - heard.idle) * likelihood(scene, *heard, *done);
        reads.iter().map(likelihood).collect()
    };
    let mut rows = Rows {
        idle: reads.iter().map(|heard| heard.idle).collect(),
        stray: writes
            .iter()
            .map(|done| scene.sequels.stray(done.kind))
            .collect(),
        follows: writes.iter().map(follows).collect(),
    };
    rows.align()
}

/// How likely it is that, if a write follows this read, it is this one.
fn likelihood(scene: &Scene, heard: Heard, done: Done) -> f64 {
    let Written::Response(slot, id) = done.write.what else {
        return scene.sequels.follows(heard.reading, done.kind);
    };
    match heard.read {
        Read::Request(_, request) => {
            f64::from(u8::from(request == id)) * scene.sequels.follows(heard.reading, done.kind)
        }
        Read::Answer(call, _) => {
            let row = scene.calls.get(call);
            if !row.is_some_and(|row| row.links.iter().any(|link| link.request == slot)) {
                return 0.0;
            }
            let route = scene.requests.get(slot).map(|request| (request.route, 1.0));
            let reading = Reading {
                route,
                ..heard.reading
            };
            belief(scene, heard, slot) * scene.sequels.follows(reading, done.kind)
        }
        Read::Answered(..) => 0.0,
    }
}

/// How much likelier than another one this request is to have caused the call
/// whose answer was read, as far as is known of what the call follows.
fn belief(scene: &Scene, heard: Heard, request: u32) -> f64 {
    let others = f64::from(scene.open.max(1)) + 1.0;
    let believed = heard.presumed;
    let sure = believed.map_or(0.0, |(_, sure)| BELIEVED * f64::from(sure));
    let own = believed.is_some_and(|(presumed, _)| presumed == request);
    1.0 - sure + if own { sure * others } else { 0.0 }
}

fn reading(scene: &Scene, read: Read, presumed: Option<(u32, f32)>, last: bool) -> Reading {
    match read {
        Read::Request(slot, _) | Read::Answered(slot, _) => Reading {
            kind: scene
                .requests
                .get(slot)
                .map_or(0, |r| mix(r.route, REQUEST)),
            last,
            round: 0,
            route: None,
        },
        Read::Answer(slot, _) => Reading {
            kind: scene.calls.get(slot).map_or(0, |call| call.label),
            last,
            round: 0,
            route: presumed.and_then(|(request, sure)| {
                let route = scene.requests.get(request)?.route;
                Some((route, f64::from(sure)))
            }),
        },
    }
}

fn done(scene: &Scene, write: Write) -> Done {
    let kind = match write.what {
        Written::Call(slot, _) => scene.calls.get(slot).map_or(0, |call| call.label),
        Written::Response(slot, _) => {
            let request = scene.requests.get(slot);
            request.map_or(RESPONSE, |request| mix(request.route, RESPONSE))
        }
    };
    Done { write, kind }
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

fn learn(scene: &mut Scene, reads: &[Heard], writes: &[Done], chances: &Chances) {
    let mut idle = vec![1.0; reads.len()];
    for (done, chances) in writes.iter().zip(chances) {
        let mut stray = 1.0;
        for ((heard, idle), chance) in reads.iter().zip(&mut idle).zip(chances) {
            let chance = f64::from(*chance);
            let cleared = scene.sequels.learn_pair(heard.reading, done.kind, chance);
            scene.limits.tables_cleared += u64::from(cleared);
            *idle -= chance;
            stray -= chance;
        }
        scene.sequels.learn_stray(done.kind, stray.max(0.0));
    }
    for (heard, idle) in reads.iter().zip(idle) {
        scene.sequels.learn_idle(heard.reading, f64::max(idle, 0.0));
    }
}

fn claim(scene: &Scene, reads: &[Heard], write: Write, chances: &[f32]) -> Option<Claim> {
    let count = reads.len() / ROUNDS;
    let in_all = |read: usize| chances.iter().skip(read).step_by(count.max(1)).sum::<f32>();
    let (best, chance) = (0..count)
        .map(|read| (read, in_all(read)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    if chance < LEAST {
        return None;
    }
    let heard = reads[best];
    let (kind, connection) = match (write.what, heard.read) {
        (Written::Response(..), Read::Answer(..)) => (Kind::Response, Connection::OneOfSeveral),
        (Written::Response(..), _) => return None,
        (Written::Call(slot, _), Read::Answer(other, _)) => {
            let (call, other) = (scene.calls.get(slot)?, scene.calls.get(other)?);
            (Kind::of_call(call, other), call.connection)
        }
        (Written::Call(slot, _), _) => (Kind::CallAfterRequest, scene.calls.get(slot)?.connection),
    };
    let cue = Cue {
        what: heard.read,
        at: heard.at,
        place: Place::aligned(chance),
    };
    let first = connection == Connection::New;
    let manner = Manner::after(cue, kind, write.at.time, first);
    let presumed = match (write.what, heard.read) {
        (Written::Response(slot, _), Read::Answer(..)) => belief(scene, heard, slot).ln(),
        _ => 0.0,
    };
    Some(Claim {
        write: write.what,
        read: heard.read,
        manner,
        presumed: presumed.max(0.0) as f32,
    })
}
