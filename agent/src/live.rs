//! The data path of `run` and `record`: events from the kernel side, with the
//! facts about their processes, to a [`Sink`], until a signal asks to stop.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use wirespan_stitch::event::decode::Decoded;
use wirespan_stitch::event::{Event, Process};
use wirespan_stitch::time::Timestamp;

use crate::probe::{self, Capture, Drained};
use crate::process::{Processes, host};

/// How long to sleep at least, where there is reason to look again soon.
const SHORT: Duration = Duration::from_millis(1);

/// How long to sleep at most: a signal wakes us, but may come just before.
const IDLE: Duration = Duration::from_secs(2);

/// How long to go on reading once asked to stop, if traffic goes on and on.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Who takes the events.
pub trait Sink {
    /// Takes an event.
    fn take(&mut self, event: Event) -> Result<()>;

    /// Called after each batch of events. `complete`: all events before this
    /// time have been taken. Says when it is to be called again at the latest.
    fn settle(
        &mut self,
        capture: &Capture,
        complete: Option<Timestamp>,
    ) -> Result<Option<Timestamp>>;
}

/// Traces what `config` says into `sink` until SIGINT or SIGTERM, and returns
/// the capture for its last words.
pub fn watch(config: &probe::Config, sink: &mut impl Sink) -> Result<Capture> {
    let stop = stop_on_signals().context("cannot handle signals")?;
    let mut processes = Processes::new(host::attributes());
    // Before anything that happens: no event is without its wall-clock time.
    let clock = probe::clock();
    let mut capture = Capture::load(config).context("cannot trace (see `wirespan doctor`)")?;
    sink.take(clock)?;
    say_ready();
    let mut ending: Option<Timestamp> = None;
    loop {
        if ending.is_none() && stop.load(Relaxed) {
            ending = Some(probe::now());
        }
        let Drained { taken, complete } = drain(&mut capture, &mut processes, sink)?;
        let due = sink.settle(&capture, complete)?;
        if let Some(asked) = ending
            && (complete.is_some_and(|time| time >= asked) || probe::now() > asked + LAST_LOOK)
        {
            return Ok(capture);
        }
        if taken == 0 {
            let wait = due.map_or(IDLE, |due| due.since(probe::now()));
            let idle = if ending.is_some() { SHORT } else { IDLE };
            capture
                .wait(wait.clamp(SHORT, idle))
                .context("cannot wait for the kernel side")?;
        }
    }
}

fn drain(
    capture: &mut Capture,
    processes: &mut Processes,
    sink: &mut impl Sink,
) -> Result<Drained> {
    let mut result = Ok(());
    let mut take = |event: Event| {
        if result.is_ok() {
            result = sink.take(event);
        }
    };
    let drained = capture.drain(|decoded| match decoded {
        Decoded::Event(event) => processes.attend(event, &mut take),
        Decoded::Forked(forked) => {
            processes.forked(forked.pid, forked.parent_pid, forked.start_time);
        }
        Decoded::Executed(executed) => processes.executed(Process {
            time: executed.time,
            pid: executed.pid,
            parent_pid: executed.parent_pid,
            start_time: executed.start_time,
            executable: executed.path,
            command_line: executed.arguments,
            ..Process::default()
        }),
    });
    result.map(|()| drained)
}

/// Set by the first SIGINT or SIGTERM; the second one ends the process on the
/// spot.
fn stop_on_signals() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// To people and scripts, and to systemd (`sd_notify(3)`) where it asked.
fn say_ready() {
    eprintln!("wirespan: tracing (until interrupted)");
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = notify(&socket.to_string_lossy(), b"READY=1")
    {
        log::warn!("cannot tell systemd: {error}");
    }
}

fn notify(socket: &str, message: &[u8]) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(message, &address)
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_by_path_and_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let path = path.to_str().unwrap().to_owned();
        let name = format!("@wirespan-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, address) in [(by_path, path), (by_name, name)] {
            notify(&address, b"READY=1").unwrap();
            let mut buffer = [0; 64];
            let size = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], b"READY=1");
        }
    }
}
