//! The kernel side, seen from user space: finds out what this kernel allows,
//! loads and attaches the programs, and reads what they tell.
//!
//! In: what to trace ([`Config`]) and the engine's verdicts. Out: records as
//! [`Decoded`](wirespan_stitch::event::decode::Decoded) events, in the order in
//! which the kernel reserved them. What a process is called, and putting calls
//! of one connection in order, is left to others.

mod btf;
mod capture;
mod clock;
mod error;
mod executables;
mod filter;
mod go;
mod kernel;
mod load;
mod machine;
mod mapped;
mod names;
mod ring;
mod statistics;

pub use btf::Btf;
pub use capture::{Capture, Drained, Losses};
pub use clock::{clock, now};
pub use error::LoadError;
pub use filter::{Filter, FilterError, Globs};
pub use kernel::{Hook, Kernel};
pub use load::{Config, HOOKS};
pub use names::look_up_names_alone;
pub use statistics::ProgramStatistics;
