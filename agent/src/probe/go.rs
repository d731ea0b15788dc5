//! Which processes are Go's, and where their runtime keeps a goroutine's id.
//!
//! In: process ids, as they are met, become other programs and end. Out: the
//! table that the kernel side looks at ([`wirespan_ebpf::coroutine`]). The
//! version of Go stands in every executable it makes, stripped or not.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::Ordering;

use object::read::ReadCache;
use object::{Object, ObjectSection};
use wirespan_ebpf::coroutine;
use wirespan_ebpf::record::{EXECUTED, EXITED, Executed, FORKED, Lifecycle};
use zerocopy::FromBytes;

use super::mapped::Mapped;

/// So many executables are remembered; then all are looked at anew.
const EXECUTABLES_MAX: usize = 4_096;
/// 64-bit words of a slot.
pub(crate) const SLOT_WORDS: usize = size_of::<coroutine::Slot>() / size_of::<u64>();
/// What the section `.go.buildinfo` begins with (Go's `debug/buildinfo`).
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Set in the byte after the pointer size: strings follow from byte 32 on.
const INLINE_STRINGS: u8 = 2;

/// The Go processes of this host.
#[derive(Debug)]
pub(crate) struct Go {
    table: Mapped,
    executables: HashMap<Identity, Option<Layout>>,
}

/// Device, inode and time of change of a file.
type Identity = (u64, u64, i64);

/// Offsets in `runtime.g` of 64-bit processors (`src/runtime/runtime2.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    id: u32,
    /// 0: this version does not keep it.
    parent: u32,
}

impl Go {
    /// `table` is where the kernel side looks.
    pub(crate) fn new(table: Mapped) -> Self {
        Self {
            table,
            executables: HashMap::new(),
        }
    }

    /// Lists those that run already.
    pub(crate) fn list(&mut self) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(pid) = pid {
                self.met(pid);
            }
        }
    }

    /// Takes in what the kernel side says in `record` of processes. To be shown
    /// each, in order.
    pub(crate) fn attend(&mut self, record: &[u8]) {
        match record.first() {
            Some(&EXECUTED) => {
                if let Ok((executed, _)) = Executed::read_from_prefix(record) {
                    self.over(executed.pid);
                    self.met(executed.pid);
                }
            }
            Some(&FORKED) => {
                if let Ok((forked, _)) = Lifecycle::read_from_prefix(record) {
                    self.inherit(forked.parent_pid, forked.pid);
                }
            }
            Some(&EXITED) => {
                if let Ok((ended, _)) = Lifecycle::read_from_prefix(record) {
                    self.over(ended.pid);
                }
            }
            _ => {}
        }
    }

    fn met(&mut self, pid: u32) {
        if let Some(layout) = self.layout(pid) {
            self.set(pid, u64::from(layout.id), u64::from(layout.parent));
        }
    }

    fn layout(&mut self, pid: u32) -> Option<Layout> {
        let path = format!("/proc/{pid}/exe");
        // Kernel threads, and processes that are gone, have none.
        let file = fs::metadata(&path).ok()?;
        let identity = (file.dev(), file.ino(), file.ctime());
        if let Some(known) = self.executables.get(&identity) {
            return *known;
        }
        if self.executables.len() >= EXECUTABLES_MAX {
            self.executables.clear();
        }
        let version = File::open(&path).ok().as_ref().and_then(version);
        let layout = version.as_deref().and_then(layout_of);
        match (&version, layout) {
            (Some(version), None) => {
                log::info!("process {pid} is made by {version}, whose goroutines are not known");
            }
            (Some(version), _) => log::debug!("process {pid} is made by {version}"),
            _ => {}
        }
        self.executables.insert(identity, layout);
        layout
    }

    /// A slot is empty while it changes.
    fn set(&self, pid: u32, id: u64, parent: u64) {
        if let Some([first, second]) = self.slot(pid) {
            first.store(0, Ordering::SeqCst);
            second.store(words([parent as u32, 0]), Ordering::SeqCst);
            first.store(words([pid, id as u32]), Ordering::SeqCst);
        }
    }

    fn over(&self, pid: u32) {
        if self.has(pid)
            && let Some([first, _]) = self.slot(pid)
        {
            first.store(0, Ordering::SeqCst);
        }
    }

    fn has(&self, pid: u32) -> bool {
        let first = self
            .slot(pid)
            .map(|[first, _]| first.load(Ordering::SeqCst));
        first.is_some_and(|word| halves(word)[0] == pid)
    }

    fn inherit(&self, parent_pid: u32, pid: u32) {
        if self.has(parent_pid)
            && let Some([first, second]) = self.slot(parent_pid)
        {
            let id = halves(first.load(Ordering::SeqCst))[1];
            let parent = halves(second.load(Ordering::SeqCst))[0];
            self.set(pid, u64::from(id), u64::from(parent));
        }
    }

    fn slot(&self, pid: u32) -> Option<&[std::sync::atomic::AtomicU64; SLOT_WORDS]> {
        let start = coroutine::index(pid) as usize * SLOT_WORDS;
        self.table.words().get(start..)?.first_chunk()
    }
}

