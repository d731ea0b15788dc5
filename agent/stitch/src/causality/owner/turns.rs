//! Turns of event loops: when one is over, and what that tells.

use std::time::Duration;

use super::{Desk, Owner};
use crate::causality::act::ExchangeId;
use crate::causality::batch::{Cue, Turn, Write, Written};
use crate::causality::call::{Anchor, Call, Connection};
use crate::causality::event_loop;
use crate::causality::scene::Read;
use crate::causality::turn::{self, Claim};
use crate::event::Task;
use crate::exchange::Moment;
use crate::span::Method;
use crate::time::Timestamp;

/// A turn is over at the latest this long after its first write.
pub(super) const LONGEST: Duration = Duration::from_millis(20);
/// Turns that may be waiting for their end.
const MAX_TURNS: usize = 1024;
/// A chance from which what a call follows tells its cause for the time being.
const LIKELY: f32 = 0.5;

impl Owner {
    /// A message was written.
    pub(super) fn wrote(&mut self, at: Moment, what: Written) {
        if !self.scene.wrote(at, what) {
            return;
        }
        if self.turns.len() < MAX_TURNS {
            self.turns.push_back((at.time, at.task));
        } else {
            self.scene.limits.turns_untimed += 1;
        }
    }

    /// Ends turns that have gone on for long.
    pub(super) fn end_turns(&mut self, now: Timestamp, desk: &mut Desk<'_>) {
        let over = |(began, _): &mut (Timestamp, Task)| *began + LONGEST <= now;
        while let Some((began, task)) = self.turns.pop_front_if(over) {
            if self.scene.turn_began(task) == Some(began) {
                self.end_turn(task, desk);
            }
        }
    }

    /// The turn of this thread is over, if it was in one: what it wrote is
    /// looked at as a whole.
    pub(super) fn end_turn(&mut self, task: Task, desk: &mut Desk<'_>) {
        let Some(turn) = self.scene.end_turn(task) else {
            return;
        };
        let claims = if desk.config.uses(Method::EventLoop) {
            turn::settle(&mut self.scene, &turn)
        } else {
            Vec::new()
        };
        for write in &turn.writes {
            let claim = claims.iter().find(|claim| claim.write == write.what);
            match write.what {
                Written::Call(slot, id) => self.settle_call(slot, id, claim, desk),
                Written::Response(slot, id) => {
                    let known = self
                        .scene
                        .requests
                        .get(slot)
                        .is_some_and(|row| row.id == id);
                    if known && desk.config.uses(Method::EventLoop) {
                        if let Some((call, anchor)) = self.find_anchor(slot, &turn, *write, claim) {
                            self.anchor(slot, call, anchor);
                        }
                        self.decide_sure(slot, desk);
                        self.learn_if_settled(slot);
                    }
                }
            }
        }
    }

    /// What a call of the turn follows is what was claimed, if that is likelier
    /// than what it seemed to be.
    fn settle_call(
        &mut self,
        slot: u32,
        id: ExchangeId,
        claim: Option<&Claim>,
        desk: &mut Desk<'_>,
    ) {
        if self.scene.calls.get(slot).is_none_or(|row| row.id != id) {
            return;
        }
        let by_read = |row: &Call| {
            !matches!(row.after, Some((Read::Answered(..), _)) | None)
                && row.connection != Connection::New
        };
        if claim.is_none() && self.scene.calls.get(slot).is_some_and(by_read) {
            event_loop::forsake(&mut self.scene, slot);
        }
        if let Some(claim) = claim
            && event_loop::follow(&mut self.scene, slot, claim.read, claim.manner)
            && self.scene.adjacency.chance(claim.manner) > LIKELY
        {
            let cause = match claim.read {
                Read::Request(request, _) | Read::Answered(request, _) => Some(request),
                Read::Answer(other, _) => self.scene.calls.get(other).and_then(|call| call.parent),
            };
            let possible = |row: &Call| row.links.iter().any(|link| Some(link.request) == cause);
            if self.scene.calls.get(slot).is_some_and(possible) {
                self.solver(desk.config).assign(slot, cause);
            }
        }
        if let Some((_, manner)) = self.scene.calls.get(slot).and_then(|call| call.after) {
            self.scene.adjacency.wrote(manner);
        }
    }

    /// The answer that a response of the turn follows: that which was claimed, or
    /// the last.
    fn find_anchor(
        &self,
        slot: u32,
        turn: &Turn,
        write: Write,
        claim: Option<&Claim>,
    ) -> Option<(u32, Anchor)> {
        let claimed = claim.and_then(|claim| {
            let Read::Answer(call, _) = self.scene.present(claim.read)? else {
                return None;
            };
            let anchor = Anchor {
                request: self.scene.requests.get(slot)?.id,
                manner: claim.manner,
                presumed: claim.presumed,
            };
            Some((call, anchor))
        });
        let last = turn.reads.last().and_then(|(what, at)| {
            let cue = Cue {
                what: *what,
                at: *at,
                place: write.place,
            };
            event_loop::anchor(&self.scene, slot, cue, write.at)
        });
        let chance = |way: &(u32, Anchor)| self.scene.adjacency.chance(way.1.manner);
        let ways = claimed.into_iter().chain(last);
        ways.max_by(|a, b| chance(a).total_cmp(&chance(b)))
    }

    /// A response to `slot` follows a call's answer.
    pub(super) fn anchor(&mut self, slot: u32, call: u32, anchor: Anchor) {
        let weight = anchor.weight(&self.scene.adjacency, self.scene.open + 1);
        self.add_weight(call, slot, Method::EventLoop, weight);
        event_loop::learn(&mut self.scene, call, anchor);
    }
}
