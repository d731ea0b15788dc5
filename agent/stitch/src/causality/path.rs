//! What a request did, as a path through states: the input of the model.
//!
//! A state is the route and the calls started so far, in any order. From a
//! state one thing happens next: a call starts, or the response is written;
//! after the response, a call starts or nothing more happens. The gap is
//! measured twice: from the last thing that the request's handler did, and from
//! the last thing that happened to it, answers included. Which of the two tells
//! more (calls in parallel or in sequence) is for the model to learn.

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
    /// The state without the route, to fall back on.
    pub(super) coarse: u64,
    /// When its handler last did something: read it, called, answered.
    pub(super) acted: Timestamp,
    /// When something last happened to it, answers to its calls included.
    pub(super) happened: Timestamp,
    /// Whether it made calls.
    pub(super) called: bool,
    /// Whether a call of it is not answered yet.
    pub(super) waiting: bool,
    /// Whether the response was written.
    pub(super) responded: bool,
}

impl Position {
    /// When the request became ready for what comes next.
    pub(super) fn ready(&self) -> Timestamp {
        if self.waiting {
            self.acted
        } else {
            self.happened
        }
    }
}

/// One move along a path: what happened, when, from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// From where.
    pub(super) from: Position,
    /// What happened.
    pub(super) next: Next,
    /// When.
    pub(super) time: Timestamp,
    /// Whether it is a call of a kind that the request made before.
    pub(super) repeats: bool,
}

impl Move {
    /// ns since the handler last did something.
    pub(super) fn since_act(&self) -> u64 {
        self.time.0.saturating_sub(self.from.acted.0)
    }

    /// ns since something last happened.
    pub(super) fn since_event(&self) -> u64 {
        self.time.0.saturating_sub(self.from.happened.0)
    }
}

/// Walks the path of a request with these calls (in the order of their
/// starts), telling each move, and gives the position at its end.
pub(super) fn walk(frame: Frame, steps: &[Step], mut tell: impl FnMut(Move)) -> Position {
    let steps = &steps[steps.len().saturating_sub(MAX_STEPS)..];
    let mut position = Position {
        state: mix(frame.route, 1),
        coarse: 1,
        acted: frame.started,
        happened: frame.started,
        called: false,
        waiting: false,
        responded: false,
    };
    for (index, step) in steps.iter().enumerate() {
        let before = &steps[..index];
        if let Some(time) = frame
            .responded
            .filter(|t| *t < step.started && !position.responded)
        {
            position = pass(position, before, Next::Respond, time, 0, &mut tell);
        }
        let repeat = before.iter().filter(|s| s.label == step.label).count() as u64;
        position = pass(
            position,
            before,
            Next::Start(step.label),
            step.started,
            repeat,
            &mut tell,
        );
    }
    if let Some(time) = frame.responded {
        if !position.responded {
            position = pass(position, steps, Next::Respond, time, 0, &mut tell);
        }
        tell(Move {
            from: position,
            next: Next::Nothing,
            time,
            repeats: false,
        });
    }
    settle(position, steps, None)
}

/// Where a request with these calls (in the order of their starts) stands at
/// `now`; later ones are left out.
pub(super) fn position(frame: Frame, steps: &[Step], now: Timestamp) -> Position {
    let count = steps.partition_point(|step| step.started < now);
    let steps = &steps[..count];
    let frame = Frame {
        responded: frame.responded.filter(|at| *at < now),
        ..frame
    };
    let steps = &steps[steps.len().saturating_sub(MAX_STEPS)..];
    settle(walk(frame, steps, |_| ()), steps, Some(now))
}

/// One move: tells it and gives the position after it.
fn pass(
    from: Position,
    before: &[Step],
    next: Next,
    time: Timestamp,
    repeat: u64,
    tell: &mut impl FnMut(Move),
) -> Position {
    let from = settle(from, before, Some(time));
    let repeats = repeat > 0;
    tell(Move {
        from,
        next,
        time,
        repeats,
    });
    let (salt, what) = match next {
        Next::Start(label) => (3, label),
        Next::Respond => (5, 0),
        Next::Nothing => (6, 0),
    };
    let step = if repeat < MAX_REPEAT {
        mix(mix(what, salt), repeat)
    } else {
        0
    };
    Position {
        state: from.state.wrapping_add(step),
        coarse: from.coarse.wrapping_add(step),
        acted: time,
        happened: time,
        called: from.called || matches!(next, Next::Start(_)),
        waiting: from.waiting,
        responded: from.responded || next == Next::Respond,
    }
}

/// The position at `now` (the end of the path if `None`), as far as the answers
/// to the calls made before go.
fn settle(mut position: Position, before: &[Step], now: Option<Timestamp>) -> Position {
    position.waiting = false;
    for step in before {
        match step.ended {
            Some(ended) if now.is_none_or(|now| ended <= now) => {
                position.happened = position.happened.max(ended);
            }
            _ => position.waiting = true,
        }
    }
    position
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
    fn gaps_run_from_acts_and_from_answers() {
        let moves = moves(&[step(1, 110, 150), step(2, 155, 170)], 180);
        let told: Vec<_> = moves
            .iter()
            .map(|m| (m.next, m.since_act(), m.since_event()))
            .collect();
        let expected = [
            (Next::Start(1), 10, 10),
            (Next::Start(2), 45, 5),
            (Next::Respond, 25, 10),
            (Next::Nothing, 0, 0),
        ];
        assert_eq!(told, expected);
        assert!(!moves[2].from.waiting);
    }

    #[test]
    fn the_order_of_parallel_calls_does_not_matter_to_the_state() {
        let one = moves(&[step(1, 110, 150), step(2, 111, 140)], 180);
        let other = moves(&[step(2, 110, 150), step(1, 111, 140)], 180);
        assert_eq!(one[2].from.state, other[2].from.state);
        assert_ne!(one[1].from.state, other[1].from.state);
        assert!(one[1].from.waiting);
    }

    #[test]
    fn calls_after_the_response_come_after_it() {
        let moves = moves(&[step(1, 110, 150), step(2, 190, 200)], 180);
        let told: Vec<_> = moves.iter().map(|m| m.next).collect();
        let expected = [Next::Start(1), Next::Respond, Next::Start(2), Next::Nothing];
        assert_eq!(told, expected);
    }

    #[test]
    fn repeated_calls_make_different_states_up_to_a_limit() {
        let steps: Vec<_> = (0..8).map(|n| step(1, 110 + n, 110 + n)).collect();
        let states: Vec<_> = moves(&steps, 180).iter().map(|m| m.from.state).collect();
        assert_ne!(states[0], states[1]);
        assert_ne!(states[3], states[4]);
        assert_eq!(states[5], states[6]);
    }
}
