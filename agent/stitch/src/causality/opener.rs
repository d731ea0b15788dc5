//! Evidence: who opened the connection. The first request on a connection is
//! mostly for the task that opened it, or that created the one which did.

use super::coroutine;
use super::said::{Beginning, Said};
use super::scene::Scene;

/// Weight of the opener: the connection may have gone to another waiting call.
/// Go's client gave 6 % of new connections to another one with 8 requests in
/// flight, and 21 % with 32: among several the opener alone is not sure.
pub(super) const OPENER: f32 = 3.0;

/// At the first call on a connection: its opener's request.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    if !call.features.first_on_socket {
        return;
    }
    if let Some(opener) = scene.openers.get(&call.socket) {
        let first = said.causes.len();
        coroutine::tasks(scene, opener.task, OPENER, said);
        for (_, _, weight) in &mut said.causes[first..] {
            *weight = weight.min(OPENER);
        }
    }
}
