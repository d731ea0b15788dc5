//! A reader for the kernel's description of its own types (BTF), as far as
//! finding structure members and tracepoints by name goes.
//!
//! The format is in the kernel's `Documentation/bpf/btf.rst`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::LoadError;

/// Where the kernel has it.
const PATH: &str = "/sys/kernel/btf/vmlinux";
const MAGIC: u16 = 0xeb9f;
/// Members of members of members …: deeper than any structure goes.
const DEPTH_MAX: u32 = 16;

const STRUCT: u8 = 4;
const UNION: u8 = 5;
const TYPEDEF: u8 = 8;
const CONST: u8 = 10;
const VOLATILE: u8 = 9;
const RESTRICT: u8 = 11;
const TYPE_TAG: u8 = 18;

/// The types of a kernel.
#[derive(Debug)]
pub struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    /// Where each type begins; type ids count from 1.
    types: Vec<u32>,
    /// Structures and typedefs by name; the first of each name.
    structures: HashMap<Vec<u8>, u32>,
    typedefs: HashMap<Vec<u8>, u32>,
}

impl Btf {
    /// Those of the running kernel.
    pub fn of_running_kernel() -> Result<Self, LoadError> {
        let bytes =
            fs::read(Path::new(PATH)).map_err(|source| LoadError::NoBtf { path: PATH, source })?;
        Self::parse(bytes)
    }

    /// Those in `bytes`, the content of such a file in native byte order.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let header =
            Header::parse(&bytes).ok_or(LoadError::MalformedBtf("its header is cut off"))?;
        if header.magic != MAGIC {
            return Err(LoadError::MalformedBtf(
                "it does not begin with its magic number",
            ));
        }
        let mut btf = Self {
            bytes,
            strings: header.strings,
            types: Vec::new(),
            structures: HashMap::new(),
            typedefs: HashMap::new(),
        };
        btf.index(header.types, header.types_end)
            .ok_or(LoadError::MalformedBtf(
                "a type is cut off or of an unknown kind",
            ))?;
        Ok(btf)
    }

    /// Offset of a member in its structure, in bytes, through anonymous
    /// structures and unions.
    pub fn offset(&self, structure: &'static str, member: &'static str) -> Result<u32, LoadError> {
        let missing = LoadError::MissingField { structure, member };
        let Some(&id) = self.structures.get(structure.as_bytes()) else {
            return Err(missing);
        };
        self.member(id, member.as_bytes(), DEPTH_MAX).ok_or(missing)
    }

    /// Whether a program can be attached to the tracepoint with this name.
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.typedefs
            .contains_key(format!("btf_trace_{name}").as_bytes())
    }

    fn index(&mut self, mut at: usize, end: usize) -> Option<()> {
        self.types.push(0);
        while at < end {
            let head = Type::parse(&self.bytes, at)?;
            let id = self.types.len() as u32;
            let table = match head.kind {
                STRUCT => Some(&mut self.structures),
                TYPEDEF => Some(&mut self.typedefs),
                _ => None,
            };
            if let Some(table) = table {
                let name = string(&self.bytes, self.strings + head.name)?;
                table.entry(name.to_vec()).or_insert(id);
            }
            self.types.push(u32::try_from(at).ok()?);
            at += head.size()?;
        }
        (at == end).then_some(())
    }

    fn member(&self, id: u32, wanted: &[u8], depth: u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        let at = *self.types.get(id as usize)? as usize;
        let head = Type::parse(&self.bytes, at)?;
        if matches!(head.kind, TYPEDEF | CONST | VOLATILE | RESTRICT | TYPE_TAG) {
            return self.member(head.referenced, wanted, depth);
        }
        if !matches!(head.kind, STRUCT | UNION) {
            return None;
        }
        (0..head.length).find_map(|index| {
            let at = at + Type::SIZE + index * 12;
            let name = string(&self.bytes, self.strings + word(&self.bytes, at)? as usize)?;
            let bits = word(&self.bytes, at + 8)?;
            // With the kind flag, the upper byte is the width of a bit field.
            let bits = if head.kind_flag {
                bits & 0x00ff_ffff
            } else {
                bits
            };
            if name == wanted {
                return Some(bits / 8);
            }
            if !name.is_empty() {
                return None;
            }
            let inner = self.member(word(&self.bytes, at + 4)?, wanted, depth)?;
            Some(bits / 8 + inner)
        })
    }
}

