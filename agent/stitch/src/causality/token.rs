//! Evidence: distinctive tokens that the call and a request have in common.
//! The fewer requests carry a token, the more it says.

use super::said::{Beginning, Said};
use super::scene::Scene;
use crate::span::Method;

/// Weight of a token that one request alone carries.
const UNIQUE: f32 = 7.0;

/// Requests that carry tokens of the call.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    for token in &call.features.tokens {
        let slots = scene.tokens.under(token);
        let weight = UNIQUE - 2.0 * (slots.len().max(1) as f32).ln();
        for slot in slots {
            said.causes
                .push((Some(*slot), Method::Token, weight.max(0.0)));
        }
    }
}
