//! What a request did, as a path through states: the input of the model.
//!
//! A state is the route, the calls started and the calls ended so far, in any
//! order. From a state one thing happens next: a call starts, a call ends, the
//! response is written; after the response, a call starts or nothing more
//! happens. The gap is measured from the last thing that happened.

use smallvec::SmallVec;

use crate::time::Timestamp;

/// Calls of a request that its path looks at: the latest.
pub(super) const MAX_STEPS: usize = 32;
/// Repetitions of one call that states tell apart.
const MAX_REPEAT: u64 = 4;

/// What a call looks like to the path of the request that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Callee and route asked.
    pub(super) label: u64,
    /// When it was started.
    pub(super) started: Timestamp,
    /// When its answer was read, if it was.
    pub(super) ended: Option<Timestamp>,
}

/// A request as its path sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The route.
    pub(super) route: u64,
    /// When it was read.
    pub(super) started: Timestamp,
    /// When its response was written, if it was.
    pub(super) responded: Option<Timestamp>,
}

/// What happens next in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Next {
    /// The call with this label starts.
    Start(u64),
    /// The call with this label ends.
    End(u64),
    /// The response is written.
    Respond,
    /// Nothing more after the response.
    Nothing,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The state.
    pub(super) state: u64,
    /// A coarser state to fall back on: the route and what happened last.
    pub(super) coarse: u64,
    /// When the last thing happened.
    pub(super) since: Timestamp,
    /// Whether the response was written.
    pub(super) responded: bool,
}

/// One move along a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// From where.
    pub(super) from: Position,
    /// What happened.
    pub(super) next: Next,
    /// ns since the thing before.
    pub(super) gap: u64,
}

/// Walks the path of a request with these calls (in the order of their
/// starts), telling each move, and gives the position at its end.
pub(super) fn walk(frame: Frame, steps: &[Step], mut tell: impl FnMut(Move)) -> Position {
    let mut position = Position {
        state: mix(frame.route, 1),
        coarse: mix(frame.route, 2),
        since: frame.started,
        responded: false,
    };
    for (time, _, _, next, repeat) in events(frame, steps) {
        if position.responded && matches!(next, Next::End(_)) {
            continue;
        }
        tell(Move {
            from: position,
            next,
            gap: time.0.saturating_sub(position.since.0),
        });
        position = after(frame, position, next, repeat, time);
    }
    if position.responded {
        tell(Move {
            from: position,
            next: Next::Nothing,
            gap: 0,
        });
    }
    position
}

type Happening = (Timestamp, u8, u8, Next, u64);

/// Everything that happens to the request after its start, in order. At the
/// same time ends come before starts, and the response comes last.
fn events(frame: Frame, steps: &[Step]) -> SmallVec<[Happening; 16]> {
    let steps = &steps[steps.len().saturating_sub(MAX_STEPS)..];
    let mut events = SmallVec::<[Happening; 16]>::new();
    for (index, step) in steps.iter().enumerate() {
        let before = &steps[..index];
        let repeat = before.iter().filter(|s| s.label == step.label).count() as u64;
        let repeat = repeat.min(MAX_REPEAT);
        let order = 2 * index as u8;
        events.push((step.started, 1, order, Next::Start(step.label), repeat));
        if let Some(ended) = step.ended {
            let rank = u8::from(ended <= step.started);
            events.push((ended, rank, order + 1, Next::End(step.label), repeat));
        }
    }
    if let Some(responded) = frame.responded {
        events.push((responded, 2, 0, Next::Respond, 0));
    }
    events.sort_unstable_by_key(|&(time, rank, order, ..)| (time, rank, order));
    events
}

fn after(frame: Frame, from: Position, next: Next, repeat: u64, time: Timestamp) -> Position {
    let (salt, what) = match next {
        Next::Start(label) => (3, label),
        Next::End(label) => (4, label),
        Next::Respond => (5, 0),
        Next::Nothing => (6, 0),
    };
    let responded = from.responded || next == Next::Respond;
    let step = mix(what, salt);
    Position {
        state: from.state.wrapping_add(mix(step, repeat)),
        coarse: mix(mix(frame.route, u64::from(responded)), step),
        since: time,
        responded,
    }
}

/// A well-spread hash of two numbers (the finaliser of `SplitMix64`).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(steps: &[Step], responded: u64) -> Vec<Move> {
        let frame = Frame {
            route: 7,
            started: Timestamp(100),
            responded: Some(Timestamp(responded)),
        };
        let mut moves = Vec::new();
        walk(frame, steps, |step| moves.push(step));
        moves
    }

    fn step(label: u64, started: u64, ended: u64) -> Step {
        Step {
            label,
            started: Timestamp(started),
            ended: Some(Timestamp(ended)),
        }
    }

    #[test]
    fn gaps_run_from_the_last_happening() {
        let moves = moves(&[step(1, 110, 150), step(2, 155, 170)], 180);
        let told: Vec<_> = moves.iter().map(|m| (m.next, m.gap)).collect();
        let expected = [
            (Next::Start(1), 10),
            (Next::End(1), 40),
            (Next::Start(2), 5),
            (Next::End(2), 15),
            (Next::Respond, 10),
            (Next::Nothing, 0),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_order_of_parallel_calls_does_not_matter_to_the_state() {
        let one = moves(&[step(1, 110, 150), step(2, 111, 140)], 180);
        let other = moves(&[step(2, 110, 150), step(1, 111, 140)], 180);
        assert_eq!(one[4].from.state, other[4].from.state);
        assert_ne!(one[1].from.state, other[1].from.state);
    }

    #[test]
    fn a_call_without_length_ends_after_its_start() {
        let moves = moves(&[step(1, 110, 110)], 110);
        let told: Vec<_> = moves.iter().map(|m| m.next).collect();
        let expected = [Next::Start(1), Next::End(1), Next::Respond, Next::Nothing];
        assert_eq!(told, expected);
    }

    #[test]
    fn repeated_calls_make_different_states() {
        let moves = moves(&[step(1, 110, 120), step(1, 130, 140)], 180);
        assert_ne!(moves[0].from.state, moves[2].from.state);
        assert_ne!(moves[2].from.state, moves[4].from.state);
    }
}
