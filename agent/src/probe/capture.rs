//! The running capture: records from the kernel in order, verdicts back to it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{HashMap, Map};
use bytes::{Bytes, BytesMut};
use wirespan_ebpf::verdict::{self, SLOTS};
use wirespan_ebpf::{coroutine, loss, record, switch};
use wirespan_stitch::event::decode::{Decoded, decode_in, significant_length};
use wirespan_stitch::event::{Direction, Event, Lost, LostReason};
use wirespan_stitch::time::{Timestamp, WallTime};
use wirespan_stitch::verdict::Verdict;

use super::clock::read_clocks;
use super::executables::Executables;
use super::go::{Go, SLOT_WORDS};
use super::load::{self, chain, take_map};
use super::mapped::Mapped;
use super::ring::Ring;
use super::statistics::{self, ProgramStatistics};
use super::{Config, LoadError, kernel, now};

/// At most so many records are taken at once: what becomes of them is still in
/// the processor's cache when it is handed on …
const BATCH_RECORDS: usize = 128;
/// … and no more once their bytes are so many.
const BATCH_BYTES: usize = 64 << 10;
/// Records are kept together in so many bytes, or in more if one alone has more.
/// Whoever keeps a payload keeps its chunk: an exchange that stays open for long
/// at most two.
const CHUNK_BYTES: usize = 4 << 10;
/// How often the ring is looked at while traffic flows. Verdicts are the
/// fresher the shorter it is.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How long after the last traffic it still is.
const LINGER: Duration = Duration::from_millis(50);
/// 64-bit words of the table of Go processes.
const GO_WORDS: usize = coroutine::SLOTS as usize * SLOT_WORDS;
/// How long it may take until another processor sees what one has stored.
const SETTLING: Duration = Duration::from_micros(10);
/// How often the clocks are compared.
const CLOCK_INTERVAL: Duration = Duration::from_secs(5);

/// The kernel side, loaded and attached. Dropping it detaches everything.
#[derive(Debug)]
pub struct Capture {
    ebpf: Ebpf,
    ring: Ring,
    verdicts: Mapped,
    switches: Mapped,
    losses: Mapped,
    executables: Option<Executables>,
    go: Go,
    reported: Losses,
    clock_due: Option<Instant>,
    traffic: Option<Instant>,
    mark: Option<Mark>,
    /// Where each record of a chunk ends.
    ends: Vec<usize>,
}

/// What the capture could not tell, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Records that found the ring buffer full.
    pub ring_full: u64,
    /// Bytes of traffic that those would have told of.
    pub bytes: u64,
    /// Sockets and processes that could not be remembered.
    pub map_full: u64,
    /// Records that user space could not read.
    pub unreadable: u64,
}

/// What [`Capture::drain`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Records taken.
    pub taken: usize,
    /// All events before this time have been handed out; `None` if no more is
    /// known than before.
    pub complete: Option<Timestamp>,
}

/// A place in the ring: what was reserved at a time. The kernel side takes the
/// time of a record after it has reserved its place, so whatever is behind the
/// place is later than the time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    time: Timestamp,
    position: u64,
}

impl Capture {
    /// Loads and attaches the kernel side; from here on it sees everything that
    /// `config` asks for.
    pub fn load(config: &Config) -> Result<Self, LoadError> {
        let mut ebpf = load::load(config)?;
        let setup = |error: &dyn std::error::Error| LoadError::Setup(chain(error));
        let processors = kernel::possible_processors()?;
        let ring = map_ring(&ebpf, "RECORDS")?;
        let executables = if config.filter.by_executable() {
            let Map::HashMap(table) = take_map(&mut ebpf, "PROCESSES")? else {
                return Err(LoadError::Setup("PROCESSES is not a hash map".to_owned()));
            };
            let fd = statistics::raw(&table);
            let table = HashMap::try_from(Map::HashMap(table)).map_err(|error| setup(&error))?;
            Some(Executables::new(config.filter.clone(), table, fd))
        } else {
            None
        };
        let mut go = Go::new(map_array(&ebpf, "COROUTINES", GO_WORDS)?);
        go.list();
        let capture = Self {
            ring,
            verdicts: map_array(&ebpf, "VERDICTS", SLOTS as usize * 2)?,
            switches: map_array(&ebpf, "SWITCHES", switch::COUNT as usize)?,
            losses: map_array(&ebpf, "LOSSES", (processors * loss::COUNT) as usize)?,
            ebpf,
            executables,
            go,
            reported: Losses::default(),
            clock_due: None,
            traffic: None,
            mark: None,
            ends: Vec::new(),
        };
        capture.set(switch::ACTIVE, u64::from(!config.empty));
        Ok(capture)
    }