/// Two fields of a slot as they are in memory.
fn words(fields: [u32; 2]) -> u64 {
    zerocopy::transmute!(fields)
}

fn halves(word: u64) -> [u32; 2] {
    zerocopy::transmute!(word)
}

/// The version of Go that made an executable, such as `go1.26.1`; `None` if it
/// was not Go, or before Go 1.18.
fn version(file: &File) -> Option<String> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).ok()?;
    let (offset, size) = elf.section_by_name(".go.buildinfo")?.file_range()?;
    let mut bytes = vec![0; usize::try_from(size).ok()?.min(256)];
    file.read_exact_at(&mut bytes, offset).ok()?;
    inline_version(&bytes)
}

/// Magic, pointer size, flags, padding up to byte 32; then a length and the text.
fn inline_version(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(MAGIC)?;
    if rest.get(1)? & INLINE_STRINGS == 0 {
        return None;
    }
    let length = usize::from(*bytes.get(32)?);
    // A version as long as 128 bytes would have a longer length field.
    let text = bytes.get(33..33 + length).filter(|_| length < 0x80)?;
    String::from_utf8(text.to_vec()).ok()
}

/// Only versions whose source was looked at.
fn layout_of(version: &str) -> Option<Layout> {
    let rest = version.strip_prefix("go1.")?;
    let digits = rest.len()
        - rest
            .trim_start_matches(|digit: char| digit.is_ascii_digit())
            .len();
    let (id, parent) = match rest[..digits].parse::<u32>().ok()? {
        18..=20 => (152, 0),
        21 | 22 | 25 => (152, 272),
        23 | 24 => (160, 280),
        26 => (152, 280),
        _ => return None,
    };
    Some(Layout { id, parent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let layout = |version| layout_of(version).map(|layout| (layout.id, layout.parent));
        assert_eq!(layout("go1.26.1"), Some((152, 280)));
        assert_eq!(layout("go1.24rc1"), Some((160, 280)));
        assert_eq!(layout("go1.20"), Some((152, 0)));
        assert_eq!(layout("go1.17.3"), None);
        assert_eq!(layout("go1.260"), None);
        assert_eq!(layout("devel go1.30-abc"), None);
    }

    #[test]
    fn the_version_is_read_from_the_build_information() {
        let mut bytes = [MAGIC, &[8, INLINE_STRINGS]].concat();
        bytes.resize(32, 0);
        bytes.extend(b"\x08go1.26.1\x00");
        assert_eq!(inline_version(&bytes).as_deref(), Some("go1.26.1"));
        bytes[15] = 0;
        assert_eq!(inline_version(&bytes), None);
        for length in 0..42 {
            let _ = inline_version(&bytes[..length]);
        }
        assert_eq!(version(&File::open("/proc/self/exe").unwrap()), None);
    }
}
