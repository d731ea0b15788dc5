//! One connection: two streams of bytes into exchanges.
//!
//! An input is two bytes that choose how, then the conversation: a byte 1 turns
//! to what the client says, a byte 2 to what the server does; every other byte
//! is said. It is followed whole, cut into pieces, with the engine's verdicts
//! obeyed, and with a part lost.
//!
//! What must hold: each request seen is handed out exactly once, in order; what
//! an exchange says of its messages is what stands in the streams at their
//! offsets; pieces make no difference; and where the conversation is without any
//! doubt, what is lost or skipped of it may leave an exchange incomplete, but
//! never pairs messages otherwise.

use std::sync::Arc;

use bytes::Bytes;
use wirespan_stitch::connection::{Connection, End, Progress, Step};
use wirespan_stitch::event::{Closed, Data, Direction, Shortfall, SocketId, Source, Task};
use wirespan_stitch::exchange::{Anomaly, CaptureMarks, Exchange, Message, Outcome};
use wirespan_stitch::protocol::http1::Heads;
use wirespan_stitch::protocol::{Counters, Limits};
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

use crate::input::Input;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let plan = Plan::new(input.byte(), input.byte());
    let talk = Talk::new(input.rest());

    let whole = talk.follow(&plan, &talk.calls, false);
    whole.check(&talk);
    let pieces = talk.cut(plan.seed);
    let cut = talk.follow(&plan, &pieces, false);
    cut.check(&talk);
    // Where framing broke, it counts where calls begin: pieces are calls, too.
    // Whom a limit on memory hits depends on what waits just then: in pieces, more
    // bytes; of a whole call, more requests while an answer to the first goes on.
    let limits = |all: &Outcomes| all.counters.backlog_limit + all.counters.pending_limit;
    let all_kept = limits(&whole) + limits(&cut) == 0;
    if whole.is_all_http() && cut.is_all_http() && all_kept {
        assert_eq!(cut.exchanges, whole.exchanges, "pieces make a difference");
    }

    let obeyed = talk.follow(&plan, &pieces, true);
    obeyed.check(&talk);
    let lossy = talk.follow(&plan, &lose(&pieces, plan.seed), false);
    lossy.check(&talk);
    if whole.is_without_doubt(&talk) {
        assert_eq!(obeyed.sizes(), whole.sizes(), "skipping makes a difference");
        let pairs = whole.pairs();
        for pair in lossy.pairs() {
            assert!(pairs.contains(&pair), "{pair:?} is not one of {pairs:?}");
        }
    }
}

/// What framing does not recover from by itself.
const BROKEN: [Anomaly; 7] = [
    Anomaly::ExcessBytes,
    Anomaly::InvalidChunk,
    Anomaly::NoStatusLine,
    Anomaly::EncodingNotChunked,
    Anomaly::MisplacedChunked,
    Anomaly::InvalidLength,
    Anomaly::ConflictingLength,
];

/// How a conversation is followed.
#[derive(Debug)]
struct Plan {
    limits: Arc<Limits>,
    /// Whether it is closed at the end, and by RST.
    closed: Option<bool>,
    source: Source,
    seed: u64,
}

/// Bytes that went through in one call.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    direction: Direction,
    time: u64,
    offset: u64,
    bytes: &'a [u8],
}

/// A conversation.
#[derive(Debug)]
struct Talk<'a> {
    calls: Vec<Call<'a>>,
    /// All that was said, by direction.
    streams: [Vec<u8>; 2],
}

/// What was made of it.
#[derive(Debug)]
struct Outcomes {
    exchanges: Vec<(u64, Box<Exchange>)>,
    counters: Counters,
    requests: Option<Direction>,
}

impl Plan {
    fn new(flags: u8, seed: u8) -> Self {
        let small = Limits {
            head: 256,
            trailer: 64,
            // Only one request is kept of a pipeline, or two.
            pending: if flags & 16 == 0 {
                2048
            } else {
                size_of::<Exchange>()
            },
            backlog: 512,
            skip: 16,
            ..Limits::default()
        };
        Self {
            limits: Arc::new(if flags & 1 == 0 {
                Limits::default()
            } else {
                small
            }),
            closed: (flags & 2 == 0).then_some(flags & 4 != 0),
            source: if flags & 8 == 0 {
                Source::Socket
            } else {
                Source::Packets
            },
            seed: u64::from(seed),
        }
    }
}

