//! Decides, where a filter names executables, whether a process is traced: when
//! the first record of it is read, so that none is lost before.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use aya::maps::{HashMap, MapData};
use wirespan_ebpf::process::{EXECUTABLE_ADMITTED, EXECUTABLE_KNOWN};
use wirespan_ebpf::record::{DATA, EXECUTED, EXITED, FORKED, OPENED, UNDECIDED};
use wirespan_ebpf::record::{Executed, Lifecycle, Transfer};
use zerocopy::FromBytes;

use super::Filter;

/// What was decided, by process id.
#[derive(Debug)]
pub(crate) struct Executables {
    filter: Filter,
    table: HashMap<MapData, u32, u8>,
    fd: RawFd,
    decided: BTreeMap<u32, bool>,
    /// Paths given to `execve`, for processes that end before they are looked at.
    started: BTreeMap<u32, PathBuf>,
}

impl Executables {
    /// `fd` is that of `table`.
    pub(crate) fn new(filter: Filter, table: HashMap<MapData, u32, u8>, fd: RawFd) -> Self {
        Self {
            filter,
            table,
            fd,
            decided: BTreeMap::new(),
            started: BTreeMap::new(),
        }
    }

    /// Whether to pass on what the kernel side says in `record`. To be asked of
    /// each, in order.
    pub(crate) fn admits(&mut self, record: &[u8]) -> bool {
        match record.first() {
            Some(&(DATA | OPENED)) => self.admits_transfer(record),
            Some(&EXECUTED) => {
                self.started(record);
                true
            }
            Some(&FORKED) => {
                self.inherit(record);
                true
            }
            Some(&EXITED) => {
                if let Ok((ended, _)) = Lifecycle::read_from_prefix(record) {
                    self.decided.remove(&ended.pid);
                    self.started.remove(&ended.pid);
                }
                true
            }
            _ => true,
        }
    }

    pub(crate) fn table_fd(&self) -> RawFd {
        self.fd
    }

    fn admits_transfer(&mut self, record: &[u8]) -> bool {
        match Transfer::read_from_prefix(record) {
            Ok((head, _)) if head.flags & UNDECIDED != 0 => self.decide(head.pid),
            // What does not hold together is for the decoder to refuse and count.
            _ => true,
        }
    }

    fn started(&mut self, record: &[u8]) {
        if let Ok((executed, _)) = Executed::read_from_prefix(record) {
            let length = usize::from(executed.path_length);
            let path = String::from_utf8_lossy(executed.path.get(..length).unwrap_or_default());
            self.decided.remove(&executed.pid);
            self.started
                .insert(executed.pid, PathBuf::from(path.as_ref()));
        }
    }

    fn inherit(&mut self, record: &[u8]) {
        if let Ok((forked, _)) = Lifecycle::read_from_prefix(record) {
            if let Some(&admitted) = self.decided.get(&forked.parent_pid) {
                self.decided.insert(forked.pid, admitted);
            }
            if let Some(path) = self.started.get(&forked.parent_pid).cloned() {
                self.started.insert(forked.pid, path);
            }
        }
    }

    fn decide(&mut self, pid: u32) -> bool {
        if let Some(&admitted) = self.decided.get(&pid) {
            return admitted;
        }
        let path = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let path = path
            .as_deref()
            .or_else(|| self.started.get(&pid).map(PathBuf::as_path));
        // A process that left nothing behind is traced only if all but some are.
        let admitted = self.filter.admits(path.unwrap_or(Path::new("")));
        self.decided.insert(pid, admitted);
        let mark = EXECUTABLE_KNOWN | if admitted { EXECUTABLE_ADMITTED } else { 0 };
        let entry = self.table.get(&pid, 0).unwrap_or(0) | mark;
        // Without the entry the kernel side asks again, which costs time only.
        if let Err(error) = self.table.insert(pid, entry, 0) {
            log::debug!("process {pid} is not listed: {error}");
        }
        admitted
    }
}
