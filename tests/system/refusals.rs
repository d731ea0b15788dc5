//! What cannot work is said in words that help, by `run` and by `doctor`; what
//! only might not is warned of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wirespan_tests::agent::Agent;
use wirespan_tests::{place, port};

const BTF: &str = "/sys/kernel/btf/vmlinux";
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn this_kernel_will_do() -> Result<()> {
    let doctor = Command::new(place::wirespan()).arg("doctor").output()?;
    let report = String::from_utf8(doctor.stdout)?;
    ensure!(doctor.status.success(), "{}:\n{report}", doctor.status);
    ensure!(report.ends_with("tracing works here\n"), "{report}");
    ensure!(!report.contains("NO  "), "{report}");
    Ok(())
}

#[test]
fn without_privileges() -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--"]);
    is_refused(&command, "not allowed to load BPF programs", "CAP_BPF")
}

#[test]
fn without_btf() -> Result<()> {
    let nothing = tempfile::tempdir()?;
    let command = with_mounted(nothing.path(), Path::new(BTF).parent().context(BTF)?);
    let error = "/sys/kernel/btf/vmlinux cannot be read";
    is_refused(&command, error, "CONFIG_DEBUG_INFO_BTF")
}

/// As on Linux before 6.3.
#[test]
fn without_a_hook() -> Result<()> {
    let (_directory, btf) = btf_without("btf_trace_sock_send_length")?;
    let error = "no tracepoint sock_send_length: it needs Linux 6.3 or later";
    is_refused(&with_mounted(&btf, Path::new(BTF)), error, "newer kernel")
}

#[test]
fn without_a_field() -> Result<()> {
    let (_directory, btf) = btf_without("bytes_received")?;
    let error = "no field tcp_sock.bytes_received";
    is_refused(&with_mounted(&btf, Path::new(BTF)), error, "uname -a")
}

#[test]
fn of_a_process_that_does_not_exist() -> Result<()> {
    let output = Command::new(place::wirespan())
        .args(["run", "--no-state", "--pid", "4294967295"])
        .output()?;
    let error = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{}", output.status);
    ensure!(
        error.contains("error: --pid 4294967295: there is no such process"),
        "{error}"
    );
    Ok(())
}

#[test]
fn of_ports_and_executables_that_nobody_uses_yet() -> Result<()> {
    let port = port::free().to_string();
    let mut agent = Agent::run(&["--port", &port, "--exe", "nobody-*"])?;
    let port = format!("warn: --port {port}: nobody on this host listens there now");
    agent.wait_for(&port, LIMIT)?;
    agent.wait_for("warn: --exe nobody-*: nobody on this host runs", LIMIT)?;
    agent.stop()?.account()?;
    Ok(())
}

/// What `command` runs last cannot trace: `run` says why, and `doctor` also what
/// to do.
fn is_refused(command: &Command, error: &str, advice: &str) -> Result<()> {
    let run = output(command, &["run", "--no-state", "--json", "/dev/null"])?;
    let said = String::from_utf8(run.stderr)?;
    ensure!(run.status.code() == Some(1), "{}: {said}", run.status);
    ensure!(said.contains(error), "{said}");
    ensure!(!said.contains("wirespan: tracing"), "{said}");
    let doctor = output(command, &["doctor"])?;
    let report = String::from_utf8(doctor.stdout)?;
    ensure!(doctor.status.code() == Some(1), "{report}");
    ensure!(report.ends_with("tracing cannot work here\n"), "{report}");
    for words in [error, advice] {
        ensure!(report.contains(words), "no {words:?} in:\n{report}");
    }
    Ok(())
}

fn output(wrapper: &Command, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(wrapper.get_program());
    command
        .args(wrapper.get_args())
        .arg(place::wirespan())
        .args(arguments);
    command.output().with_context(|| format!("{command:?}"))
}

/// Runs what follows with `source` in the place of `target`, which others do not
/// see.
fn with_mounted(source: &Path, target: &Path) -> Command {
    const SCRIPT: &str = r#"mount --bind "$1" "$2" && shift 2 && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", SCRIPT, "sh"]);
    command.arg(source).arg(target);
    command
}

/// The kernel's types, in which nothing has this name.
fn btf_without(name: &str) -> Result<(TempDir, PathBuf)> {
    let mut types = fs::read(BTF).context(BTF)?;
    let whole = format!("\0{name}\0");
    let places: Vec<_> = types
        .windows(whole.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == whole.as_bytes())
        .map(|(at, _)| at + 1)
        .collect();
    ensure!(!places.is_empty(), "no {name} in {BTF}");
    for at in places {
        types[at] = b'_';
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("vmlinux");
    fs::write(&path, types)?;
    Ok((directory, path))
}