impl<'a> Talk<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut streams = <[Vec<u8>; 2]>::default();
        let mut calls = Vec::new();
        let mut direction = Direction::Send;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, 1 | 2));
            let (bytes, after) = rest.split_at(end.unwrap_or(rest.len()));
            if !bytes.is_empty() {
                let stream = &mut streams[direction as usize];
                calls.push(Call {
                    direction,
                    time: calls.len() as u64 + 1,
                    offset: stream.len() as u64,
                    bytes,
                });
                stream.extend(bytes);
            }
            if after.first() == Some(&2) {
                direction = Direction::Receive;
            } else {
                direction = Direction::Send;
            }
            rest = after.get(1..).unwrap_or_default();
        }
        Self { calls, streams }
    }

    /// The same calls in pieces; those of one call have its time.
    fn cut(&self, seed: u64) -> Vec<Call<'a>> {
        let mut random = seed;
        let mut pieces = Vec::new();
        for call in &self.calls {
            let mut call = *call;
            while !call.bytes.is_empty() {
                let longest = if seed == 0 { 1 } else { 32 };
                let length = 1 + next(&mut random) as usize % longest;
                let (bytes, rest) = call.bytes.split_at(length.min(call.bytes.len()));
                pieces.push(Call { bytes, ..call });
                call.offset += bytes.len() as u64;
                call.bytes = rest;
            }
        }
        pieces
    }

    fn follow(&self, plan: &Plan, calls: &[Call<'_>], obey: bool) -> Outcomes {
        let mut connection = Connection::new(SocketId(1), plan.source, Arc::clone(&plan.limits));
        let mut outcomes = Outcomes {
            exchanges: Vec::new(),
            counters: Counters::default(),
            requests: None,
        };
        let mut heads = Heads::default();
        let mut requested = 0;
        let mut wanted = Some([0; 2]);
        for call in calls {
            if let Some(data) = wanted.and_then(|wanted| data(call, wanted, plan)) {
                connection.handle_data(data, &mut outcomes.counters, Some(&mut heads));
            }
            while let Some(verdict) = connection.poll_verdict() {
                match (verdict, &mut wanted) {
                    (
                        Verdict::SkipTo {
                            direction, offset, ..
                        },
                        Some(wanted),
                    ) if obey => {
                        wanted[direction as usize] = offset;
                    }
                    (Verdict::Ignore(_), _) if obey => wanted = None,
                    _ => {}
                }
            }
            outcomes.drain(&mut connection, &mut requested);
        }
        self.end(plan, &mut connection, &mut outcomes);
        outcomes.drain(&mut connection, &mut requested);
        outcomes.requests = connection.requests();
        assert_eq!(requested, outcomes.counters.requests);
        assert_eq!(outcomes.exchanges.len() as u64, requested, "all end");
        assert_eq!(outcomes.counters.exchanges_total(), requested);
        outcomes
    }

    fn end(&self, plan: &Plan, connection: &mut Connection, outcomes: &mut Outcomes) {
        let counters = &mut outcomes.counters;
        let Some(reset) = plan.closed else {
            return connection.finish(End::EndOfInput, counters);
        };
        let [sent, received] = self.streams.each_ref().map(|stream| stream.len() as u64);
        let closed = Closed {
            time: Timestamp(self.calls.len() as u64 + 1),
            socket: SocketId(1),
            reset,
            sent: Some(sent),
            received: Some(received),
        };
        connection.handle_closed(&closed, counters);
    }
}

/// The event of a call; `None` if all of it lies below what is wanted.
fn data(call: &Call<'_>, wanted: [u64; 2], plan: &Plan) -> Option<Data> {
    let wanted = wanted[call.direction as usize];
    let end = call.offset + call.bytes.len() as u64;
    if end < wanted {
        return None;
    }
    let unwanted = wanted > call.offset;
    Some(Data {
        time: Timestamp(call.time),
        socket: SocketId(1),
        source: plan.source,
        direction: call.direction,
        task: Task::default(),
        connection: crate::events::connection(0, 0x20),
        offset: call.offset,
        length: call.bytes.len() as u64,
        // The kernel side copies from the start of a call or nothing of it.
        payload: if unwanted && end == wanted {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(call.bytes)
        },
        shortfall: if unwanted && end == wanted {
            Shortfall::Unwanted
        } else {
            Shortfall::None
        },
    })
}

/// Some of the calls, neighbours swapped and repeated here and there.
fn lose<'a>(calls: &[Call<'a>], seed: u64) -> Vec<Call<'a>> {
    let mut random = seed + 1;
    let from = next(&mut random) as usize % (calls.len() + 1);
    let count = 1 + next(&mut random) as usize % 4;
    let mut left = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        if (from..from + count).contains(&index) {
            continue;
        }
        left.push(*call);
        if next(&mut random).is_multiple_of(8) {
            left.push(*call);
        }
    }
    left
}

impl Outcomes {
    fn drain(&mut self, connection: &mut Connection, requested: &mut u64) {
        while let Some(Progress { ordinal, step }) = connection.poll() {
            match step {
                Step::Requested => {
                    assert_eq!(ordinal, *requested, "in order");
                    assert!(connection.exchange(ordinal).is_some());
                    *requested += 1;
                }
                Step::RequestEnded(_) | Step::Answering(_) => assert!(ordinal < *requested),
                Step::Finished(exchange) => {
                    assert!(ordinal < *requested);
                    assert!(self.exchanges.iter().all(|(other, _)| *other != ordinal));
                    self.exchanges.push((ordinal, exchange));
                }
            }
        }
    }