    /// Hands what the kernel has told so far, up to one batch, to `sink`. Call it
    /// again at once if that were any records.
    ///
    /// An [`Event::Clock`] is among it from time to time. [`Event::Lost`] comes
    /// after the records among which they are missing.
    pub fn drain(&mut self, mut sink: impl FnMut(Decoded)) -> Drained {
        let mark = *self.mark.get_or_insert_with(|| {
            let time = now() - SETTLING;
            let position = self.ring.reserved();
            Mark { time, position }
        });
        let (mut taken, mut bytes) = (0, 0);
        let now = Instant::now();
        while taken < BATCH_RECORDS && bytes < BATCH_BYTES {
            let (records, chunk) = self.take_chunk(mark.position, now);
            if records == 0 {
                break;
            }
            taken += records;
            bytes += chunk.len();
            self.decode(&chunk, mark.time, &mut sink);
        }
        let complete = (self.ring.position() >= mark.position).then_some(mark.time);
        if let Some(time) = complete {
            self.mark = None;
            self.report_losses(time, &mut sink);
            self.report_clock(time, &mut sink);
        }
        Drained { taken, complete }
    }

    /// Waits until there may be something to drain, or for `timeout`.
    ///
    /// While traffic flows this is a short sleep, for a wake-up per record would
    /// cost the traced programs more than everything else. Only when nothing
    /// has come for a while the kernel is asked to wake us.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        if self.traffic.is_some_and(|last| last.elapsed() < LINGER) {
            std::thread::sleep(POLL_INTERVAL.min(timeout));
            return Ok(());
        }
        self.set(switch::DOZING, 1);
        // A record whose writer did not see the flag yet is complete by then.
        std::thread::sleep(POLL_INTERVAL.min(timeout));
        let result = kernel::wait_readable(self.ring.fd(), timeout);
        self.set(switch::DOZING, 0);
        result
    }

    /// Tells the kernel side what is not wanted; takes effect at once.
    pub fn apply(&self, verdict: Verdict) {
        match verdict {
            Verdict::Ignore(socket) => {
                self.skip(socket.0, record::SEND, verdict::IGNORE);
                self.skip(socket.0, record::RECEIVE, verdict::IGNORE);
            }
            Verdict::SkipTo {
                socket,
                direction,
                offset,
            } => {
                let direction = match direction {
                    Direction::Send => record::SEND,
                    Direction::Receive => record::RECEIVE,
                };
                self.skip(socket.0, direction, offset);
            }
        }
    }

    /// What could not be told so far.
    pub fn losses(&self) -> Losses {
        let sum = |reason: u32| {
            let counters = self.losses.words().iter().skip(reason as usize);
            counters
                .step_by(loss::COUNT as usize)
                .map(|count| count.load(Ordering::Relaxed))
                .sum()
        };
        Losses {
            ring_full: sum(loss::RING_FULL),
            bytes: sum(loss::BYTES),
            map_full: sum(loss::MAP_FULL),
            unreadable: self.reported.unreadable,
        }
    }

    /// How often each program ran, and for how long. The kernel counts only
    /// while the returned guard of [`Capture::count_runs`] is held.
    pub fn statistics(&self) -> io::Result<Vec<ProgramStatistics>> {
        statistics::programs(&self.ebpf)
    }

    /// Makes the kernel count runs of BPF programs, all on this host, until the
    /// guard is dropped. Costs about 60 ns a run.
    pub fn count_runs(&self) -> io::Result<OwnedFd> {
        let kind = aya::sys::Stats::RunTime;
        aya::sys::enable_stats(kind).map_err(|error| error.io_error)
    }

    /// Bytes of kernel memory that the maps take.
    pub fn map_bytes(&self) -> io::Result<u64> {
        let mut total = 0;
        for (_, map) in self.ebpf.maps() {
            total += statistics::map_memory(map)?;
        }
        if let Some(executables) = &self.executables {
            total += statistics::memory(executables.table_fd())?;
        }
        Ok(total)
    }

    /// Takes records off the ring: how many, and the bytes of those that are
    /// wanted.
    fn take_chunk(&mut self, end: u64, now: Instant) -> (usize, Bytes) {
        self.ends.clear();
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let mut taken = 0;
        // One more of the usual size fits: else the chunk would be moved for it.
        while chunk.len() < CHUNK_BYTES / 4 * 3 {
            let Some(item) = self.ring.next(end) else {
                break;
            };
            taken += 1;
            self.go.attend(item);
            if self
                .executables
                .as_mut()
                .is_some_and(|executables| !executables.admits(item))
            {
                continue;
            }
            if matches!(
                item.first(),
                Some(&(record::DATA | record::OPENED | record::CLOSED))
            ) {
                self.traffic = Some(now);
            }
            let length = significant_length(item);
            chunk.extend_from_slice(item.get(..length).unwrap_or(item));
            self.ends.push(chunk.len());
        }
        self.ring.release();
        (taken, chunk.freeze())
    }

    fn decode(&mut self, chunk: &Bytes, now: Timestamp, sink: &mut impl FnMut(Decoded)) {
        let mut start = 0;
        for &end in &self.ends {
            let decoded = decode_in(chunk, start..end);
            start = end;
            match decoded {
                Ok(decoded) => sink(decoded),
                Err(error) => {
                    log::debug!("{error}");
                    self.reported.unreadable += 1;
                    sink(lost(now, LostReason::Unreadable, 1));
                }
            }
        }
    }

    /// The clocks as they stand to each other, at a time that is in the order of
    /// the events.
    fn report_clock(&mut self, time: Timestamp, sink: &mut impl FnMut(Decoded)) {
        let started = Instant::now();
        if self.clock_due.is_some_and(|due| due > started) {
            return;
        }
        self.clock_due = Some(started + CLOCK_INTERVAL);
        let (read, wall) = read_clocks();
        let wall = WallTime(wall.0.saturating_sub(read.0.saturating_sub(time.0)));
        sink(Decoded::Event(Event::Clock { time, wall }));
    }

    fn report_losses(&mut self, time: Timestamp, sink: &mut impl FnMut(Decoded)) {
        let losses = self.losses();
        for (reason, count) in [
            (
                LostReason::RingFull,
                losses.ring_full - self.reported.ring_full,
            ),
            (
                LostReason::MapFull,
                losses.map_full - self.reported.map_full,
            ),
        ] {
            if count != 0 {
                sink(lost(time, reason, count));
            }
        }
        self.reported = losses;
    }

    fn set(&self, switch: u32, value: u64) {
        if let Some(word) = self.switches.words().get(switch as usize) {
            word.store(value, Ordering::SeqCst);
        }
    }

    fn skip(&self, cookie: u64, direction: u8, offset: u64) {
        let slot = verdict::index(cookie, direction) as usize * 2;
        if let Some([first, second]) = self.verdicts.words().get(slot..slot + 2) {
            first.store(offset, Ordering::Relaxed);
            second.store(verdict::check(cookie, offset), Ordering::Relaxed);
        }
    }
}

fn lost(time: Timestamp, reason: LostReason, count: u64) -> Decoded {
    Decoded::Event(Event::Lost(Lost {
        time,
        count,
        reason,
    }))
}

fn map_ring(ebpf: &Ebpf, name: &str) -> Result<Ring, LoadError> {
    let Some(Map::RingBuf(data)) = ebpf.map(name) else {
        return Err(LoadError::Setup(format!("there is no ring buffer {name}")));
    };
    let info = data
        .info()
        .map_err(|error| LoadError::Setup(chain(&error)))?;
    let fd = std::os::fd::AsFd::as_fd(data.fd());
    Ring::new(fd, info.max_entries()).map_err(|source| LoadError::Io {
        what: "cannot map the ring buffer",
        source,
    })
}

fn map_array(ebpf: &Ebpf, name: &str, words: usize) -> Result<Mapped, LoadError> {
    let Some(Map::Array(data)) = ebpf.map(name) else {
        return Err(LoadError::Setup(format!("there is no array {name}")));
    };
    let fd = std::os::fd::AsFd::as_fd(data.fd());
    Mapped::new(fd, words).map_err(|source| LoadError::Io {
        what: "cannot map an array",
        source,
    })
}
