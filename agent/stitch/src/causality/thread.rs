//! Evidence: blocking threads. A thread that works on one request at a time
//! makes that request's calls; the thread that writes the response made the
//! calls before it. Worth nothing where threads serve many at once: how often
//! they were seen to is in [`Habits`](super::scene::Habits).

use super::said::{Beginning, EXACT, Said};
use super::scene::{Habits, Scene};
use crate::exchange::Moment;
use crate::span::Method;

/// The most that is said of calls by threads that never serve.
const ALOOF: f32 = 3.0;

/// At the call: the request that this thread read last, answered or not, unless
/// it has several open.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    let task = call.at.task;
    if task.tid != 0 && !scene.serves(task) {
        // Where threads make the calls of what they serve, those of others are
        // background work, or that of a queue.
        let weight = aloof(scene.habits);
        if weight > 0.0 {
            said.causes.push((None, Method::Thread, weight));
        }
        return;
    }
    let Some(thread) = scene.threads.get(&task.tid).filter(|t| t.open <= 1) else {
        return;
    };
    let served = thread.serves.and_then(|(slot, id)| {
        let request = scene.requests.get(slot)?;
        (request.id == id).then_some((slot, request.open()))
    });
    let Some((slot, open)) = served else { return };
    // After the response only a thread that blocks is still at it.
    let mut weight = one_at_a_time(scene.habits);
    if !open {
        weight = weight.min(blocking(scene.habits));
    }
    said.causes.push((Some(slot), Method::Thread, weight));
    // A thread that does not wait for answers may do something else in between; so
    // may one of those that were seen to call for no request.
    let mut other = weight - blocking(scene.habits);
    if scene.habits.free > 0 {
        other = weight;
    }
    if open && other > 0.0 {
        said.causes.push((None, Method::Thread, other));
    }
}

/// At the response: the calls that its writer made since it last answered.
pub(super) fn at_response(scene: &Scene, slot: u32, at: Moment, said: &mut Vec<(u32, f32)>) {
    let Some(request) = scene.requests.get(slot) else {
        return;
    };
    let Some(thread) = scene.threads.get(&at.task.tid).filter(|_| at.task.tid != 0) else {
        return;
    };
    // A thread that only works on what others read shows by its calls alone
    // that it does one thing at a time.
    let mut weight = blocking(scene.habits);
    if thread.reads_requests {
        weight = weight.min(one_at_a_time(scene.habits));
    }
    let since = thread.responded.max(Some(request.started.time));
    for (call_slot, id) in &thread.calls {
        let Some(call) = scene.calls.get(*call_slot).filter(|call| call.id == *id) else {
            continue;
        };
        if !call.decided && Some(call.started.time) >= since {
            said.push((*call_slot, weight));
        }
    }
}

/// Weight of "a thread has one request open at a time".
fn one_at_a_time(habits: Habits) -> f32 {
    odds(habits.served - habits.overlapped, habits.overlapped)
}

/// Weight of "a thread waits for the answer to its call".
fn blocking(habits: Habits) -> f32 {
    odds(habits.blocked, habits.unblocked)
}

/// Weight of "who never serves makes no calls for those who do".
fn aloof(habits: Habits) -> f32 {
    let share = ((habits.own + 1.0) / (habits.foreign + 1.0)).ln();
    share.min(blocking(habits)).clamp(0.0, ALOOF)
}

fn odds(yes: f32, no: f32) -> f32 {
    ((yes + 1.0) / (no + 0.02)).ln().clamp(0.0, EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causality::act::Features;
    use crate::event::{SocketId, Task};
    use crate::exchange::Moment;

    /// What is said of a call by a thread that never serves.
    fn said(habits: Habits) -> Vec<(Option<u32>, Method, f32)> {
        let mut scene = Scene::default();
        scene.habits = habits;
        let task = Task {
            pid: 1,
            tid: 99,
            ..Task::default()
        };
        let call = Beginning {
            at: Moment {
                task,
                ..Moment::default()
            },
            socket: SocketId(1),
            features: &Features::default(),
        };
        let mut said = Said::default();
        at_call(&scene, call, &mut said);
        said.causes
    }

    #[test]
    fn who_never_serves_makes_no_calls_for_threads_that_do() {
        let busy = Habits {
            served: 50.0,
            blocked: 100.0,
            own: 100.0,
            foreign: 5.0,
            ..Habits::default()
        };
        let [(None, Method::Thread, weight)] = said(busy)[..] else {
            panic!("nothing was said");
        };
        assert!(weight > 2.0, "{weight}");
        let handed_over = Habits {
            own: 5.0,
            foreign: 100.0,
            ..busy
        };
        assert!(said(handed_over).is_empty());
        let loops = Habits {
            unblocked: 100.0,
            ..busy
        };
        assert!(said(loops).iter().all(|(.., weight)| *weight < 0.1));
        assert!(
            said(Habits::default()).is_empty(),
            "no thread served so far"
        );
    }
}
