//! Ways to change a choice: one call moved, two swapped, all from some moment on.

use smallvec::{SmallVec, smallvec};

use super::Solver;

/// Requests tried for the call that an orphan displaces.
const MAX_ADOPTIONS: usize = 8;

/// Calls and the requests they are to be given to.
pub(in crate::causality) type Change = SmallVec<[(u32, Option<u32>); 8]>;

impl Solver<'_> {
    /// Changes that give `call` to `to`.
    pub(super) fn ways(&self, call: u32, to: Option<u32>) -> SmallVec<[Change; 4]> {
        let mut ways: SmallVec<[Change; 4]> = SmallVec::new();
        let Some(row) = self.scene.calls.get(call) else {
            return ways;
        };
        let partner = to.and_then(|target| self.partner(call, target));
        if partner.is_none() || self.model.may_repeat(row.label) {
            ways.push(smallvec![(call, to)]);
        }
        match (row.parent, to, partner) {
            (Some(source), Some(target), _) => {
                self.exchanges(call, source, target, partner, &mut ways);
            }
            (None, Some(target), Some(partner)) => {
                self.adoptions(call, target, partner, &mut ways);
            }
            _ => {}
        }
        ways
    }

    /// `source` and `target` swap `call` for `partner`, all from there on, or
    /// all they have.
    fn exchanges(
        &self,
        call: u32,
        source: u32,
        target: u32,
        partner: Option<u32>,
        ways: &mut SmallVec<[Change; 4]>,
    ) {
        let (from, to) = (Some(source), Some(target));
        let mut swap = |own: u32, other: u32| {
            let mut change = self.tail(source, own, to);
            change.extend(self.tail(target, other, from));
            if change.len() > 1 && !ways.contains(&change) {
                ways.push(change);
            }
        };
        let first = |request| self.scene.requests.get(request)?.calls.first().copied();
        if first(source) == Some(call) || self.thorough {
            let own = first(source).unwrap_or(call);
            swap(own, first(target).unwrap_or(own));
        }
        swap(call, call);
        if let Some(partner) = partner.filter(|partner| self.may_swap(call, *partner)) {
            swap(call, partner);
            ways.push(smallvec![(call, to), (partner, from)]);
        }
    }

    /// Whether each cause was ready when the other one's call was made.
    fn may_swap(&self, one: u32, other: u32) -> bool {
        let rows = (self.scene.calls.get(one), self.scene.calls.get(other));
        matches!(rows, (Some(one), Some(other))
            if one.started.time >= other.ready && other.started.time >= one.ready
                || !self.model.in_sequence(one.label))
    }

    /// `target` takes the orphan `call`, and gives the like that it has to
    /// another request.
    fn adoptions(&self, call: u32, target: u32, partner: u32, ways: &mut SmallVec<[Change; 4]>) {
        ways.push(smallvec![(call, Some(target)), (partner, None)]);
        let links = self.scene.calls.get(partner).map(|row| &row.links);
        let others = links.into_iter().flatten().map(|link| link.request);
        for other in others.filter(|other| *other != target).take(MAX_ADOPTIONS) {
            let swap = self.partner(partner, other);
            let mut changes = smallvec![smallvec![(partner, Some(other))]];
            self.exchanges(partner, target, other, swap, &mut changes);
            for mut change in changes {
                if change.iter().all(|(moved, _)| *moved != call) {
                    change.push((call, Some(target)));
                    ways.push(change);
                }
            }
        }
    }

    /// The undecided call of the same kind in `request`, closest in time.
    fn partner(&self, call: u32, request: u32) -> Option<u32> {
        let row = self.scene.calls.get(call)?;
        let others = self.scene.requests.get(request)?.calls.iter();
        others
            .filter_map(|slot| Some((*slot, self.scene.calls.get(*slot)?)))
            .filter(|(_, other)| other.label == row.label && !other.decided)
            .min_by_key(|(_, other)| other.started.time.0.abs_diff(row.started.time.0))
            .map(|(slot, _)| slot)
    }

    /// Undecided calls of `request` from `since` on, moved to `to`, as far as
    /// they may go there.
    fn tail(&self, request: u32, since: u32, to: Option<u32>) -> Change {
        let from = self.order(since);
        let calls = self.scene.requests.get(request).map(|r| r.calls.as_slice());
        let tail = calls.unwrap_or_default().iter().rev();
        let mut change: Change = tail
            .take_while(|slot| self.order(**slot) >= from)
            .filter(|slot| {
                let call = self.scene.calls.get(**slot);
                call.is_some_and(|call| !call.decided && call.weight(to).is_some())
            })
            .map(|slot| (*slot, to))
            .collect();
        change.reverse();
        change
    }
}
