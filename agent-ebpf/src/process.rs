//! Entries of the table of processes, by process id: a set of the bits below.
//! The table is looked at only where a filter needs it.
//!
//! What a fork inherits is the whole entry; what an `execve` leaves are the two
//! tree bits. Where executables are filtered and the entry does not know its
//! own, the kernel side sends on, marked [`crate::record::UNDECIDED`], and user
//! space decides before it passes anything on: so the first request of a new
//! process is not lost, however soon it comes.

/// The process or an ancestor was asked for.
pub const IN_TREE: u8 = 1;
/// The process or an ancestor was excluded.
pub const EXCLUDED_TREE: u8 = 2;
/// User space has looked at the executable.
pub const EXECUTABLE_KNOWN: u8 = 4;
/// The executable is one to trace.
pub const EXECUTABLE_ADMITTED: u8 = 8;
/// What stays through `execve`.
pub const KEPT_AT_EXEC: u8 = IN_TREE | EXCLUDED_TREE;
/// How many processes the table holds.
pub const CAPACITY: usize = 32_768;
