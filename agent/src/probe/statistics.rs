//! What the kernel knows of loaded programs and maps, from `/proc/self/fdinfo`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use aya::Ebpf;
use aya::maps::{Map, MapData};

/// How often a program ran, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramStatistics {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// For how long in all, in ns.
    pub nanoseconds: u64,
    /// How often it was not run because it ran already on that processor.
    pub misses: u64,
}

pub(crate) fn programs(ebpf: &Ebpf) -> io::Result<Vec<ProgramStatistics>> {
    ebpf.programs()
        .map(|(name, program)| {
            let fd = program.fd().map_err(io::Error::other)?.as_fd().as_raw_fd();
            let info = info(fd)?;
            Ok(ProgramStatistics {
                name: name.to_owned(),
                runs: number(&info, "run_cnt:")?,
                nanoseconds: number(&info, "run_time_ns:")?,
                misses: number(&info, "recursion_misses:")?,
            })
        })
        .collect()
}

/// Bytes of kernel memory behind a map.
pub(crate) fn memory(fd: RawFd) -> io::Result<u64> {
    number(&info(fd)?, "memlock:")
}

pub(crate) fn map_memory(map: &Map) -> io::Result<u64> {
    match map {
        Map::Array(data) | Map::HashMap(data) | Map::RingBuf(data) | Map::SkStorage(data) => {
            memory(raw(data))
        }
        _ => Ok(0),
    }
}

pub(crate) fn raw(data: &MapData) -> RawFd {
    data.fd().as_fd().as_raw_fd()
}

fn info(fd: RawFd) -> io::Result<String> {
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
}

fn number(info: &str, key: &str) -> io::Result<u64> {
    info.lines()
        .find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
        .ok_or_else(|| io::Error::other(format!("the kernel does not tell {key}")))
}
