//! Every call's bytes are told exactly, however they go.

use std::io::{IoSlice, Read, Write};
use std::os::fd::AsRawFd;

use wirespan::probe::Config;
use wirespan_stitch::event::{Closed, Data, Shortfall};

use crate::HEAD;
use crate::calls::{RECEIVING, SENDING, splice_out};
use crate::live::{Live, assemble, closed, connect, listen};

fn check_call(data: &[Data], name: &str, reachable: bool, offset: u64, bytes: &[u8]) {
    let [data] = data else {
        panic!("{name}: {data:#?}")
    };
    assert_eq!(
        (data.offset, data.length),
        (offset, bytes.len() as u64),
        "{name}"
    );
    if reachable {
        assert_eq!(data.payload, bytes, "{name}");
        assert_eq!(data.shortfall, Shortfall::None, "{name}");
    } else {
        assert_eq!(data.shortfall, Shortfall::Unreachable, "{name}");
        assert!(data.payload.is_empty(), "{name}");
    }
    assert_eq!(data.task.pid, std::process::id());
    if !name.ends_with("worker") {
        let thread = unsafe { libc::gettid() };
        assert_eq!(data.task.tid, u32::try_from(thread).unwrap(), "{name}");
    }
}

fn every_call(bind: &str, to: &str) {
    let (listener, port) = listen(bind);
    let mut live = Live::of_port(port);
    let (client, server) = connect(&listener, to, port);
    let mut offset = 0;
    for (sending, send, send_reachable) in SENDING {
        for (receiving, receive, receive_reachable) in RECEIVING {
            let mut bytes = format!("{sending} to {receiving} at {offset}: {HEAD:?}").into_bytes();
            let length = bytes.len();
            let mut buffer = vec![0; length];
            unsafe {
                assert_eq!(
                    send(client.as_raw_fd(), &mut bytes),
                    length.cast_signed(),
                    "{sending}"
                );
                assert_eq!(
                    receive(server.as_raw_fd(), &mut buffer),
                    length.cast_signed(),
                    "{receiving}"
                );
            }
            let (sent, received) = live.data(length as u64, length as u64);
            // The end that connected counts its SYN; see `Opener`.
            check_call(&sent, sending, send_reachable, offset + 1, &bytes);
            check_call(&received, receiving, receive_reachable, offset, &bytes);
            offset += length as u64;
        }
    }
}

#[test]
fn every_call_is_told_exactly_on_ipv4() {
    every_call("127.0.0.1", "127.0.0.1");
}

#[test]
fn every_call_is_told_exactly_on_ipv6() {
    every_call("::1", "::1");
}

/// The kernel has no word for bytes that leave a socket by `splice`; what is
/// told next shows by its offset that they did.
#[test]
fn bytes_spliced_out_of_a_socket_leave_a_gap() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    client.write_all(&[b's'; 50]).unwrap();
    let spliced = unsafe { splice_out(server.as_raw_fd(), &mut [0; 50]) };
    assert_eq!(spliced, 50);
    client.write_all(HEAD).unwrap();
    server.read_exact(&mut [0; HEAD.len()]).unwrap();
    let (_, received) = live.data(0, HEAD.len() as u64);
    assert_eq!(received.len(), 1);
    assert_eq!(assemble(&received, 50), HEAD);
    drop((client, server));
    live.until(|events| closed(events).len() == 2);
    let total = 50 + HEAD.len() as u64;
    let is_server = |closed: &&Closed| closed.socket == received[0].socket;
    let closed = closed(&live.events);
    let closed = closed.iter().find(is_server).unwrap();
    assert_eq!(closed.received, Some(total));
}

#[test]
fn a_head_split_at_every_byte_is_whole() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    for (turn, split) in (0..HEAD.len()).enumerate() {
        let (first, second) = HEAD.split_at(split);
        client.write_all(first).unwrap();
        client.write_all(second).unwrap();
        let mut buffer = [0; HEAD.len()];
        server
            .read_exact(&mut buffer[..HEAD.len() - split])
            .unwrap();
        server
            .read_exact(&mut buffer[HEAD.len() - split..])
            .unwrap();
        let (sent, received) = live.data(HEAD.len() as u64, HEAD.len() as u64);
        let offset = (turn * HEAD.len()) as u64;
        assert_eq!(assemble(&sent, offset + 1), HEAD);
        assert_eq!(assemble(&received, offset), HEAD);
    }
    for split in 0..HEAD.len() {
        let (first, second) = HEAD.split_at(split);
        let pieces = [IoSlice::new(first), IoSlice::new(b""), IoSlice::new(second)];
        assert_eq!(client.write_vectored(&pieces).unwrap(), HEAD.len());
        server.read_exact(&mut [0; HEAD.len()]).unwrap();
        let (sent, _) = live.data(HEAD.len() as u64, HEAD.len() as u64);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].payload, HEAD);
    }
}

#[test]
fn a_vector_of_many_pieces_is_whole() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    for (count, size) in [(64, 1), (1_024, 1), (60, 100), (50, 1_000), (3, 21_000)] {
        let bytes: Vec<u8> = (0..count * size).map(|index| (index % 251) as u8).collect();
        let pieces: Vec<_> = bytes.chunks(size).map(IoSlice::new).collect();
        assert_eq!(client.write_vectored(&pieces).unwrap(), bytes.len());
        server.read_exact(&mut vec![0; bytes.len()]).unwrap();
        server.write_all(b"turn").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        let total = bytes.len() as u64 + 4;
        let (sent, _) = live.data(total, total);
        let mine: Vec<_> = sent
            .into_iter()
            .filter(|data| data.connection.peer.port() == port)
            .collect();
        assert_eq!(mine.len(), 1);
        assert_eq!(mine[0].payload, bytes, "{count} pieces of {size}");
    }
}

#[test]
fn a_head_of_64_kib_in_one_write_is_whole() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    let bytes: Vec<u8> = (0..65_536_u32)
        .map(|index| (index * 7 % 253) as u8)
        .collect();
    client.write_all(&bytes).unwrap();
    server.read_exact(&mut vec![0; bytes.len()]).unwrap();
    let (sent, received) = live.data(65_536, 65_536);
    assert_eq!(assemble(&sent, 1), bytes);
    assert_eq!(assemble(&received, 0), bytes);
}

#[test]
fn a_turn_beyond_its_budget_is_told_by_length() {
    let (listener, port) = listen("127.0.0.1");
    let config = Config {
        turn_limit: 1_000,
        beyond_limit: 16,
        ..Config::default()
    };
    let mut live = Live::with(
        port,
        Config {
            ring_bytes: 1 << 20,
            ..config
        },
    );
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    for _ in 0..2 {
        for _ in 0..3 {
            client.write_all(&[b'x'; 600]).unwrap();
        }
        server.read_exact(&mut [0; 1_800]).unwrap();
        server.write_all(b"answer").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
        let (sent, _) = live.data(1_806, 1_806);
        let copied: Vec<_> = sent.iter().map(|data| data.payload.len()).collect();
        assert_eq!(copied, [600, 400, 16, 6]);
        assert_eq!(sent[2].shortfall, Shortfall::Limit);
        assert_eq!(sent[2].length, 600);
    }
}
