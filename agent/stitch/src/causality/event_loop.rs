//! Evidence: what a thread writes follows from what it read last, a request or
//! the answer to an earlier call of the same request; on a new connection, from
//! what the one who opened it had read last. How far that holds is learnt
//! ([`Adjacency`](super::adjacency::Adjacency)).

use std::time::Duration;

use smallvec::SmallVec;

use super::adjacency::{Kind, MAX_STEPS, Manner};
use super::batch::{Cue, Place, Writes};
use super::call::Anchor;
use super::said::{Beginning, Said};
use super::scene::{Read, Scene, Thread};
use crate::exchange::Moment;
use crate::span::Method;
use crate::time::Timestamp;

/// A call follows a response within this time, or something else.
const AT_ONCE: Duration = Duration::from_micros(250);

/// At the call: what this thread read last; on a new connection, the same of its
/// opener. In a turn of several reads more is known at its end ([`turn`](super::turn)).
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    let Some(caller) = scene.threads.get(&scene.lane(call.at.task).tid) else {
        return;
    };
    // A thread that never serves shows by nothing whose calls it makes.
    if !caller.reads_requests && caller.responded.is_none() {
        return;
    }
    let Some((what, manner)) = follows(scene, call, caller) else {
        return;
    };
    let rivals = match what {
        Read::Answered(..) => scene.open + 1,
        _ => scene.open,
    };
    let weight = scene.adjacency.weight(manner, rivals);
    said.after = Some((what, manner));
    match what {
        Read::Request(slot, _) | Read::Answered(slot, _) => {
            said.causes.push((Some(slot), Method::EventLoop, weight));
        }
        Read::Answer(slot, _) => said.follows = Some((slot, weight)),
    }
}

/// What a call follows, and how.
fn follows(scene: &Scene, call: Beginning<'_>, caller: &Thread) -> Option<(Read, Manner)> {
    let first = call.features.first_on_socket;
    let opener = scene.openers.get(&call.socket).filter(|_| first);
    if let Some(opener) = opener {
        let way = opener
            .after
            .and_then(|cue| call_after(scene, call, cue, opener.at));
        if way.is_some() {
            return way;
        }
    }
    let at = call.at.time;
    let response = caller.batch.response();
    let response = response.filter(|(_, _, written)| at.since(*written) < AT_ONCE);
    if let Some((slot, id, written)) = response
        && let Some(what) = scene.present(Read::Answered(slot, id))
    {
        let manner = Manner {
            kind: Kind::CallAfterResponse,
            place: Place::Only(Writes::None),
            first,
            gap: at.since(written),
        };
        return Some((what, manner));
    }
    call_after(scene, call, scene.cue(call.at.task)?, at)
}

/// The way in which a call, decided on at `at`, would follow this read.
fn call_after(
    scene: &Scene,
    call: Beginning<'_>,
    cue: Cue,
    at: Timestamp,
) -> Option<(Read, Manner)> {
    let kind = match scene.present(cue.what)? {
        Read::Answer(slot, _) => match scene.calls.get(slot) {
            Some(other) if other.socket == call.socket => {
                Kind::on_same_socket(scene.connection(call.features))
            }
            _ => Kind::CallOnOtherSocket,
        },
        Read::Request(..) | Read::Answered(..) => Kind::CallAfterRequest,
    };
    let first = call.features.first_on_socket;
    Some((cue.what, Manner::after(cue, kind, at, first)))
}

/// The call whose answer a response to this request follows.
pub(super) fn anchor(scene: &Scene, slot: u32, cue: Cue, at: Moment) -> Option<(u32, Anchor)> {
    let Read::Answer(call, _) = scene.present(cue.what)? else {
        return None;
    };
    let anchor = Anchor {
        request: scene.requests.get(slot)?.id,
        manner: Manner::after(cue, Kind::Response, at.time, false),
        presumed: 0.0,
    };
    Some((call, anchor))
}

