//! The kinds of evidence, one line each.
//!
//! A kind sees the facts and tells what speaks for which cause, as a
//! log-likelihood ratio in nats; none decides alone. To do without a kind is
//! to leave out its line, or to name it in [`Config::without`].
//!
//! [`Config::without`]: super::Config::without

use super::act::Features;
use super::adjacency::Manner;
use super::scene::{Read, Scene};
use super::{coroutine, event_loop, explicit, opener, thread, token};
use crate::event::SocketId;
use crate::exchange::Moment;
use crate::span::Method;

/// Weight of evidence that names the cause. Fixed: learnt from its agreement
/// with overconfident timing it would lose.
pub(super) const EXACT: f32 = 14.0;

/// A call at its start, as evidence sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning<'a> {
    /// When and who.
    pub(super) at: Moment,
    /// The socket.
    pub(super) socket: SocketId,
    /// What its bytes say.
    pub(super) features: &'a Features,
}

/// What evidence has to say.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// For a request as the cause; `None` is "no cause".
    pub(super) causes: Vec<(Option<u32>, Method, f32)>,
    /// What the thread had read last, and how the call follows that.
    pub(super) after: Option<(Read, Manner)>,
    /// The call has the same cause as this one.
    pub(super) follows: Option<(u32, f32)>,
}

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
