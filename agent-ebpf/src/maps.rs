//! Every map, once.

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::btf_maps::{Array, HashMap, RingBuf, SkStorage};
use aya_ebpf::macros::btf_map;
use wirespan_ebpf::verdict::{SLOTS, Slot};
use wirespan_ebpf::{coroutine, loss, process, switch};

use crate::socket::Socket;

const MAPPED: usize = BPF_F_MMAPABLE as usize;

/// The records for user space. User space sets the size.
#[btf_map]
pub(crate) static RECORDS: RingBuf<u8, 4096> = RingBuf::new();

/// What is remembered of a socket, for as long as the kernel keeps the socket.
#[btf_map]
pub(crate) static SOCKETS: SkStorage<Socket> = SkStorage::new();

/// What user space does not want; see [`wirespan_ebpf::verdict`].
#[btf_map]
pub(crate) static VERDICTS: Array<Slot, { SLOTS as usize }, MAPPED> = Array::new();

/// What could not be told; see [`wirespan_ebpf::loss`]. User space sets the size.
#[btf_map]
pub(crate) static LOSSES: Array<u64, { loss::COUNT as usize }, MAPPED> = Array::new();

/// What user space changes at any time; see [`wirespan_ebpf::switch`].
#[btf_map]
pub(crate) static SWITCHES: Array<u64, { switch::COUNT as usize }, MAPPED> = Array::new();

/// Which processes have tasks of their own; see [`wirespan_ebpf::coroutine`].
#[btf_map]
pub(crate) static COROUTINES: Array<coroutine::Slot, { coroutine::SLOTS as usize }, MAPPED> =
    Array::new();

/// Which processes to trace; see [`wirespan_ebpf::process`].
#[btf_map]
pub(crate) static PROCESSES: HashMap<u32, u8, { process::CAPACITY }> = HashMap::new();

/// Which ports to trace; see [`wirespan_ebpf::config::Config::ports`].
#[btf_map]
pub(crate) static PORTS: HashMap<u16, u8, 1024> = HashMap::new();
