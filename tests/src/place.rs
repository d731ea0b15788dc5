//! Where things are in the workspace.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's root.
///
/// # Panics
/// Never: this package lies in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The agent: `$WIRESPAN`, else the release build.
pub fn wirespan() -> PathBuf {
    env::var_os("WIRESPAN").map_or_else(|| target().join("release/wirespan"), PathBuf::from)
}

/// The agent for another processor; `profile` is `release` or `debug`.
pub fn cross_wirespan(triple: &str, profile: &str) -> PathBuf {
    let directory = target().join("cross").join(triple);
    directory.join(profile).join("wirespan")
}

/// What `cargo xtask setup` built.
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// The test servers' sources.
pub fn servers() -> PathBuf {
    root().join("tests/servers")
}
