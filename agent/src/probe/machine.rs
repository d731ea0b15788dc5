//! What depends on the processor: the names of the registers that hold a system
//! call, and the numbers of the calls that move bytes. Both machines are always
//! compiled; the programs themselves are the same on both.

use wirespan_ebpf::config::{
    CALLS_MAX, FORM_BUFFER, FORM_MESSAGE, FORM_NONE, FORM_VECTOR, Offsets,
};

use super::{Btf, LoadError};

/// A processor.
#[derive(Debug)]
pub(crate) struct Machine {
    /// As `std::env::consts::ARCH` says.
    name: &'static str,
    /// Register with the number of the system call, in `struct pt_regs`.
    number: Register,
    /// Its second argument.
    buffer: Register,
    /// Its third argument.
    count: Register,
    stack_pointer: Register,
    /// Where Go keeps its `g`: <https://go.dev/s/regabi>.
    goroutine: Register,
    under_way: UnderWay,
    calls: &'static [(u16, u8)],
}

/// A member of `struct pt_regs`, and bytes into it.
type Register = (&'static str, u32);

/// How the registers tell that a system call has not returned yet.
#[derive(Debug)]
enum UnderWay {
    /// This one is -ENOSYS.
    Enosys(Register),
    /// These two are equal.
    Equal(Register, Register),
}

/// `arch/x86/include/asm/ptrace.h`, `arch/x86/entry/syscalls/syscall_64.tbl`.
static X86_64: Machine = Machine {
    name: "x86_64",
    number: ("orig_ax", 0),
    buffer: ("si", 0),
    count: ("dx", 0),
    stack_pointer: ("sp", 0),
    goroutine: ("r14", 0),
    under_way: UnderWay::Enosys(("ax", 0)),
    calls: &[
        (0, FORM_BUFFER),   // read
        (1, FORM_BUFFER),   // write
        (19, FORM_VECTOR),  // readv
        (20, FORM_VECTOR),  // writev
        (44, FORM_BUFFER),  // sendto
        (45, FORM_BUFFER),  // recvfrom
        (46, FORM_MESSAGE), // sendmsg
        (47, FORM_MESSAGE), // recvmsg
        (327, FORM_VECTOR), // preadv2
        (328, FORM_VECTOR), // pwritev2
    ],
};

/// `arch/arm64/include/asm/ptrace.h`, `include/uapi/asm-generic/unistd.h`.
static AARCH64: Machine = Machine {
    name: "aarch64",
    number: ("syscallno", 0),
    buffer: ("regs", 8),
    count: ("regs", 16),
    stack_pointer: ("sp", 0),
    goroutine: ("regs", 28 * 8),
    under_way: UnderWay::Equal(("regs", 0), ("orig_x0", 0)),
    calls: &[
        (63, FORM_BUFFER),   // read
        (64, FORM_BUFFER),   // write
        (65, FORM_VECTOR),   // readv
        (66, FORM_VECTOR),   // writev
        (206, FORM_BUFFER),  // sendto
        (207, FORM_BUFFER),  // recvfrom
        (211, FORM_MESSAGE), // sendmsg
        (212, FORM_MESSAGE), // recvmsg
        (286, FORM_VECTOR),  // preadv2
        (287, FORM_VECTOR),  // pwritev2
    ],
};

impl Machine {
    /// The one this runs on.
    pub(crate) fn current() -> Result<&'static Self, LoadError> {
        let name = std::env::consts::ARCH;
        [&X86_64, &AARCH64]
            .into_iter()
            .find(|machine| machine.name == name)
            .ok_or(LoadError::UnknownMachine(name))
    }

    /// Finds the registers; says whether -ENOSYS tells that a call is under way.
    pub(crate) fn locate(&self, btf: &Btf, offsets: &mut Offsets) -> Result<bool, LoadError> {
        let find = |(member, further): Register| {
            btf.offset("pt_regs", member).map(|offset| offset + further)
        };
        offsets.call_number = find(self.number)?;
        offsets.call_buffer = find(self.buffer)?;
        offsets.call_count = find(self.count)?;
        offsets.stack_pointer = find(self.stack_pointer)?;
        offsets.goroutine = find(self.goroutine)?;
        match self.under_way {
            UnderWay::Enosys(register) => {
                offsets.in_call = find(register)?;
                Ok(true)
            }
            UnderWay::Equal(register, like) => {
                offsets.in_call = find(register)?;
                offsets.in_call_like = find(like)?;
                Ok(false)
            }
        }
    }

    /// The form of each system call, by number.
    pub(crate) fn call_forms(&self) -> [u8; CALLS_MAX] {
        let mut forms = [FORM_NONE; CALLS_MAX];
        for &(number, form) in self.calls {
            if let Some(entry) = forms.get_mut(usize::from(number)) {
                *entry = form;
            }
        }
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_this_machine() {
        let expected = [
            (libc::SYS_read, FORM_BUFFER),
            (libc::SYS_write, FORM_BUFFER),
            (libc::SYS_readv, FORM_VECTOR),
            (libc::SYS_writev, FORM_VECTOR),
            (libc::SYS_sendto, FORM_BUFFER),
            (libc::SYS_recvfrom, FORM_BUFFER),
            (libc::SYS_sendmsg, FORM_MESSAGE),
            (libc::SYS_recvmsg, FORM_MESSAGE),
            (libc::SYS_preadv2, FORM_VECTOR),
            (libc::SYS_pwritev2, FORM_VECTOR),
        ];
        let forms = Machine::current().unwrap().call_forms();
        for (number, form) in expected {
            assert_eq!(forms[usize::try_from(number).unwrap()], form, "{number}");
        }
        assert_eq!(
            forms.iter().filter(|&&form| form != FORM_NONE).count(),
            expected.len()
        );
    }

    #[test]
    fn both_machines_have_the_same_calls() {
        let forms = |machine: &Machine| machine.calls.iter().map(|call| call.1).collect::<Vec<_>>();
        assert_eq!(forms(&X86_64), forms(&AARCH64));
    }
}
