//! What user space tells the kernel side once, before it is loaded. The kernel
//! holds it in read-only memory, so the verifier sees constants in it and drops
//! what they rule out.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// System-call numbers below this can have a form.
pub const CALLS_MAX: usize = 512;

/// [`Config::call_forms`]: the user buffer of this system call is not reached.
pub const FORM_NONE: u8 = 0;
/// [`Config::call_forms`]: second argument is the buffer.
pub const FORM_BUFFER: u8 = 1;
/// [`Config::call_forms`]: second argument is an array of `iovec`, third its length.
pub const FORM_VECTOR: u8 = 2;
/// [`Config::call_forms`]: second argument is a `user_msghdr`.
pub const FORM_MESSAGE: u8 = 3;

/// The global named `CONFIG` of the kernel side.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Config {
    /// Where the kernel keeps its fields.
    pub offsets: Offsets,
    /// The agent's own process id: never traced.
    pub own_pid: u32,
    /// At most so many bytes of one call are copied; up to [`crate::record::PAYLOAD_MAX`].
    pub call_limit: u32,
    /// At most so many bytes are copied of one turn: what goes in one direction
    /// until something goes in the other.
    pub turn_limit: u32,
    /// So many bytes of a call are copied even beyond `turn_limit`: enough for
    /// the head of a chunk.
    pub beyond_limit: u32,
    /// See [`crate::process`].
    pub require_tree: u8,
    /// See [`crate::process`].
    pub require_executable: u8,
    /// Whether processes are listed at all.
    pub processes_listed: u8,
    /// Ports: 0 all; 1 all but those listed; 2 those listed.
    pub ports: u8,
    /// The value that the register at `offsets.in_call` holds during a system call is
    /// -ENOSYS (1), or that of `offsets.in_call_like` (0).
    pub in_call_enosys: u32,
    /// Form of each system call, by its number.
    pub call_forms: [u8; CALLS_MAX],
}

/// [`Config::ports`]: a port is not looked at.
pub const PORTS_ALL: u8 = 0;
/// [`Config::ports`]: ports in the table are not traced.
pub const PORTS_EXCEPT: u8 = 1;
/// [`Config::ports`]: ports in the table are traced, except those so marked.
pub const PORTS_ONLY: u8 = 2;
/// Entry in the table of ports: trace.
pub const PORT_INCLUDED: u8 = 1;
/// Entry in the table of ports: do not trace; stronger than [`PORT_INCLUDED`].
pub const PORT_EXCLUDED: u8 = 2;

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident: $structure:literal . $member:literal,)+) => {
        /// Where the running kernel keeps the fields that are read, in bytes.
        #[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
        #[repr(C)]
        pub struct Offsets {
            $($(#[$doc])* pub $name: u32,)+
            /// A register: the number of the system call.
            pub call_number: u32,
            /// A register: second argument of the system call.
            pub call_buffer: u32,
            /// A register: third argument of the system call.
            pub call_count: u32,
            /// A register: the user stack pointer.
            pub stack_pointer: u32,
            /// A register: where Go keeps its `g`.
            pub goroutine: u32,
            /// A register that tells whether the system call is still under way.
            pub in_call: u32,
            /// The register that `in_call` equals as long as it is.
            pub in_call_like: u32,
        }

        impl Offsets {
            /// Fills in the fields by the name of their structure and member.
            ///
            /// # Errors
            ///
            /// The first error of `find`.
            pub fn locate<E>(
                mut find: impl FnMut(&'static str, &'static str) -> Result<u32, E>,
            ) -> Result<Self, E> {
                Ok(Self {
                    $($name: find($structure, $member)?,)+
                    ..Self::default()
                })
            }
        }
    };
}

offsets! {
    /// `unsigned short`.
    family: "sock_common"."skc_family",
    /// `__be32`.
    local_v4: "sock_common"."skc_rcv_saddr",
    /// `__be32`.
    peer_v4: "sock_common"."skc_daddr",
    /// `struct in6_addr`.
    local_v6: "sock_common"."skc_v6_rcv_saddr",
    /// `struct in6_addr`.
    peer_v6: "sock_common"."skc_v6_daddr",
    /// `__u16`, host byte order.
    local_port: "sock_common"."skc_num",
    /// `__be16`.
    peer_port: "sock_common"."skc_dport",
    /// `unsigned long`; bit 1 is `SOCK_DONE`: the peer's FIN arrived.
    socket_flags: "sock_common"."skc_flags",
    /// `int`.
    error: "sock"."sk_err",
    /// `u32`: sequence number after the last byte handed to the kernel.
    write_seq: "tcp_sock"."write_seq",
    /// `u32`: sequence number after the last byte handed to the process.
    copied_seq: "tcp_sock"."copied_seq",
    /// `u32`.
    rcv_nxt: "tcp_sock"."rcv_nxt",
    /// `u32`.
    snd_una: "tcp_sock"."snd_una",
    /// `u64`, in step with `rcv_nxt`.
    bytes_received: "tcp_sock"."bytes_received",
    /// `u64`, in step with `snd_una`.
    bytes_acked: "tcp_sock"."bytes_acked",
    /// `unsigned int`: `PF_KTHREAD`, `PF_IO_WORKER`.
    task_flags: "task_struct"."flags",
    /// `pid_t`: of the process.
    tgid: "task_struct"."tgid",
    /// `pid_t`: of the thread.
    pid: "task_struct"."pid",
    /// `struct task_struct *`.
    real_parent: "task_struct"."real_parent",
    /// `u64`: ns after boot.
    start_boottime: "task_struct"."start_boottime",
    /// `struct signal_struct *`.
    signal: "task_struct"."signal",
    /// `atomic_t`: threads of the process that still run.
    live: "signal_struct"."live",
    /// `struct mm_struct *`.
    mm: "task_struct"."mm",
    /// `unsigned long`: user address of the arguments.
    arg_start: "mm_struct"."arg_start",
    /// `unsigned long`.
    arg_end: "mm_struct"."arg_end",
    /// `const char *`.
    filename: "linux_binprm"."filename",
}
