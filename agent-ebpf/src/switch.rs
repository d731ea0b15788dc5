//! Numbers that user space changes while the programs run: one array of `u64`,
//! which it maps into its memory.

/// Not 0 while user space sleeps, and the next record must wake it.
pub const DOZING: u32 = 0;
/// Not 0 once everything is attached. Before that sockets are not looked at, so
/// that no exchange is seen by some programs and not by others.
pub const ACTIVE: u32 = 1;
/// How many numbers there are.
pub const COUNT: u32 = 2;
