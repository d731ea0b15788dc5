//! `sched_process_fork`, `sched_process_exec` and `sched_process_exit`: which
//! processes there are, and what they run.
//!
//! ```c
//! TP_PROTO(struct task_struct *parent, struct task_struct *child)
//! TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
//! TP_PROTO(struct task_struct *p)            /* with `bool group_dead` since 6.16 */
//! ```
//!
//! `include/trace/events/sched.h`, Linux 2.6.31 and (exec) 3.4. Threads pass here,
//! too, and are of no interest.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use wirespan_ebpf::loss;
use wirespan_ebpf::process::KEPT_AT_EXEC;
use wirespan_ebpf::record::{
    ARGUMENTS_MAX, EXECUTED, EXITED, Executed, FORKED, Lifecycle, PATH_MAX,
};

use crate::fields::{Structure, config, load};
use crate::maps::PROCESSES;
use crate::ring;

#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn sched_process_fork(context: BtfTracePointContext) -> i32 {
    let Some(parent) = Structure::new(context.arg(0)) else {
        return 0;
    };
    let Some(child) = Structure::new(context.arg(1)) else {
        return 0;
    };
    let (parent_pid, pid) = (load!(parent, tgid: u32), load!(child, tgid: u32));
    if pid == parent_pid {
        return 0;
    }
    if config!(processes_listed) != 0 {
        let inherited = unsafe { PROCESSES.get(&parent_pid) }.copied().unwrap_or(0);
        if inherited != 0 {
            list(pid, inherited);
        }
    }
    tell(FORKED, pid, parent_pid, load!(child, start_boottime: u64));
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn sched_process_exit(context: BtfTracePointContext) -> i32 {
    let Some(task) = Structure::new(context.arg(0)) else {
        return 0;
    };
    let Some(signal) = Structure::new(load!(task, signal: *const _)) else {
        return 0;
    };
    if load!(signal, live: u32) != 0 {
        return 0;
    }
    let pid = load!(task, tgid: u32);
    if config!(processes_listed) != 0 {
        // Not listed is as good as removed.
        let _ = PROCESSES.remove(&pid);
    }
    tell(EXITED, pid, parent(task), load!(task, start_boottime: u64));
    0
}

#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn sched_process_exec(context: BtfTracePointContext) -> i32 {
    let Some(task) = Structure::new(context.arg(0)) else {
        return 0;
    };
    let Some(program) = Structure::new(context.arg(2)) else {
        return 0;
    };
    let pid = load!(task, tgid: u32);
    if config!(processes_listed) != 0 {
        let entry = unsafe { PROCESSES.get(&pid) }.copied().unwrap_or(0);
        if entry & !KEPT_AT_EXEC != 0 {
            list(pid, entry & KEPT_AT_EXEC);
        }
    }
    let Some(record) = ring::reserve::<Executed>(0) else {
        return 0;
    };
    let time = ring::time();
    let start_time = load!(task, start_boottime: u64);
    let parent_pid = parent(task);
    let path_length = path(record, program);
    let arguments_length = arguments(record, task);
    unsafe {
        (&raw mut (*record).kind).write(EXECUTED);
        (&raw mut (*record).reserved).write([0; 3]);
        (&raw mut (*record).pid).write(pid);
        (&raw mut (*record).time).write(time);
        (&raw mut (*record).start_time).write(start_time);
        (&raw mut (*record).parent_pid).write(parent_pid);
        (&raw mut (*record).path_length).write(path_length);
        (&raw mut (*record).arguments_length).write(arguments_length);
    }
    ring::submit_quietly(record);
    0
}

#[inline(always)]
fn tell(kind: u8, pid: u32, parent_pid: u32, start_time: u64) {
    if let Some(record) = ring::reserve::<Lifecycle>(0) {
        let time = ring::time();
        let event = Lifecycle {
            kind,
            reserved: [0; 3],
            pid,
            time,
            start_time,
            parent_pid,
            reserved_end: 0,
        };
        unsafe { record.write(event) };
        ring::submit_quietly(record);
    }
}

#[inline(always)]
fn list(pid: u32, entry: u8) {
    if PROCESSES.insert(&pid, &entry, 0).is_err() {
        ring::count(loss::MAP_FULL, 1);
    }
}

#[inline(always)]
fn parent(task: Structure) -> u32 {
    match Structure::new(load!(task, real_parent: *const _)) {
        Some(parent) => load!(parent, tgid: u32),
        None => 0,
    }
}

/// Copies the path that was given to `execve`; says how long it is.
#[inline(always)]
fn path(record: *mut Executed, program: Structure) -> u16 {
    let target = unsafe { &raw mut (*record).path }.cast();
    let source = load!(program, filename: *const _);
    let result = unsafe { bpf_probe_read_kernel_str(target, PATH_MAX as u32, source) };
    if result > 0 { (result - 1) as u16 } else { 0 }
}

/// Copies the arguments; says how many bytes they take. The kernel has just
/// written them, so they are in memory.
#[inline(always)]
fn arguments(record: *mut Executed, task: Structure) -> u16 {
    let Some(memory) = Structure::new(load!(task, mm: *const _)) else {
        return 0;
    };
    let (start, end) = (load!(memory, arg_start: u64), load!(memory, arg_end: u64));
    let length = end.wrapping_sub(start).min(ARGUMENTS_MAX as u64) as u32;
    let target = unsafe { &raw mut (*record).arguments }.cast();
    let result = unsafe { bpf_probe_read_user(target, length, start as *const _) };
    if result == 0 { length as u16 } else { 0 }
}
