//! Small systems of exchanges, and the places that they must get.

use super::*;
use crate::exchange::{Fields, Message, Moment, Outcome, Request, Version};

const FIRST: Timestamp = Timestamp(1_000);

/// An assembly with a clock, where message `n` is the n-th on a connection.
struct Stage {
    assembly: Assembly,
    now: Timestamp,
}

impl Stage {
    fn new() -> Self {
        Self {
            assembly: Assembly::new(0.5, false),
            now: FIRST,
        }
    }

    fn start(&mut self, id: u64, role: Role, message: u64, context: Option<Context>) {
        let id = ExchangeId(id);
        let placed_by = match role {
            Role::Server => PlacedBy::Peer,
            Role::Client => PlacedBy::Decision,
        };
        let message = self::message(message);
        self.assembly.start(
            Start {
                id,
                role,
                message,
                context,
                placed_by,
            },
            self.now,
        );
    }

    fn decide(&mut self, call: u64, causes: &[(u64, f32)]) {
        let candidates = causes
            .iter()
            .map(|&(cause, confidence)| Candidate {
                cause: ExchangeId(cause),
                method: Method::Thread,
                confidence,
                evidence: SmallVec::new(),
            })
            .collect();
        self.assembly.decide(&Decision {
            call: ExchangeId(call),
            candidates,
        });
    }

    fn end(&mut self, id: u64, role: Role) {
        self.assembly.end(ExchangeId(id), ended(role), self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.assembly.handle_timeout(self.now);
    }

    fn out(&mut self) -> Vec<Placed> {
        std::iter::from_fn(|| self.assembly.poll()).collect()
    }
}

fn message(offset: u64) -> MessageId {
    let address = "10.0.0.1:80".parse().unwrap();
    let connection = Connection {
        local: address,
        peer: address,
        sent_base: 1,
        received_base: 2,
        opener: None,
    };
    MessageId::new(&connection, Role::Server, offset)
}

fn ended(role: Role) -> Ended {
    let at = Moment {
        time: FIRST,
        ..Moment::default()
    };
    let address = "10.0.0.1:80".parse().unwrap();
    let request = Request {
        method: Bytes::from_static(b"GET"),
        target: Bytes::from_static(b"/"),
        version: Version::Http11,
        fields: Fields::default(),
        message: Message {
            first: at,
            last: at,
            ..Message::default()
        },
    };
    let exchange = Exchange {
        role,
        request,
        response: None,
        interim: 0,
        outcome: Outcome::Complete,
        anomalies: crate::exchange::Anomalies::default(),
        capture: crate::exchange::CaptureMarks::default(),
        proxied_client: None,
        upgraded_to: None,
    };
    let connection = Connection {
        local: address,
        peer: address,
        sent_base: 0,
        received_base: 0,
        opener: None,
    };
    Ended {
        exchange: Box::new(exchange),
        connection,
        process: None,
        queued: None,
    }
}

fn context(trace: u8) -> Context {
    Context {
        trace_id: TraceId([trace; 16]),
        parent: Some(SpanId([trace; 8])),
        state: Bytes::new(),
    }
}

/// curl (1) → front (2), which calls (3) → back (4).
#[test]
fn a_chain_is_placed_when_its_decisions_are_in_and_in_no_other_order() {
    let mut stage = Stage::new();
    stage.start(2, Role::Server, 0, None); // told before the client's call returned
    stage.start(1, Role::Client, 0, None);
    stage.start(3, Role::Client, 9, None);
    stage.start(4, Role::Server, 9, None);
    for (id, role) in [
        (4, Role::Server),
        (3, Role::Client),
        (2, Role::Server),
        (1, Role::Client),
    ] {
        stage.end(id, role);
    }
    assert!(stage.out().is_empty());
    stage.decide(1, &[]);
    stage.decide(3, &[(2, 0.9)]);
    let out = stage.out();
    let places: Vec<_> = out
        .iter()
        .map(|placed| (placed.span_id, &placed.place))
        .collect();
    let parent = |id| {
        places
            .iter()
            .find(|(span, _)| *span == id)
            .unwrap()
            .1
            .parent
    };
    let span = |offset, role| message(offset).span_id(role);
    assert_eq!(parent(span(0, Role::Client)), None);
    assert_eq!(parent(span(0, Role::Server)), Some(span(0, Role::Client)));
    assert_eq!(parent(span(9, Role::Client)), Some(span(0, Role::Server)));
    assert_eq!(parent(span(9, Role::Server)), Some(span(9, Role::Client)));
    assert!(
        places
            .iter()
            .all(|(_, place)| place.trace_id == message(0).trace_id())
    );
    assert_eq!(stage.assembly.open(), 0);
    assert!(stage.assembly.ends.is_empty());
}

#[test]
fn a_server_whose_client_is_not_here_is_a_root_or_hangs_on_its_headers() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, None);
    stage.start(2, Role::Server, 9, Some(context(7)));
    stage.end(1, Role::Server);
    stage.end(2, Role::Server);
    assert!(stage.out().is_empty());
    stage.pass(PEER_LAG);
    let out = stage.out();
    assert_eq!(out[0].place.parent, None);
    assert_eq!(out[1].place.trace_id, TraceId([7; 16]));
    assert_eq!(out[1].place.parent, Some(SpanId([7; 8])));
}

