//! Bounded memory: every allocation counts, and one too many ends the process.

use std::alloc::System;
use std::panic;
use std::sync::Once;

use cap::Cap;

use crate::Target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs a target within its bound of memory. What exceeds it fails to be
/// allocated, which aborts.
///
/// # Panics
/// If a promise of the target is broken.
pub fn bounded(target: &Target, input: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            unbounded(); // To tell of a panic takes memory.
            hook(panic);
        }));
    });
    // The limit can only be set above what is in use.
    let limit = ALLOCATOR.allocated() + target.memory;
    ALLOCATOR
        .set_limit(limit)
        .expect("a limit above what is allocated");
    (target.run)(input);
    unbounded();
}

fn unbounded() {
    ALLOCATOR.set_limit(usize::MAX).expect("no limit");
}
