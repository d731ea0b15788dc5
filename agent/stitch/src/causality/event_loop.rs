//! Evidence: event loops. What a thread writes follows from what it last read:
//! a request, or the answer to an earlier call of the same request. At the
//! response, the answer read just before it belongs to the request answered.

use super::evidence::{Beginning, Said};
use super::scene::{Read, Scene};
use crate::exchange::Moment;
use crate::span::Method;

/// Weight of the last message read, at the call.
const LAST_READ: f32 = 1.5;
/// Weight of the answer read last before a response.
const ANCHOR: f32 = 2.5;

/// Weight of the message that the opener of a new connection had read last: the
/// connection is there for a call of the same turn.
const OPENED_AFTER: f32 = 5.0;

/// At the call: the last message this thread read, or, on a new connection, the
/// last that its opener had read.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    let opener = scene.openers.get(&call.socket);
    let opened_after = opener
        .filter(|_| call.features.first_on_socket)
        .and_then(|opener| scene.present(opener.after?));
    let last = scene.last_read(call.at.task).map(|(_, read)| read);
    let (read, weight) = match opened_after {
        Some(read) => (Some(read), OPENED_AFTER),
        None => (last, LAST_READ),
    };
    match read {
        Some(Read::Request(slot, _)) => {
            said.causes.push((Some(slot), Method::EventLoop, weight));
        }
        Some(Read::Answer(slot, _)) => said.follows = Some((slot, weight)),
        None => {}
    }
}

/// At the response: the answer this thread read last.
pub(super) fn at_response(scene: &Scene, _slot: u32, at: Moment, said: &mut Vec<(u32, f32)>) {
    if let Some((_, Read::Answer(call, _))) = scene.last_read(at.task) {
        said.push((call, ANCHOR));
    }
}
