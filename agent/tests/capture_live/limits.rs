//! What is not told: not wanted, too much, of others.

use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;

use wirespan::probe::Config;
use wirespan_stitch::event::{Direction, Event, LostReason, Shortfall};
use wirespan_stitch::verdict::Verdict;

use crate::HEAD;
use crate::live::{Live, assemble, closed, connect, data, listen};

#[test]
fn verdicts_are_honoured() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    client.write_all(HEAD).unwrap();
    let (sent, _) = live.data(HEAD.len() as u64, 0);
    let end = sent[0].offset + sent[0].length;
    let socket = sent[0].socket;
    let skip = |live: &Live, offset| {
        live.capture.apply(Verdict::SkipTo {
            socket,
            direction: Direction::Send,
            offset,
        });
    };

    // A body of 300 bytes in three calls: the last one reaches its end.
    skip(&live, end + 300);
    client.write_all(&[b'b'; 100]).unwrap();
    client.write_all(&[b'b'; 100]).unwrap();
    assert_eq!(live.silence(), []);
    client.write_all(&[b'b'; 100]).unwrap();
    let (sent, _) = live.data(100, 0);
    assert_eq!((sent[0].offset, sent[0].length), (end + 200, 100));
    assert_eq!(
        (sent[0].shortfall, sent[0].payload.len()),
        (Shortfall::Unwanted, 0)
    );

    // The end of a body and the next head in one call: the head is whole.
    skip(&live, end + 350);
    client.write_all(&[&[b'b'; 50], HEAD].concat()).unwrap();
    let (sent, _) = live.data(50 + HEAD.len() as u64, 0);
    assert_eq!((sent[0].offset, sent[0].length), (end + 300, 50));
    assert_eq!(sent[1].offset, end + 350);
    assert_eq!(sent[1].payload, HEAD);

    // The same in a vector: the body ends in the second piece, the head is in two.
    skip(&live, end + 350 + HEAD.len() as u64 + 50);
    let (first, second) = HEAD.split_at(7);
    let tail = [&[b'b'; 20], first].concat();
    let pieces = [[b'b'; 30].as_slice(), b"", &tail, second];
    let written = client.write_vectored(&pieces.map(IoSlice::new)).unwrap();
    let (sent, _) = live.data(written as u64, 0);
    assert_eq!(
        (sent[0].length, sent[0].shortfall),
        (50, Shortfall::Unwanted)
    );
    assert_eq!(sent[1].payload, HEAD);
    assert_eq!(sent[1].shortfall, Shortfall::None);

    // Ignored: nothing more but its end.
    live.capture.apply(Verdict::Ignore(socket));
    client.write_all(HEAD).unwrap();
    assert_eq!(live.silence(), []);
    let mut everything = Vec::new();
    client.shutdown(Shutdown::Write).unwrap();
    server.read_to_end(&mut everything).unwrap();
    drop((client, server));
    live.until(|events| closed(events).iter().any(|closed| closed.socket == socket));
}

#[test]
fn an_overflow_is_counted_and_offsets_recover() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::with(
        port,
        Config {
            ring_bytes: 4_096,
            ..Config::default()
        },
    );
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    live.drain();
    live.events.clear();
    let before = live.capture.losses().ring_full;
    let calls = 200;
    for _ in 0..calls {
        client.write_all(HEAD).unwrap();
    }
    live.drain();
    let told = live.events.iter().filter_map(data).count() as u64;
    let lost: u64 = live
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Lost(lost) if lost.reason == LostReason::RingFull => Some(lost.count),
            _ => None,
        })
        .sum();
    // Processes of this host that came and went meanwhile may be among the lost.
    assert!(told > 0 && lost >= calls - told, "{told} told, {lost} lost");
    let losses = live.capture.losses();
    assert_eq!(losses.ring_full - before, lost);
    assert!(losses.bytes >= (calls - told) * HEAD.len() as u64);
    live.events.clear();

    client.write_all(b"after").unwrap();
    let (sent, _) = live.data(5, 0);
    assert_eq!(assemble(&sent, 1 + calls * HEAD.len() as u64), b"after");
    server.read_exact(&mut [0; 5]).unwrap();
}

#[test]
fn other_ports_and_other_processes_are_not_told() {
    let (traced, port) = listen("127.0.0.1");
    let (other, other_port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, _server) = connect(&other, "127.0.0.1", other_port);
    client.write_all(HEAD).unwrap();
    assert_eq!(live.silence(), []);
    let (mut client, _server) = connect(&traced, "127.0.0.1", port);
    client.write_all(HEAD).unwrap();
    live.data(HEAD.len() as u64, 0);
}
