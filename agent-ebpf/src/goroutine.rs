//! Which goroutine makes the system call; see [`wirespan_ebpf::coroutine`].

use wirespan_ebpf::coroutine;

use crate::caller;
use crate::fields::{Structure, load};
use crate::maps::COROUTINES;

/// A runtime's task; all zero: none, or not known.
#[derive(Clone, Copy)]
pub(crate) struct Goroutine {
    pub(crate) id: u64,
    pub(crate) parent: u64,
}

const NONE: Goroutine = Goroutine { id: 0, parent: 0 };

/// That of the thread `task`, which is the running one, of process `pid`.
#[inline(always)]
pub(crate) fn current(task: Structure, pid: u32) -> Goroutine {
    let Some(slot) = COROUTINES.get_ptr(coroutine::index(pid)) else {
        return NONE;
    };
    if unsafe { (&raw const (*slot).pid).read_volatile() } != pid {
        return NONE;
    }
    let (id, parent) = unsafe {
        (
            (&raw const (*slot).id).read_volatile(),
            (&raw const (*slot).parent).read_volatile(),
        )
    };
    read(task, id, parent).unwrap_or(NONE)
}

/// A function of its own: most processes have no goroutines.
#[inline(never)]
fn read(task: Structure, id: u32, parent: u32) -> Option<Goroutine> {
    let registers = caller::registers(task)?;
    let g = load!(registers, goroutine: u64);
    let stack_pointer = load!(registers, stack_pointer: u64);
    // `type stack struct { lo, hi uintptr }`, of which `g` begins with one.
    let [low, high] = caller::read::<[u64; 2]>(g)?;
    if stack_pointer < low || stack_pointer > high {
        return None;
    }
    let id = caller::read(g.wrapping_add(u64::from(id)))?;
    let parent = if parent == 0 {
        0
    } else {
        caller::read(g.wrapping_add(u64::from(parent)))?
    };
    Some(Goroutine { id, parent })
}