#[test]
fn a_client_that_shows_up_late_is_taken_if_nobody_was_told_otherwise() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, None);
    stage.pass(PEER_LAG * 2);
    stage.start(2, Role::Client, 0, None);
    stage.decide(2, &[]);
    stage.end(1, Role::Server);
    assert_eq!(
        stage.out()[0].place.parent,
        Some(message(0).span_id(Role::Client))
    );
}

#[test]
fn a_doubtful_cause_is_a_link_and_never_a_parent() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, None);
    stage.start(2, Role::Client, 9, None);
    stage.decide(2, &[(1, 0.4), (7, 0.1)]);
    stage.end(2, Role::Client);
    stage.pass(PEER_LAG);
    let place = &stage.out()[0].place;
    assert_eq!(place.parent, None);
    let link = place.link.unwrap();
    assert_eq!(link.span_id, message(0).span_id(Role::Server));
    assert!((link.causality.confidence - 0.4).abs() < 1e-6);
}

#[test]
fn a_call_in_another_trace_links_to_its_cause_and_stays_in_its_trace() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, Some(context(7)));
    stage.start(2, Role::Client, 9, Some(context(8)));
    stage.start(3, Role::Client, 18, Some(context(7)));
    for call in [2, 3] {
        stage.decide(call, &[(1, 1.0)]);
        stage.end(call, Role::Client);
    }
    stage.pass(PEER_LAG);
    let out = stage.out();
    assert_eq!(out[0].place.trace_id, TraceId([8; 16]));
    assert_eq!(out[0].place.parent, Some(SpanId([8; 8])));
    assert_eq!(out[0].place.link.unwrap().trace_id, TraceId([7; 16]));
    assert_eq!(out[1].place.trace_id, TraceId([7; 16]));
    assert_eq!(out[1].place.parent, Some(message(0).span_id(Role::Server)));
}

#[test]
fn a_cause_that_was_handed_out_is_remembered() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, None);
    stage.end(1, Role::Server);
    stage.pass(PEER_LAG);
    assert_eq!(stage.out().len(), 1);
    stage.start(2, Role::Client, 9, None);
    stage.decide(2, &[(1, 0.9)]);
    stage.end(2, Role::Client);
    assert_eq!(
        stage.out()[0].place.parent,
        Some(message(0).span_id(Role::Server))
    );
}

#[test]
fn a_call_to_oneself_is_not_its_own_cause_and_a_circle_ends() {
    let mut stage = Stage::new();
    stage.start(1, Role::Client, 0, None);
    stage.start(2, Role::Server, 0, None);
    stage.decide(1, &[(2, 1.0)]);
    stage.start(3, Role::Client, 9, None);
    stage.start(4, Role::Server, 9, None);
    stage.start(5, Role::Client, 18, None);
    stage.start(6, Role::Server, 18, None);
    stage.decide(3, &[(6, 1.0)]);
    stage.decide(5, &[(4, 1.0)]);
    for id in 1..=6 {
        stage.end(
            id,
            if id % 2 == 0 {
                Role::Server
            } else {
                Role::Client
            },
        );
    }
    assert_eq!(stage.out().len(), 2);
    stage.pass(PLACE_LAG);
    assert_eq!(stage.out().len(), 4);
    assert_eq!(stage.assembly.overdue(), 1);
}

#[test]
fn a_client_tells_when_its_server_read_and_wrote() {
    let mut stage = Stage::new();
    stage.start(1, Role::Client, 0, None);
    stage.start(2, Role::Server, 0, None);
    stage.decide(1, &[]);
    stage.end(1, Role::Client);
    assert!(stage.out().is_empty(), "the server's end is still to come");
    stage.end(2, Role::Server);
    let out = stage.out();
    assert_eq!(out[0].served, Some((FIRST, FIRST)));
    assert_eq!(out.len(), 2);
}

#[test]
fn what_is_left_at_the_end_of_input_is_handed_out() {
    let mut stage = Stage::new();
    stage.start(1, Role::Server, 0, None);
    stage.start(2, Role::Client, 9, None);
    stage.end(1, Role::Server);
    stage.end(2, Role::Client);
    stage.assembly.finish();
    assert_eq!(stage.out().len(), 2);
    assert_eq!(stage.assembly.poll_timeout(), None);
}
