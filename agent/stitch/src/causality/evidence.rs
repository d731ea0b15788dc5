//! The kinds of evidence, one line each.
//!
//! A kind sees the facts and tells what speaks for which cause, as a
//! log-likelihood ratio in nats; none decides alone. To do without a kind is
//! to leave out its line, or to name it in [`Config::without`].
//!
//! [`Config::without`]: super::Config::without

use super::said::{Beginning, Said};
use super::scene::Scene;
use super::{coroutine, event_loop, explicit, opener, thread, token};
use crate::exchange::Moment;
use crate::span::Method;

/// What can be told when a call starts.
type AtCall = fn(&Scene, Beginning<'_>, &mut Said);

/// What can be told of undecided calls when a response was written: each call
/// with its weight for the request answered. (That of event loops is said at the
/// end of a turn: see [`Owner`](super::owner::Owner).)
type AtResponse = fn(&Scene, u32, Moment, &mut Vec<(u32, f32)>);

/// Evidence at the call.
pub(super) const AT_CALL: &[(Method, AtCall)] = &[
    (Method::Explicit, explicit::at_call),
    (Method::Thread, thread::at_call),
    (Method::EventLoop, event_loop::at_call),
    (Method::Coroutine, coroutine::at_call),
    (Method::Coroutine, opener::at_call),
    (Method::Token, token::at_call),
];

/// Evidence at the response.
pub(super) const AT_RESPONSE: &[(Method, AtResponse)] = &[
    (Method::Thread, thread::at_response),
    (Method::Coroutine, coroutine::at_response),
];
