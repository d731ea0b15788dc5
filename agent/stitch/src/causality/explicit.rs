//! Evidence: the call carries a trace context or request id that an open
//! request carried. Exact; several requests of one trace share it.

use super::said::{Beginning, EXACT, Said};
use super::scene::Scene;
use crate::span::Method;

/// Requests under the call's trace id and request ids.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    let of_trace = call
        .features
        .trace_id
        .iter()
        .flat_map(|id| scene.traces.under(id));
    let of_ids = call
        .features
        .request_ids
        .iter()
        .flat_map(|id| scene.request_ids.under(id));
    for slot in of_trace.chain(of_ids) {
        said.causes.push((Some(*slot), Method::Explicit, EXACT));
    }
}
