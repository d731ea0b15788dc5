//! What the agent learnt, kept between runs: [`file`] is the format on disk,
//! [`Keeper`] writes it now and then while tracing.
//!
//! Nothing here may stop tracing: what cannot be read is learnt anew, what
//! cannot be written is lost, and both are said.

pub mod file;
mod keeper;

use std::path::{Path, PathBuf};

use wirespan_stitch::engine::Engine;

pub use keeper::Keeper;

/// Where the state of a daemon belongs that systemd did not give a place
/// (FHS 3.0 section 5.8).
const DEFAULT: &str = "/var/lib/wirespan";

/// The directory to keep state in: the one asked for; else systemd's
/// (`StateDirectory=`, `systemd.exec(5)`); else, for root, `/var/lib/wirespan`.
/// `None`: state is not kept.
pub fn directory(wanted: Option<&Path>) -> Option<PathBuf> {
    let systemd = std::env::var_os("STATE_DIRECTORY");
    wanted.map(Path::to_owned).or_else(|| {
        choose(
            systemd.as_deref().and_then(std::ffi::OsStr::to_str),
            is_root(),
        )
    })
}

fn choose(systemd: Option<&str>, root: bool) -> Option<PathBuf> {
    // systemd separates several by colons.
    let given = systemd.and_then(|list| list.split(':').next());
    match given.filter(|path| !path.is_empty()) {
        Some(path) => Some(path.into()),
        None => root.then(|| DEFAULT.into()),
    }
}

/// Whether the effective user is root (`proc_pid_status(5)`).
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let ids = lines.find_map(|line| line.strip_prefix("Uid:"));
    ids.is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
}

/// Hands what an earlier run learnt to the engine. What cannot be used is said
/// and left out. Gives the self-audits of that run, for [`Keeper`].
pub fn recall(directory: &Path, engine: &mut Engine) -> Vec<file::Audited> {
    let path = directory.join(file::NAME);
    let learnt = match file::read(&path) {
        Ok(learnt) => learnt,
        Err(error) if error.is_absent() => return Vec::new(),
        Err(error) => {
            log::warn!("{}: {error}; learning anew", path.display());
            return Vec::new();
        }
    };
    for learnt in &learnt {
        if let Err(error) = engine.remember(learnt) {
            let service = &learnt.kind.service;
            log::warn!("{}: {service}: {error}; learning it anew", path.display());
        }
    }
    file::audited(&learnt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_goes_where_a_daemon_keeps_it() {
        assert_eq!(choose(Some("/run/s:/other"), false), Some("/run/s".into()));
        assert_eq!(choose(None, true), Some("/var/lib/wirespan".into()));
        assert_eq!(choose(Some(""), false), None);
        assert_eq!(directory(Some(Path::new("here"))), Some("here".into()));
    }
}
