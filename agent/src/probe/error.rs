//! Why the kernel side could not be loaded, told apart so that `doctor` and a
//! failed `run` can say what to do.

use std::io;

use thiserror::Error;

/// Why tracing cannot start.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The kernel lets only the privileged load programs.
    #[error(
        "not allowed to load BPF programs: run as root, or with CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)"
    )]
    NotPrivileged,
    /// The kernel does not describe its own types.
    #[error(
        "{path} cannot be read ({source}): the kernel must be built with CONFIG_DEBUG_INFO_BTF"
    )]
    NoBtf {
        /// Where it should be.
        path: &'static str,
        /// What reading it said.
        source: io::Error,
    },
    /// The kernel's description of its types does not hold together.
    #[error("the kernel's BTF cannot be understood: {0}")]
    MalformedBtf(&'static str),
    /// A hook that this kernel lacks.
    #[error("this kernel has no tracepoint {name}: it needs Linux {since} or later")]
    NoHook {
        /// Name of the tracepoint.
        name: &'static str,
        /// First version of the kernel that has it.
        since: &'static str,
    },
    /// A field that this kernel lacks.
    #[error("this kernel has no field {structure}.{member}")]
    MissingField {
        /// Its structure.
        structure: &'static str,
        /// Its name.
        member: &'static str,
    },
    /// A processor whose registers are not known.
    #[error("processor {0} is not supported: x86_64 and aarch64 are")]
    UnknownMachine(&'static str),
    /// A filter names a process that does not run.
    #[error("there is no process {0}")]
    NoSuchProcess(u32),
    /// The verifier does not accept a program.
    #[error("the kernel's verifier refused {program}:\n{log}")]
    Verifier {
        /// Name of the program.
        program: &'static str,
        /// The end of what it said.
        log: String,
    },
    /// The kernel does not accept a program for another reason.
    #[error("the kernel refused {program}: {reason}")]
    Refused {
        /// Name of the program.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// Maps could not be made, or the object file does not hold together.
    #[error("the kernel side could not be set up: {0}")]
    Setup(String),
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
