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

/// At the call: the last message this thread read.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    match scene.last_read(call.at.task) {
        Some((_, Read::Request(slot, _))) => {
            said.causes.push((Some(slot), Method::EventLoop, LAST_READ));
        }
        Some((_, Read::Answer(slot, _))) => said.follows = Some((slot, LAST_READ)),
        None => {}
    }
}

/// At the response: the answer this thread read last.
pub(super) fn at_response(scene: &Scene, _slot: u32, at: Moment, said: &mut Vec<(u32, f32)>) {
    if let Some((_, Read::Answer(call, _))) = scene.last_read(at.task) {
        said.push((call, ANCHOR));
    }
}
