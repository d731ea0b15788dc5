//! A process of ours: started, watched, stopped.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);
/// The same where nobody waits for the result.
const GRACE_IN_DROP: Duration = Duration::from_secs(3);

/// A running process. Dropping it stops it: SIGTERM, then SIGKILL. Should this
/// process die without dropping, the kernel sends the SIGTERM.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts `command`; what it writes goes to the file `log`.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        Self::spawn(name, command, out.try_clone()?.into(), out.into(), log)
    }

    /// Starts `command` with a standard output of its own; what it writes to
    /// standard error goes to the file `log`.
    pub fn start_with_output(
        name: &str,
        command: &Command,
        output: Stdio,
        log: &Path,
    ) -> Result<Self> {
        let error = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        Self::spawn(name, command, output, error.into(), log)
    }

    fn spawn(
        name: &str,
        command: &Command,
        output: Stdio,
        error: Stdio,
        log: &Path,
    ) -> Result<Self> {
        let process = dying_with_us(command)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(error)
            // Ctrl-C is for us, who then stop it in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        Ok(Self {
            name: name.to_owned(),
            process,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote so far to its log.
    pub fn log(&self) -> Result<String> {
        let bytes =
            fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until its log contains `text`. Fails if it ends before, or after `limit`.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<()> {
        let what = format!("{text:?} in the log of {}", self.name);
        wait::until(limit, &what, || {
            let ended = self.process.try_wait()?;
            let log = self.log()?;
            if log.contains(text) {
                return Ok(Some(()));
            }
            match ended {
                Some(status) => bail!("{} ended ({status}):\n{log}", self.name),
                None => Ok(None),
            }
        })
        .with_context(|| format!("{} wrote:\n{}", self.name, self.log().unwrap_or_default()))
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} has ended", self.name);
        wait::until(limit, &what, || Ok(self.process.try_wait()?))
            .with_context(|| format!("{} wrote:\n{}", self.name, self.log().unwrap_or_default()))
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(GRACE)
    }

    /// Ends it on the spot (SIGKILL), as if it had crashed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Sends a signal. No error if it has ended already.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.process.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.process), signal)
                .with_context(|| format!("signalling {}", self.name))?;
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.signal(Signal::TERM).is_err() {
            return;
        }
        let start = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if start.elapsed() > GRACE_IN_DROP {
                // Nothing is left to be done if even this fails.
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether a process ended as one that was asked to: by itself with 0, or by
/// the SIGTERM it was sent.
pub fn ended_well(status: ExitStatus) -> bool {
    status.success() || status.signal() == Some(Signal::TERM.as_raw())
}

/// The same command, run so that it gets a SIGTERM when the thread that starts
/// it ends. `setpriv` sets that and then becomes the command: same process id.
fn dying_with_us(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "TERM", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_stopped_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; exec sleep 60"]);
        let mut child = Child::start("sleeper", &command, &dir.path().join("log")).unwrap();
        child.wait_for("ready", Duration::from_secs(5)).unwrap();
        let proc = PathBuf::from(format!("/proc/{}", child.pid()));
        assert!(proc.exists());
        drop(child);
        assert!(!proc.exists());
    }

    #[test]
    fn one_that_ends_too_early_is_told_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo what went wrong >&2; exit 3"]);
        let mut child = Child::start("failure", &command, &dir.path().join("log")).unwrap();
        let error = child.wait_for("ready", Duration::from_secs(5)).unwrap_err();
        assert!(format!("{error:#}").contains("what went wrong"));
    }
}