struct Header {
    magic: u16,
    types: usize,
    types_end: usize,
    strings: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let magic = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        let size = word(bytes, 4)? as usize;
        let types = size.checked_add(word(bytes, 8)? as usize)?;
        Some(Self {
            magic,
            types,
            types_end: types.checked_add(word(bytes, 12)? as usize)?,
            strings: size.checked_add(word(bytes, 16)? as usize)?,
        })
    }
}

struct Type {
    name: usize,
    kind: u8,
    kind_flag: bool,
    length: usize,
    referenced: u32,
}

impl Type {
    const SIZE: usize = 12;

    fn parse(bytes: &[u8], at: usize) -> Option<Self> {
        let info = word(bytes, at + 4)?;
        Some(Self {
            name: word(bytes, at)? as usize,
            kind: (info >> 24 & 0x1f) as u8,
            kind_flag: info >> 31 != 0,
            length: (info & 0xffff) as usize,
            referenced: word(bytes, at + 8)?,
        })
    }

    /// With what follows it; `None` for a kind that is not known.
    fn size(&self) -> Option<usize> {
        let tail = match self.kind {
            2 | 7..=12 | 16 | 18 => 0,
            1 | 14 | 17 => 4,
            3 => 12,
            STRUCT | UNION | 15 | 19 => self.length * 12,
            6 | 13 => self.length * 8,
            _ => return None,
        };
        Some(Self::SIZE + tail)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn string(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { u32 a; union { u32 b; struct { u8 pad[4]; u32 c; }; }; u32 d : 3; }`
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0a\0b\0c\0d\0btf_trace_hook\0u32\0";
        let name = |wanted: &str| {
            let needle = [b"\0", wanted.as_bytes(), b"\0"].concat();
            strings
                .windows(needle.len())
                .position(|window| window == needle)
                .unwrap() as u32
                + 1
        };
        let info = |kind: u32, length: u32| kind << 24 | length;
        let types: Vec<u32> = [
            vec![name("u32"), info(1, 0), 4, 32],
            vec![0, info(4, 1), 8, name("c"), 1, 32],
            vec![0, info(5, 2), 8, name("b"), 1, 0, 0, 2, 0],
            vec![
                name("outer"),
                info(4, 3) | 1 << 31,
                16,
                name("a"),
                1,
                0,
                0,
                3,
                32,
                name("d"),
                1,
                3 << 24 | 0x60,
            ],
            vec![name("btf_trace_hook"), info(8, 0), 1],
        ]
        .concat();
        let types: Vec<u8> = types.into_iter().flat_map(u32::to_ne_bytes).collect();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for number in [
            24,
            0,
            types.len() as u32,
            types.len() as u32,
            strings.len() as u32,
        ] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_are_found_through_anonymous_ones() {
        let btf = Btf::parse(sample()).unwrap();
        let offset = |member| btf.offset("outer", member).unwrap();
        assert_eq!(
            [offset("a"), offset("b"), offset("c"), offset("d")],
            [0, 4, 8, 12]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let btf = Btf::parse(sample()).unwrap();
        let error = btf.offset("outer", "e").unwrap_err().to_string();
        assert!(error.contains("outer.e"), "{error}");
        assert!(btf.offset("inner", "a").is_err());
        assert!(btf.has_tracepoint("hook"));
        assert!(!btf.has_tracepoint("other"));
    }

    #[test]
    fn a_cut_off_file_is_an_error() {
        let whole = sample();
        let strings = b"\0outer\0a\0b\0c\0d\0btf_trace_hook\0u32\0".len();
        for length in 0..whole.len() - strings {
            assert!(Btf::parse(whole[..length].to_vec()).is_err(), "{length}");
        }
    }
}
