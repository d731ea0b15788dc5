//! What is not HTTP, and what only looks as if it were not.

use proptest::collection::vec;
use proptest::prelude::*;
use wirespan_stitch::event::SocketId;
use wirespan_stitch::protocol::Protocol;
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

use crate::http_wire::{Outcome, Wire};
use crate::{GET, OK, lines};

/// What is no message has a place and a time, too, even if it comes in pieces.
#[test]
fn an_answer_without_a_status_line_begins_where_it_does() {
    let wire = Wire::new().request(GET).response("\r\nplain text");
    for cut in 2..10 {
        let outcome = wire.run(&wire.pieces(|length| if length < 20 { vec![cut] } else { vec![] }));
        let message = outcome.exchanges[0].1.response.as_ref().unwrap().message;
        assert_eq!((message.offset, message.body_size), (2, 10), "cut at {cut}");
        assert_eq!(message.first.time, Timestamp(2), "cut at {cut}");
    }
}

#[test]
fn what_is_not_http_is_named_and_ignored() {
    let ignored = |wire: &Wire, protocol: Protocol| {
        let outcome: Outcome = wire.run(&wire.whole());
        assert_eq!(
            outcome.verdicts,
            [Verdict::Ignore(SocketId(1))],
            "{protocol:?}"
        );
        assert_eq!(
            outcome.counters.not_http[protocol as usize], 1,
            "{protocol:?}"
        );
        assert_eq!(outcome.counters.requests, 0);
    };
    ignored(
        &Wire::new().request(b"\x16\x03\x01\x00\x0a\x01"),
        Protocol::Tls,
    );
    ignored(
        &Wire::new().request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Protocol::Http2,
    );
    ignored(&Wire::new().response("SSH-2.0-x\r\n"), Protocol::Ssh);
    ignored(
        &Wire::new()
            .response("220 x ESMTP\r\n")
            .request("EHLO x\r\n"),
        Protocol::Greeting,
    );
    ignored(
        &Wire::new()
            .request(b"\0\0\0\x08\x04\xd2\x16\x2f")
            .response("S"),
        Protocol::Postgres,
    );
    ignored(
        &Wire::new().request("*1\r\n$4\r\nPING\r\n"),
        Protocol::Redis,
    );
    ignored(
        &Wire::new().response(b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0"),
        Protocol::MySql,
    );
    ignored(
        &Wire::new().request(b"\0\0\0\x20\0\x12\0\x03\0\0\0\x01\0\x04test"),
        Protocol::Kafka,
    );
}

#[test]
fn a_server_that_speaks_first_may_still_speak_http() {
    let wire = Wire::new()
        .response("hello there\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(lines(&wire, &wire.whole()).len(), 1);
}

proptest! {
    #[test]
    fn random_bytes_are_no_request(calls in vec((any::<bool>(), vec(any::<u8>(), 1..200)), 1..20)) {
        let mut wire = Wire::new();
        for (sent, bytes) in calls {
            wire = if sent { wire.response(bytes) } else { wire.request(bytes) };
        }
        prop_assert_eq!(wire.run(&wire.whole()).counters.requests, 0);
        let bytes = wire.pieces(|length| (1..length).collect());
        prop_assert_eq!(wire.run(&bytes).counters.requests, 0);
    }
}
