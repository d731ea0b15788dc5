//! What is told of a connection besides its bytes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use wirespan_stitch::event::{Direction, Event, Opened, Opener, SocketId};
use wirespan_stitch::verdict::Verdict;

use crate::HEAD;
use crate::live::{Live, assemble, closed, connect, data, listen};

#[test]
fn both_ends_know_the_same_connection() {
    for (bind, to) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "127.0.0.1"),
    ] {
        let (listener, port) = listen(bind);
        let mut live = Live::of_port(port);
        let (mut client, mut server) = connect(&listener, to, port);
        client.write_all(HEAD).unwrap();
        server.read_exact(&mut [0; HEAD.len()]).unwrap();
        live.until(|events| events.iter().filter_map(data).count() == 2);
        let opened: Option<Opened> = live.events.iter().find_map(|event| match event {
            Event::Opened(opened) => Some(opened.clone()),
            _ => None,
        });
        let (sent, received) = live.data(0, 0);
        let (sent, received) = (sent[0].connection, received[0].connection);
        let opened = opened.unwrap();
        assert_eq!(opened.connection, sent);
        assert_eq!(
            opened.task.tid,
            u32::try_from(unsafe { libc::gettid() }).unwrap()
        );
        assert_eq!(
            (sent.opener, received.opener),
            (Some(Opener::Local), Some(Opener::Peer))
        );
        assert_eq!(sent.sent_base.wrapping_add(1), received.received_base);
        assert_eq!(sent.received_base, received.sent_base);
        assert_eq!((sent.local, sent.peer), (received.peer, received.local));
        let ip: std::net::IpAddr = to.parse().unwrap();
        assert_eq!(sent.peer, SocketAddr::new(ip, port));
    }
}

#[test]
fn the_end_of_a_connection_is_told_with_its_totals() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    client.write_all(HEAD).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut everything = Vec::new();
    server.read_exact(&mut [0; HEAD.len()]).unwrap();
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    server.write_all(b"answer").unwrap();
    drop(server);
    // By now the kernel has closed both ends, but not every byte was read.
    std::thread::sleep(Duration::from_millis(20));
    client.read_to_end(&mut everything).unwrap();
    drop(client);
    live.until(|events| {
        events
            .iter()
            .filter(|event| matches!(event, Event::Closed(_)))
            .count()
            == 2
    });
    let closed = closed(&live.events);
    let (sent, received) = live.data(0, 0);
    assert_eq!(assemble(&sent[..1], 1), HEAD);
    assert_eq!(assemble(&received[..1], 0), HEAD);
    assert_eq!((received[1].offset, received[1].length), (0, 6));
    let of = |socket| {
        closed
            .iter()
            .find(|closed| closed.socket == socket)
            .unwrap()
    };
    let length = HEAD.len() as u64;
    let (client, server) = (of(sent[0].socket), of(received[0].socket));
    assert_eq!((client.sent, client.received), (Some(length + 1), Some(6)));
    assert_eq!((server.sent, server.received), (Some(6), Some(length)));
    assert!(!client.reset && !server.reset);
}

#[test]
fn a_reset_is_told() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    client.write_all(HEAD).unwrap();
    server.read_exact(&mut [0; 4]).unwrap();
    // With bytes left unread, closing resets.
    drop(server);
    assert!(client.read(&mut [0; 4]).is_err());
    drop(client);
    live.until(|events| closed(events).len() == 2);
    assert!(closed(&live.events).iter().all(|closed| closed.reset));
}

#[test]
fn a_connection_in_the_middle_of_its_life_has_its_offsets() {
    let (listener, port) = listen("127.0.0.1");
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    for _ in 0..10 {
        client.write_all(HEAD).unwrap();
        server.read_exact(&mut [0; HEAD.len()]).unwrap();
    }
    let mut live = Live::of_port(port);
    client.write_all(HEAD).unwrap();
    server.read_exact(&mut [0; HEAD.len()]).unwrap();
    let length = HEAD.len() as u64;
    let (sent, received) = live.data(length, length);
    assert_eq!(assemble(&sent, 10 * length + 1), HEAD);
    assert_eq!(assemble(&received, 10 * length), HEAD);
    assert_eq!(sent[0].connection.opener, None);
}

#[test]
fn offsets_are_those_of_the_connection_beyond_4_gib() {
    // 4.2 GB through loopback: some seconds. Verdicts keep it quiet meanwhile.
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let (mut client, mut server) = connect(&listener, "127.0.0.1", port);
    client.write_all(HEAD).unwrap();
    server.read_exact(&mut [0; HEAD.len()]).unwrap();
    let length = HEAD.len() as u64;
    let (sent, received) = live.data(length, length);
    live.capture.apply(Verdict::Ignore(sent[0].socket));
    live.capture.apply(Verdict::Ignore(received[0].socket));
    let total = (1_u64 << 32) + (5 << 20);
    let sink = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        let mut left = total;
        while left > 0 {
            let wanted = buffer.len().min(usize::try_from(left).unwrap());
            left -= server.read(&mut buffer[..wanted]).unwrap() as u64;
        }
        server
    });
    let block = vec![0; 1 << 20];
    for _ in 0..total >> 20 {
        client.write_all(&block).unwrap();
    }
    let mut server = sink.join().unwrap();
    live.drain();
    live.events.clear();
    for (socket, direction) in [
        (sent[0].socket, Direction::Send),
        (received[0].socket, Direction::Receive),
    ] {
        live.capture.apply(Verdict::SkipTo {
            socket,
            direction,
            offset: 0,
        });
    }
    client.write_all(HEAD).unwrap();
    server.read_exact(&mut [0; HEAD.len()]).unwrap();
    let (sent, received) = live.data(length, length);
    assert_eq!(assemble(&sent, 1 + length + total), HEAD);
    assert_eq!(assemble(&received, length + total), HEAD);
}

#[test]
fn sockets_are_told_apart() {
    let (listener, port) = listen("127.0.0.1");
    let mut live = Live::of_port(port);
    let mut clients: Vec<_> = (0..20)
        .map(|_| connect(&listener, "127.0.0.1", port))
        .collect();
    for (client, _) in &mut clients {
        client.write_all(HEAD).unwrap();
    }
    let (sent, _) = live.data(20 * HEAD.len() as u64, 0);
    let sockets: std::collections::BTreeSet<SocketId> =
        sent.iter().map(|data| data.socket).collect();
    assert_eq!(sockets.len(), 20);
    let addresses = [
        Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::from(Ipv6Addr::LOCALHOST),
    ];
    assert!(
        sent.iter()
            .all(|data| addresses.contains(&data.connection.peer.ip()))
    );
}
