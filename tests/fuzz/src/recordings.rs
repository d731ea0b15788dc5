//! The recording format: events written and read, and bytes that are none.
//!
//! What must hold: whatever events there are, those read are those written; of a
//! recording cut off anywhere the events before the cut are read; and of any
//! bytes, no matter how the compression is told to unpack them, the reader tells
//! an end or an error.

use wirespan_proto::recording::v1::Header;
use wirespan_stitch::event::Event;

use crate::events::Events;
use crate::input::Input;
use crate::recording::{MAGIC, ReadError, Reader, Writer};

/// Most bytes of a block that is not compressed (RFC 8878 section 3.1.1.2.3),
/// less than which a window need not be.
const BLOCK: usize = 100_000;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input::new(input);
    match input.byte() {
        0 => round_trip(&mut input),
        1 => {
            let _ = read(&[&MAGIC[..], input.rest()].concat());
        }
        // Past the compression, which coverage does not see.
        _ => {
            let _ = read(&stored(input.rest()));
        }
    }
}

fn round_trip(input: &mut Input<'_>) {
    let cut = usize::from(input.u16());
    let mut events = Events::default();
    let mut written = Vec::new();
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, Header::default()).expect("memory takes all");
    while !input.is_empty() {
        let event = events.next(input);
        writer.write(&event).expect("memory takes all");
        if event.time().0.is_multiple_of(5) {
            writer.flush().expect("memory takes all");
        }
        written.push(event);
    }
    writer.finish().expect("memory takes all");

    let (read_back, error) = read(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read_back, written);

    let cut = cut % file.len();
    let (read_back, error) = read(&file[..cut]);
    assert!(error.is_some(), "cut at {cut} of {}", file.len());
    assert!(written.starts_with(&read_back));
}

/// Every event up to the end or the first error.
fn read(file: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    let mut reader = match Reader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (events, Some(error)),
    };
    loop {
        match reader.next_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => {
                let after = reader.next_event();
                assert!(!matches!(after, Ok(Some(_))), "an event after an error");
                return (events, Some(error));
            }
        }
    }
}

/// A zstd frame (RFC 8878 section 3.1.1) that holds these bytes as they are.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut frame = MAGIC.to_vec();
    // No checksum, no dictionary, a window of 128 KiB.
    frame.extend([0, 7 << 3]);
    let mut blocks = bytes.chunks(BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        let header = (block.len() as u32) << 3 | last;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
