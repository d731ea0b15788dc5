//! Whether a program is one file: it runs where nothing else is installed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::LittleEndian;
use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

/// Fails if the program asks for an interpreter or a shared library.
pub(super) fn check(program: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    match needs(&bytes).with_context(|| format!("reading {}", program.display()))? {
        Some(need) => bail!("{} is not one static file: {need}", program.display()),
        None => Ok(()),
    }
}

fn needs(bytes: &[u8]) -> Result<Option<&'static str>> {
    let header = FileHeader64::<LittleEndian>::parse(bytes)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP {
            return Ok(Some("it asks for a dynamic linker"));
        }
        let entries = segment.dynamic(endian, bytes)?.unwrap_or_default();
        if entries.iter().any(|entry| entry.d_tag(endian) == DT_NEEDED) {
            return Ok(Some("it asks for shared libraries"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_linked_dynamically() {
        let error = check(&std::env::current_exe().unwrap()).unwrap_err();
        assert!(
            error.to_string().contains("is not one static file"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_program_is_an_error() {
        assert!(needs(b"#!/bin/sh\n").is_err());
    }
}
