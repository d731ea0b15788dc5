//! What a kind of evidence is asked when a call starts, and what it answers.

use super::act::Features;
use super::adjacency::Manner;
use super::scene::Read;
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
