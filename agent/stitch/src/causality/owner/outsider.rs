//! Calls of a process that never read a request, as clients and load generators
//! make them: nothing can have caused them. They are learnt from as others without
//! a cause, for the process may serve one day, but never enter the scene.

use smallvec::SmallVec;

use super::{Desk, Owner};
use crate::causality::act::{Decision, ExchangeId, Features};
use crate::causality::confidence::Odds;
use crate::causality::path::mix;
use crate::causality::queue::Message;
use crate::causality::route;
use crate::event::SocketId;
use crate::exchange::Moment;

/// The row of a call that has none.
const NOWHERE: u32 = u32::MAX;

impl Owner {
    /// A call was written by a process that never served. It is decided at once.
    pub(super) fn outsider_calls(
        &mut self,
        id: ExchangeId,
        at: Moment,
        socket: SocketId,
        features: &Features,
        desk: &mut Desk<'_>,
    ) -> u32 {
        let asked = mix(features.callee, features.route);
        let label = mix(asked, u64::from(true));
        // Whether this thread will be one of those that serve is not known yet.
        let label_else = mix(asked, u64::from(false));
        self.model.learn_background(label_else, 1.0, true);
        self.model.saw(label, self.scene.moment(at.time));
        let message = Message::Call {
            id: id.0,
            asked,
            callee: features.callee,
            socket,
            first: features.first_on_socket,
            handed_on: false,
        };
        self.queue(message, at, desk.config);
        self.scene.called_in_passing(features.callee);
        self.scene.calls(at, NOWHERE, id);
        self.scene.calls_freely(at.task);
        desk.counters.decisions += 1;
        desk.decisions.push_back(Decision {
            call: id,
            candidates: SmallVec::new(),
        });
        route::learn(&mut self.scene, label, &[Odds::NOBODY]);
        self.learn_uncaused(label, at.time, 1.0, true);
        NOWHERE
    }
}
