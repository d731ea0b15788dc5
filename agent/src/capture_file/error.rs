//! What can be wrong with a capture file.

use std::io;
use std::path::PathBuf;

/// Why a capture file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read the capture")]
    Read(#[from] io::Error),
    /// It begins with neither a pcap nor a pcapng header.
    #[error("not a packet capture: it begins with {start:02x?}, pcap and pcapng files do not")]
    Unknown {
        /// Its first bytes.
        start: Vec<u8>,
    },
    /// There is nothing in it.
    #[error("not a packet capture: it is empty")]
    Empty,
    /// It ends within its first header.
    #[error("the capture is cut off within its first header")]
    HeaderCut,
}

/// Why a capture was not read to its end. What was read before is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// It ends within a packet.
    #[error("the capture is cut off: its last packet, at byte {at}, is not complete")]
    CutOff {
        /// Where the incomplete part begins, before compression.
        at: u64,
    },
    /// The compressed data ends early or is damaged.
    #[error("the capture's compressed data is cut off or damaged after byte {at}: {reason}")]
    Compression {
        /// How much could be unpacked.
        at: u64,
        /// What the decompressor said.
        reason: String,
    },
    /// Something that cannot be a packet's header.
    #[error("the capture is damaged at byte {at}: {reason}; nothing after it is used")]
    Damaged {
        /// Where, before compression.
        at: u64,
        /// What is wrong.
        reason: String,
    },
}