/// Goes back from a response to a request, and learns from whether it is the
/// one answered. Another response on the way is as good as a request.
pub(super) fn learn(scene: &mut Scene, call: u32, anchor: Anchor) {
    let (mut call, answered) = (call, anchor.request);
    scene.adjacency.wrote(anchor.manner);
    if let Some(row) = scene.calls.get_mut(call) {
        row.before = Some(anchor);
    }
    let open = scene.open + 1;
    if open < 2 {
        return;
    }
    let mut steps: SmallVec<[Manner; MAX_STEPS]> = SmallVec::new();
    steps.push(anchor.manner);
    while steps.len() < MAX_STEPS - 1 {
        let Some((what, manner)) = scene.calls.get(call).and_then(|call| call.after) else {
            return;
        };
        steps.push(manner);
        let found = match scene.present(what) {
            Some(Read::Request(_, request)) => request,
            Some(Read::Answer(earlier, _)) => {
                let before = scene.calls.get(earlier).and_then(|call| call.before);
                let Some(Anchor {
                    request, manner, ..
                }) = before
                else {
                    call = earlier;
                    continue;
                };
                steps.push(manner);
                request
            }
            Some(Read::Answered(..)) | None => return,
        };
        scene.adjacency.learn(&steps, found == answered, open);
        return;
    }
}

/// A call follows something else than it seemed when it was made. Whether that is
/// likelier.
pub(super) fn follow(scene: &mut Scene, slot: u32, what: Read, manner: Manner) -> bool {
    let Some(call) = scene.calls.get(slot).filter(|call| !call.decided) else {
        return false;
    };
    let chance = scene.adjacency.chance(manner);
    let present = call
        .after
        .map(|(_, present)| scene.adjacency.chance(present));
    if present.is_some_and(|present| present >= chance) {
        return false;
    }
    forsake(scene, slot);
    let Some(call) = scene.calls.get_mut(slot) else {
        return false;
    };
    call.after = Some((what, manner));
    let weight = scene.adjacency.weight(manner, call.rivals);
    match what {
        Read::Answer(other, _) => {
            call.follows = Some((other, weight));
            if let Some(other) = scene.calls.get_mut(other) {
                other.followers.push(slot);
            }
        }
        Read::Request(request, _) | Read::Answered(request, _) => {
            if let Some(link) = call.links.iter_mut().find(|link| link.request == request) {
                link.weights.set(Method::EventLoop, weight);
            }
        }
    }
    true
}

/// A call does not follow what it seemed to.
pub(super) fn forsake(scene: &mut Scene, slot: u32) {
    let Some(call) = scene.calls.get_mut(slot) else {
        return;
    };
    match call.after.take() {
        Some((Read::Request(request, _) | Read::Answered(request, _), _)) => {
            if let Some(link) = call.links.iter_mut().find(|link| link.request == request) {
                link.weights.set(Method::EventLoop, 0.0);
            }
        }
        Some((Read::Answer(..), _)) | None => {}
    }
    if let Some((other, _)) = call.follows.take()
        && let Some(other) = scene.calls.get_mut(other)
    {
        other.followers.retain(|follower| *follower != slot);
    }
}

/// What the present knowledge of a call's manner is worth.
pub(super) fn weigh_again(scene: &mut Scene, slot: u32) {
    let Some(call) = scene.calls.get_mut(slot) else {
        return;
    };
    let Some((what, manner)) = call.after else {
        return;
    };
    let late = u32::from(matches!(what, Read::Answered(..)));
    let weight = scene.adjacency.weight(manner, call.rivals + late);
    match what {
        Read::Answer(..) => {
            if let Some((_, present)) = &mut call.follows {
                *present = weight;
            }
        }
        Read::Request(request, _) | Read::Answered(request, _) => {
            if let Some(link) = call.links.iter_mut().find(|link| link.request == request) {
                link.weights.set(Method::EventLoop, weight);
            }
        }
    }
    if let Some(anchor) = call.before {
        let requests = &scene.requests;
        let answered = |slot: u32| requests.get(slot).is_some_and(|r| r.id == anchor.request);
        let mut links = call.links.iter_mut();
        if let Some(link) = links.find(|link| answered(link.request)) {
            let weight = anchor.weight(&scene.adjacency, call.rivals);
            link.weights.add(Method::EventLoop, weight);
        }
    }
}