    fn check(&self, talk: &Talk<'_>) {
        let Some(requests) = self.requests else {
            assert!(self.exchanges.is_empty());
            return;
        };
        let [sent, received] = &talk.streams;
        let (from_client, from_server) = match requests {
            Direction::Send => (sent, received),
            Direction::Receive => (received, sent),
        };
        for (_, exchange) in &self.exchanges {
            let request = &exchange.request;
            let head = at(from_client, &request.message);
            assert!(!request.method.is_empty(), "{exchange:?}");
            assert!(contains(head, &request.method), "{exchange:?}");
            assert!(contains(head, &request.target), "{exchange:?}");
            check_sizes(&request.message, from_client, exchange);
            if let Some(response) = &exchange.response {
                let head = at(from_server, &response.message);
                if let Some(status) = response.status {
                    assert!(head.starts_with(b"HTTP/"), "{exchange:?}");
                    let status = status.to_string();
                    let line = head.split(|&byte| byte == b'\n').next();
                    let line = line.unwrap_or_default();
                    assert!(contains(line, status.as_bytes()), "invented {exchange:?}");
                }
                check_sizes(&response.message, from_server, exchange);
            }
        }
    }

    /// Whether nothing had to be searched for: where something has, it counts
    /// what a call begins with. So it does behind an answer to nothing that ends
    /// with the connection.
    fn is_all_http(&self) -> bool {
        let counters = &self.counters;
        // Evicted ones are handed out before it.
        let first = self.exchanges.iter().find(|(ordinal, _)| *ordinal == 0);
        let begins = first.is_some_and(|(_, first)| {
            first.request.message.offset == 0 || first.proxied_client.is_some()
        });
        begins
            && counters.places_lost == 0
            && counters.bytes_searched == 0
            // One that was evicted before its end cannot tell that it was lost.
            && counters.resynchronisations == 0
            && counters.responses_unmatched == 0
            && counters.not_http.iter().all(|count| *count == 0)
            && self.exchanges.iter().all(|(_, exchange)| {
                !BROKEN.iter().any(|odd| exchange.anomalies.contains(*odd))
                    && !exchange.capture.contains(CaptureMarks::END_INFERRED)
                    && exchange.outcome != Outcome::Gap
                    && !is_end_untold(exchange)
            })
    }

    /// Whether there is nothing in the conversation but whole, regular messages,
    /// and no body that looks like one.
    fn is_without_doubt(&self, talk: &Talk<'_>) -> bool {
        let regular = self.exchanges.iter().all(|(_, exchange)| {
            exchange.outcome == Outcome::Complete
                && exchange.anomalies.is_empty()
                && exchange.capture.0 == 0
                && exchange.interim == 0
                && exchange.proxied_client.is_none()
        });
        let versions = talk.streams.iter().map(|stream| {
            let windows = stream.windows(4);
            windows
                .filter(|window| window.eq_ignore_ascii_case(b"http"))
                .count()
        });
        let counters = &self.counters;
        regular
            && versions.sum::<usize>() == 2 * self.exchanges.len()
            && self.is_all_http()
            && counters.pending_limit == 0
            && counters.backlog_limit == 0
    }

    /// Which response was paired with which request, by their offsets.
    fn pairs(&self) -> Vec<(u64, u64)> {
        let pairs = self.exchanges.iter().filter_map(|(_, exchange)| {
            let response = exchange.response.as_ref()?;
            Some((exchange.request.message.offset, response.message.offset))
        });
        pairs.collect()
    }

    fn sizes(&self) -> Vec<[Option<[u64; 4]>; 2]> {
        let sizes = |message: &Message| {
            [
                message.offset,
                message.head_size,
                message.body_wire_size,
                message.body_size,
            ]
        };
        let of = |exchange: &Exchange| {
            let response = exchange.response.as_ref();
            [
                Some(sizes(&exchange.request.message)),
                response.map(|response| sizes(&response.message)),
            ]
        };
        self.exchanges
            .iter()
            .map(|(_, exchange)| of(exchange))
            .collect()
    }
}

/// Whether it may have ended in doubt without being told: one over the limit on
/// memory is handed out with its head. If it waited for 100 (Continue), it counts
/// where calls begin whether its body or the next request follows.
fn is_end_untold(exchange: &Exchange) -> bool {
    let expects = exchange.request.fields.first("expect").is_some();
    exchange.outcome == Outcome::Evicted && expects
}

fn check_sizes(message: &Message, stream: &[u8], exchange: &Exchange) {
    assert!(message.body_size <= message.body_wire_size, "{exchange:?}");
    let end = message.offset + message.head_size + message.body_wire_size;
    assert!(end <= stream.len() as u64, "{exchange:?}");
    assert!(message.first.time <= message.last.time, "{exchange:?}");
}

/// What stands in the stream where a message is said to be.
fn at<'a>(stream: &'a [u8], message: &Message) -> &'a [u8] {
    stream.get(message.offset as usize..).unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// A splitmix generator: the input alone decides.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}
