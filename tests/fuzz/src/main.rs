//! The fuzzer: libFuzzer with the target that `WIRESPAN_FUZZ_TARGET` names.
//! `cargo xtask fuzz` builds it with coverage and starts it.
//!
//! One binary for all targets, since linking costs more than anything else.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use wirespan_fuzz::{Target, memory};

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("WIRESPAN_FUZZ_TARGET").unwrap_or_default();
    wirespan_fuzz::target(&name)
        .unwrap_or_else(|| panic!("WIRESPAN_FUZZ_TARGET is {name:?}, which is no target"))
});

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > TARGET.max_len {
        return Corpus::Reject;
    }
    memory::bounded(&TARGET, input);
    Corpus::Keep
});
