//! Python's h11, in an environment of its own: a peer in the differential tests.

use std::path::Path;

use anyhow::Result;
use wirespan_tests::place;

use super::{debian, say};
use crate::run::{self, command};

const H11: &str = "h11==0.16.0";

/// Installs it below `target/tools`.
pub(super) fn install() -> Result<()> {
    let home = place::tools().join("h11");
    if imports(&home) {
        say("h11", "present");
        return Ok(());
    }
    say("h11", &format!("installing {H11} with pip"));
    if run::read(&mut command("python3", &["-c", "import venv, ensurepip"])).is_err() {
        debian::packages_of_debian(&["python3-venv"])?;
    }
    run::show(command("python3", &["-m", "venv"]).arg(&home))?;
    let pip = home.join("bin/pip").display().to_string();
    run::show(&mut command(&pip, &["install", "--quiet", H11]))
}

fn imports(home: &Path) -> bool {
    let python = home.join("bin/python").display().to_string();
    run::read(&mut command(&python, &["-c", "import h11"])).is_ok()
}
