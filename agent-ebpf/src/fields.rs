//! Typed loads from kernel structures, at offsets that user space found in the
//! kernel's BTF. To the verifier they are constants from read-only memory, so a
//! load costs what a load in the kernel costs. It must be no wider than the field.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_skc_to_tcp_sock};
use wirespan_ebpf::config::Config;

/// Set by user space before the programs are loaded.
#[unsafe(no_mangle)]
pub(crate) static CONFIG: Config = unsafe { MaybeUninit::zeroed().assume_init() };

/// A field of [`CONFIG`]; volatile, for the compiler must not take the zeros
/// above for its value.
macro_rules! config {
    ($($field:tt)+) => {
        unsafe { (&raw const $crate::fields::CONFIG.$($field)+).read_volatile() }
    };
}
pub(crate) use config;

/// A field of a kernel structure, at the offset in [`Config::offsets`] of that name.
macro_rules! load {
    ($structure:expr, $field:ident: $type:ty) => {{
        let offset = $crate::fields::config!(offsets.$field);
        unsafe { $structure.load::<$type>(offset) }
    }};
}
pub(crate) use load;

/// A pointer to a kernel structure whose type the verifier knows.
#[derive(Clone, Copy)]
pub(crate) struct Structure(*const c_void);

impl Structure {
    pub(crate) fn new(pointer: *const c_void) -> Option<Self> {
        if pointer.is_null() {
            None
        } else {
            Some(Self(pointer))
        }
    }

    /// The running thread: `struct task_struct`. Helper since Linux 5.11.
    #[inline(always)]
    pub(crate) fn current_task() -> Option<Self> {
        Self::new(unsafe { bpf_get_current_task_btf() }.cast_const().cast())
    }

    /// The `struct tcp_sock` around a `struct sock`, if it is one and whole (not
    /// of a request or in TIME_WAIT). Helper since Linux 5.9.
    #[inline(always)]
    pub(crate) fn tcp(self) -> Option<Self> {
        Self::new(
            unsafe { bpf_skc_to_tcp_sock(self.0.cast_mut()) }
                .cast_const()
                .cast(),
        )
    }

    pub(crate) fn pointer(self) -> *mut c_void {
        self.0.cast_mut()
    }

    /// The field at `offset`.
    ///
    /// # Safety
    ///
    /// A field of type `T`, or a longer integer that begins with it, must be there.
    #[inline(always)]
    pub(crate) unsafe fn load<T: Copy>(self, offset: u32) -> T {
        unsafe { self.0.byte_add(offset as usize).cast::<T>().read_volatile() }
    }
}
