//! The file with what was learnt; its format is documented in
//! `proto/wirespan/state/v1/state.proto`.
//!
//! It is replaced as a whole: whoever reads it finds the old one or the new one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use thiserror::Error;
use wirespan_proto::state::v1::{self, State};
use wirespan_stitch::causality::{Kind, Learnt, Tally};
use zstd::stream::{read::Decoder, write::Encoder};

/// Name of the file in the state directory.
pub const NAME: &str = "learnt";

/// What it begins with, before the version.
pub const MAGIC: &[u8; 8] = b"wslearnt";

/// Version of the format.
const VERSION: u32 = 1;

/// The most that a file may unpack to: far above what an engine learns.
const MAX_SIZE: u64 = 64 << 20;

/// Most of a model are zeros.
const COMPRESSION_LEVEL: i32 = 3;

/// How right decisions without headers were, of one kind of process.
pub type Audited = (Kind, Tally);

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum StateError {
    /// It is not there, or not to be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is not what wirespan learnt")]
    Foreign,
    /// Another version of wirespan wrote it.
    #[error("version {0} of the format is not known")]
    Version(u32),
    /// It is cut off, or was changed.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl StateError {
    /// Whether there is no such file.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads the file, in the order in which it was written.
///
/// # Errors
///
/// When there is none, or it cannot be understood.
pub fn read(path: &Path) -> Result<Vec<Learnt>, StateError> {
    let mut file = File::open(path)?;
    let mut head = [0; MAGIC.len()];
    let mut version = [0; 4];
    let cut = |_| StateError::Foreign;
    file.read_exact(&mut head).map_err(cut)?;
    if head != *MAGIC {
        return Err(StateError::Foreign);
    }
    file.read_exact(&mut version).map_err(cut)?;
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        return Err(StateError::Version(version));
    }
    let state = unpack(file)?;
    Ok(state.learnt.into_iter().map(learnt).collect())
}

fn unpack(file: File) -> Result<State, StateError> {
    let damaged = |error: io::Error| StateError::Damaged(error.to_string());
    let mut bytes = Vec::new();
    let decoder = Decoder::new(file).map_err(damaged)?;
    decoder
        .take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(damaged)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(StateError::Damaged("it is too large".to_owned()));
    }
    State::decode(bytes.as_slice()).map_err(|error| StateError::Damaged(error.to_string()))
}

/// Puts a file with all of it in place of the present one. The directory is made
/// if need be, for its owner only: names of routes are in it.
///
/// # Errors
///
/// When it cannot be written; then the present file stays as it is.
pub fn write(directory: &Path, learnt: &[Learnt]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let new = directory.join(format!(".{NAME}.{}", std::process::id()));
    let written = write_new(&new, learnt).and_then(|()| {
        fs::rename(&new, directory.join(NAME))?;
        // The new name lasts once the directory is on disk.
        File::open(directory)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, learnt: &[Learnt]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&VERSION.to_le_bytes())?;
    let mut encoder = Encoder::new(file, COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(&state(learnt).encode_to_vec())?;
    encoder.finish()?.sync_all()
}

/// The self-audits among them.
pub fn audited(learnt: &[Learnt]) -> Vec<Audited> {
    let audited = learnt.iter().filter(|learnt| learnt.self_audit.known > 0);
    audited
        .map(|learnt| (learnt.kind.clone(), learnt.self_audit))
        .collect()
}

fn state(learnt: &[Learnt]) -> State {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    State {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        written_unix_nano: now.map_or(0, |now| now.as_nanos() as u64),
        learnt: learnt.iter().map(message).collect(),
    }
}

fn message(learnt: &Learnt) -> v1::Learnt {
    let trust = learnt.trust.iter();
    let names = learnt.names.iter();
    let tally = learnt.self_audit;
    v1::Learnt {
        service: learnt.kind.service.clone(),
        executable: learnt.kind.executable.clone(),
        model: learnt.model.clone().into(),
        trust: trust
            .map(|&(right, all)| v1::Agreement { right, all })
            .collect(),
        names: names
            .map(|(hash, name)| v1::Name {
                hash: *hash,
                name: name.clone(),
            })
            .collect(),
        self_audit: (tally.known > 0).then_some(v1::SelfAudit {
            known: tally.known,
            given: tally.given,
            right: tally.right,
            sure: tally.sure,
            sure_wrong: tally.sure_wrong,
        }),
    }
}

fn learnt(message: v1::Learnt) -> Learnt {
    let tally = message.self_audit.unwrap_or_default();
    Learnt {
        kind: Kind {
            service: message.service,
            executable: message.executable,
        },
        model: message.model.to_vec(),
        trust: message.trust.iter().map(|it| (it.right, it.all)).collect(),
        names: message
            .names
            .into_iter()
            .map(|name| (name.hash, name.name))
            .collect(),
        self_audit: Tally {
            known: tally.known,
            given: tally.given,
            right: tally.right,
            sure: tally.sure,
            sure_wrong: tally.sure_wrong,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Learnt> {
        let of = |service: &str, known| Learnt {
            kind: Kind {
                service: service.to_owned(),
                executable: "/bin/app".to_owned(),
            },
            model: vec![7; 1000],
            trust: vec![(1.0, 2.0), (0.0, 0.0)],
            names: vec![(u64::MAX, "GET /cart".to_owned())],
            self_audit: Tally {
                known,
                right: known,
                ..Tally::default()
            },
        };
        vec![of("shop", 5), of("users", 0)]
    }

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        for _ in 0..2 {
            write(&inner, &some()).unwrap();
        }
        assert_eq!(read(&inner.join(NAME)).unwrap(), some());
        let files: Vec<_> = fs::read_dir(&inner).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing is left over: {files:?}");
        assert_eq!(audited(&some()).len(), 1);
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &some()).unwrap();
        let path = directory.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(read(&path).is_err(), "cut at {end}");
        }
        for index in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[index] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            // Some bits only say how to unpack what the checksum is of.
            let unharmed = read(&path).map_or(true, |learnt| learnt == some());
            assert!(unharmed, "byte {index} changed");
        }
    }

    #[test]
    fn other_versions_other_files_and_none_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        assert!(read(&path).unwrap_err().is_absent());
        fs::write(&path, b"something else").unwrap();
        assert!(matches!(read(&path), Err(StateError::Foreign)));
        let mut next = MAGIC.to_vec();
        next.extend((VERSION + 1).to_le_bytes());
        fs::write(&path, next).unwrap();
        assert!(matches!(read(&path), Err(StateError::Version(2))));
    }
}
