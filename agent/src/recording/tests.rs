//! Every event survives the way through a recording, whole or cut off.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use wirespan_proto::recording::v1::Header;
use wirespan_stitch::event::{
    Closed, Connection, Data, Direction, Event, Lost, LostReason, Opened, Opener, Process,
    Shortfall, SocketId, Source, Task, Woke,
};
use wirespan_stitch::time::{Timestamp, WallTime};

use super::{MAGIC, ReadError, Reader, Writer};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_goes_in_comes_out(events in prop::collection::vec(event(), 0..20)) {
        let file = recorded(&events);
        prop_assert_eq!(&file[..4], &MAGIC);
        let (read, end) = replayed(&file);
        prop_assert_eq!(read, events);
        prop_assert!(end.is_none());
    }

    #[test]
    fn a_cut_gives_a_prefix_and_says_so(
        events in prop::collection::vec(event(), 1..20),
        flush_at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let flush_at = flush_at.index(events.len());
        let (file, flushed) = recorded_with_flush(&events, flush_at);
        let cut = cut.index(file.len());
        let Ok(reader) = Reader::new(&file[..cut]) else {
            return Ok(());
        };
        let (read, end) = drain(reader);
        prop_assert_eq!(&events[..read.len()], &read[..]);
        prop_assert!(cut < flushed || read.len() > flush_at);
        let Some(ReadError::Cut { records }) = end else {
            return Err(TestCaseError::fail(format!("ended with {end:?}")));
        };
        prop_assert_eq!(records, read.len() as u64);
    }

    #[test]
    fn a_changed_byte_never_panics(
        events in prop::collection::vec(event(), 1..20),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut file = recorded(&events);
        let at = at.index(file.len());
        file[at] ^= with;
        if let Ok(reader) = Reader::new(&file[..]) {
            drain(reader);
        }
    }
}

#[test]
fn the_header_is_kept() {
    let file = recorded(&[]);
    let reader = Reader::new(&file[..]).unwrap();
    assert_eq!(reader.header().agent_version, "1.2.3");
    assert_eq!(reader.header().version, 1);
}

#[test]
fn other_files_are_refused_in_plain_words() {
    let text = Reader::new(&b"GET / HTTP/1.1\r\n"[..]).unwrap_err();
    assert!(matches!(text, ReadError::NotARecording(_)), "{text}");
    let packed = zstd::encode_all(&b"\x02\x12\x00"[..], 0).unwrap();
    let other = Reader::new(&packed[..]).unwrap_err();
    assert!(matches!(other, ReadError::NotARecording(_)), "{other}");
    let empty = Reader::new(&b""[..]).unwrap_err();
    assert!(matches!(empty, ReadError::NotARecording(_)), "{empty}");
}

#[test]
fn a_newer_version_is_refused() {
    use prost::Message;
    use wirespan_proto::recording::v1::{Record, record::Kind};
    let record = Record {
        kind: Some(Kind::Header(Header {
            version: 9,
            ..Header::default()
        })),
    };
    let packed = zstd::encode_all(&record.encode_length_delimited_to_vec()[..], 0).unwrap();
    let error = Reader::new(&packed[..]).unwrap_err();
    assert!(matches!(error, ReadError::Version(9)), "{error}");
}

fn recorded(events: &[Event]) -> Vec<u8> {
    recorded_with_flush(events, 0).0
}

/// Flushes after the event at `flush_at`; also gives the size of the file then.
fn recorded_with_flush(events: &[Event], flush_at: usize) -> (Vec<u8>, usize) {
    let header = Header {
        agent_version: "1.2.3".into(),
        ..Header::default()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut flushed = 0;
    let mut writer = Writer::new(file.reopen().unwrap(), header).unwrap();
    for (index, event) in events.iter().enumerate() {
        writer.write(event).unwrap();
        if index == flush_at {
            writer.flush().unwrap();
            flushed = file.as_file().metadata().unwrap().len() as usize;
        }
    }
    writer.finish().unwrap();
    (std::fs::read(file.path()).unwrap(), flushed)
}

fn replayed(file: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    drain(Reader::new(file).unwrap())
}

fn drain(mut reader: Reader<&[u8]>) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let time = any::<u64>().prop_map(Timestamp);
    prop_oneof![
        4 => data().prop_map(Event::Data),
        1 => (time.clone(), any::<u64>(), task(), connection()).prop_map(|(time, id, task, connection)| {
            Event::Opened(Opened { time, socket: SocketId(id), task, connection })
        }),
        1 => (time.clone(), any::<u64>(), any::<bool>(), any::<Option<u64>>(), any::<Option<u64>>())
            .prop_map(|(time, id, reset, sent, received)| {
                Event::Closed(Closed { time, socket: SocketId(id), reset, sent, received })
            }),
        1 => process().prop_map(|process| Event::Process(Arc::new(process))),
        1 => (time.clone(), any::<u32>()).prop_map(|(time, pid)| Event::Exited { time, pid }),
        1 => (time.clone(), task(), task()).prop_map(|(time, by, woken)| Event::Woke(Woke { time, by, woken })),
        1 => (time.clone(), any::<u64>()).prop_map(|(time, wall)| Event::Clock { time, wall: WallTime(wall) }),
        1 => (time, any::<u64>(), prop::sample::select(vec![
            LostReason::RingFull, LostReason::MapFull, LostReason::Unreadable,
        ])).prop_map(|(time, count, reason)| Event::Lost(Lost { time, count, reason })),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    let flow = (
        prop::sample::select(vec![Source::Socket, Source::Packets]),
        prop::sample::select(vec![Direction::Send, Direction::Receive]),
        prop::sample::select(vec![
            Shortfall::None,
            Shortfall::Limit,
            Shortfall::Unwanted,
            Shortfall::Unreachable,
            Shortfall::Fault,
            Shortfall::Snapped,
        ]),
    );
    let place = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let payload = prop::collection::vec(any::<u8>(), 0..200);
    (flow, place, task(), connection(), payload).prop_map(
        |(
            (source, direction, shortfall),
            (time, id, offset, length),
            task,
            connection,
            payload,
        )| {
            Data {
                time: Timestamp(time),
                socket: SocketId(id),
                source,
                direction,
                task,
                connection,
                offset,
                length,
                payload: Bytes::from(payload),
                shortfall,
            }
        },
    )
}

fn process() -> impl Strategy<Value = Process> {
    (
        any::<(u64, u32, u32, u64)>(),
        any::<[String; 3]>(),
        any::<Vec<String>>(),
        any::<Vec<(String, String)>>(),
    )
        .prop_map(
            |(
                (time, pid, parent_pid, start_time),
                [service_name, executable, container_id],
                command_line,
                attributes,
            )| {
                Process {
                    time: Timestamp(time),
                    pid,
                    parent_pid,
                    start_time,
                    service_name,
                    executable,
                    command_line,
                    container_id,
                    attributes,
                }
            },
        )
}

fn task() -> impl Strategy<Value = Task> {
    any::<(u32, u32, u64, u64)>().prop_map(|(pid, tid, coroutine, coroutine_parent)| Task {
        pid,
        tid,
        coroutine,
        coroutine_parent,
    })
}

fn connection() -> impl Strategy<Value = Connection> {
    let opener = prop::sample::select(vec![None, Some(Opener::Local), Some(Opener::Peer)]);
    (any::<[SocketAddr; 2]>(), any::<(u32, u32)>(), opener).prop_map(
        |([local, peer], (sent_base, received_base), opener)| Connection {
            local,
            peer,
            sent_base,
            received_base,
            opener,
        },
    )
}
