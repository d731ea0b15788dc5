//! What to trace. Within one kind of filter any match is enough; between kinds
//! all must match; what is excluded is never traced.

use std::collections::BTreeSet;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// What to trace; the default is everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These processes, with their children from now on and so far.
    pub pids: BTreeSet<u32>,
    /// Not these processes, nor their children.
    pub exclude_pids: BTreeSet<u32>,
    /// Connections with one of these ports at either end.
    pub ports: BTreeSet<u16>,
    /// No connection with one of these ports at either end.
    pub exclude_ports: BTreeSet<u16>,
    /// Processes that run one of these executables.
    pub executables: Globs,
    /// No process that runs one of these executables.
    pub exclude_executables: Globs,
}

/// Patterns of paths of executables.
#[derive(Clone, Debug, Default)]
pub struct Globs(GlobSet);

/// A pattern that cannot be understood.
#[derive(Debug, Error)]
#[error("not a pattern: {0}")]
pub struct FilterError(#[from] globset::Error);

impl Filter {
    /// Whether the executable at `path` is one to trace.
    pub fn admits(&self, path: &Path) -> bool {
        let included = self.executables.is_empty() || self.executables.matches(path);
        included && !self.exclude_executables.matches(path)
    }

    /// Whether executables are looked at.
    pub fn by_executable(&self) -> bool {
        !self.executables.is_empty() || !self.exclude_executables.is_empty()
    }

    /// Whether processes must be told apart.
    pub(crate) fn by_process(&self) -> bool {
        self.by_executable() || !self.pids.is_empty() || !self.exclude_pids.is_empty()
    }
}

impl Globs {
    /// Patterns with a slash are of whole paths, others of file names.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let whole = if pattern.contains('/') {
                pattern.to_owned()
            } else {
                format!("**/{pattern}")
            };
            set.add(GlobBuilder::new(&whole).literal_separator(true).build()?);
        }
        Ok(Self(set.build()?))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is of the executable at `path`.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.0.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let filter = Filter {
            executables: Globs::new(include.iter().copied()).unwrap(),
            exclude_executables: Globs::new(exclude.iter().copied()).unwrap(),
            ..Filter::default()
        };
        filter.admits(Path::new(path))
    }

    #[test]
    fn executables_match_by_name_or_by_path() {
        assert!(admits(&["python*"], &[], "/usr/bin/python3.11"));
        assert!(!admits(&["python*"], &[], "/opt/python/bin/node"));
        assert!(admits(&["/opt/**"], &[], "/opt/python/bin/node"));
        assert!(!admits(&["/opt/*"], &[], "/opt/python/bin/node"));
        assert!(admits(&[], &["node"], "/usr/bin/nginx"));
        assert!(!admits(&["n*"], &["node"], "/usr/bin/node"));
    }

    #[test]
    fn a_bad_pattern_is_an_error() {
        assert!(Globs::new(["a[", "b"]).is_err());
    }
}
