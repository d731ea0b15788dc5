//! Evidence: the runtime's own tasks. A goroutine reads a request and answers
//! it; a call written by it, by one it created, or for one that waits for the
//! answer, is that request's.

use super::call::Call;
use super::said::{Beginning, EXACT, Said};
use super::scene::Scene;
use crate::event::Task;
use crate::exchange::Moment;
use crate::span::Method;

/// Weight of "written by a task that the request's task created".
const CHILD: f32 = 6.0;

/// At the call: the task that writes it, and the one that created that.
pub(super) fn at_call(scene: &Scene, call: Beginning<'_>, said: &mut Said) {
    tasks(scene, call.at.task, EXACT, said);
}

/// Once the runtime's memory told who waits for the answer.
pub(super) fn at_caller(scene: &Scene, call: &Call, said: &mut Said) {
    let Some(caller) = call.caller else { return };
    tasks(scene, caller, EXACT, said);
    if caller.coroutine == 0 && caller.tid != 0 {
        let mut served = scene
            .recent()
            .filter(|(_, request)| request.open() && request.served_by(caller));
        if let Some((slot, _)) = served.next() {
            said.causes.push((Some(slot), Method::Coroutine, EXACT));
        }
    }
}

/// At the response: calls made by, or for, the task that writes it.
pub(super) fn at_response(scene: &Scene, slot: u32, at: Moment, said: &mut Vec<(u32, f32)>) {
    let Some(request) = scene.requests.get(slot).filter(|_| at.task.coroutine != 0) else {
        return;
    };
    for suitor in &request.suitors {
        let Some(call) = scene.calls.get(*suitor) else {
            continue;
        };
        let caller = call.caller.unwrap_or(call.started.task);
        if caller.coroutine == at.task.coroutine {
            said.push((*suitor, EXACT));
        }
    }
}

/// Open requests of this task, and of the one that created it.
pub(super) fn tasks(scene: &Scene, task: Task, weight: f32, said: &mut Said) {
    for (id, weight) in [(task.coroutine, weight), (task.coroutine_parent, CHILD)] {
        if id == 0 {
            continue;
        }
        // A goroutine reads one request after the other: the last is its own.
        if let Some(slot) = scene.coroutines.under(&id).last() {
            said.causes.push((Some(*slot), Method::Coroutine, weight));
        }
    }
}
