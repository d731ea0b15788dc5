//! The event format that the kernel side writes and user space reads.
#![no_std]
