//! Which sockets and processes are traced at all.

use wirespan_ebpf::config::{PORT_EXCLUDED, PORT_INCLUDED, PORTS_ALL, PORTS_ONLY};
use wirespan_ebpf::process::{EXCLUDED_TREE, EXECUTABLE_ADMITTED, EXECUTABLE_KNOWN, IN_TREE};
use wirespan_ebpf::switch;

use crate::fields::{Structure, config, load};
use crate::maps::{PORTS, PROCESSES, SWITCHES};

/// What the filters say of a process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// User space has to look at the executable.
    Undecided,
    Denied,
}

/// Whether user space has everything in place.
#[inline(always)]
pub(crate) fn active() -> bool {
    SWITCHES
        .get_ptr(switch::ACTIVE)
        .is_some_and(|active| unsafe { active.read_volatile() } != 0)
}

/// What they say of the process with this id.
#[inline(always)]
pub(crate) fn process(pid: u32) -> Admission {
    if pid == config!(own_pid) {
        return Admission::Denied;
    }
    if config!(processes_listed) == 0 {
        return Admission::Admitted;
    }
    let entry = unsafe { PROCESSES.get(&pid) }.copied().unwrap_or(0);
    if entry & EXCLUDED_TREE != 0 || (config!(require_tree) != 0 && entry & IN_TREE == 0) {
        return Admission::Denied;
    }
    if config!(require_executable) == 0 || entry & EXECUTABLE_ADMITTED != 0 {
        return Admission::Admitted;
    }
    if entry & EXECUTABLE_KNOWN != 0 {
        Admission::Denied
    } else {
        Admission::Undecided
    }
}

/// Whether the ports of a `struct sock` are traced: either of them is enough to
/// include or to exclude.
#[inline(always)]
pub(crate) fn ports(sk: Structure) -> bool {
    let rule = config!(ports);
    if rule == PORTS_ALL {
        return true;
    }
    let marks = port(load!(sk, local_port: u16)) | port(u16::from_be(load!(sk, peer_port: u16)));
    marks & PORT_EXCLUDED == 0 && (rule != PORTS_ONLY || marks & PORT_INCLUDED != 0)
}

#[inline(always)]
fn port(number: u16) -> u8 {
    unsafe { PORTS.get(&number) }.copied().unwrap_or(0)
}
