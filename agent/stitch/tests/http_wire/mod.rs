//! Conversations on the wire, turned into events, and what is seen of them.

use std::sync::Arc;

use bytes::Bytes;
use wirespan_stitch::connection::{Connection, End, Step};
use wirespan_stitch::event::{
    Closed, Connection as Ends, Data, Direction, Opener, Shortfall, SocketId, Source, Task,
};
use wirespan_stitch::exchange::{CaptureMarks, Exchange};
use wirespan_stitch::protocol::{Counters, Limits};
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

/// What the two ends of a connection say, in an order that really happened.
/// Seen at the server: requests are received, responses are sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    /// What is said, and by whom, in this order.
    pub(crate) said: Vec<(Direction, Vec<u8>)>,
    /// How it ends.
    pub(crate) end: Ending,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With FIN.
    #[default]
    Closed,
    /// With RST.
    Reset,
    /// It does not: the input ends.
    Open,
}

/// What a connection told, and what it counted.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The exchanges, in the order of their ends, with their ordinals.
    pub(crate) exchanges: Vec<(u64, Exchange)>,
    /// Verdicts, in order.
    pub(crate) verdicts: Vec<Verdict>,
    /// Counters.
    pub(crate) counters: Counters,
}

impl Wire {
    /// A conversation in which nothing is said yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The client says.
    pub(crate) fn request(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.said
            .push((Direction::Receive, bytes.as_ref().to_vec()));
        self
    }

    /// The server says.
    pub(crate) fn response(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.said.push((Direction::Send, bytes.as_ref().to_vec()));
        self
    }

    /// How it ends.
    pub(crate) fn ends(mut self, end: Ending) -> Self {
        self.end = end;
        self
    }

    /// One event for each thing that is said.
    pub(crate) fn whole(&self) -> Vec<Data> {
        self.pieces(|_| Vec::new())
    }

    /// One event for each piece; `cuts` gives, for the length of what is said,
    /// where it is cut.
    pub(crate) fn pieces(&self, mut cuts: impl FnMut(usize) -> Vec<usize>) -> Vec<Data> {
        let mut offsets = [0_u64; 2];
        let mut events = Vec::new();
        for (direction, bytes) in &self.said {
            let mut cuts = cuts(bytes.len());
            cuts.push(bytes.len());
            let mut from = 0;
            for to in cuts {
                if to > from {
                    let offset = &mut offsets[*direction as usize];
                    let time = events.len() as u64 + 1;
                    events.push(data(time, *direction, *offset, &bytes[from..to]));
                    *offset += (to - from) as u64;
                    from = to;
                }
            }
        }
        events
    }

    /// What is seen of these events and the end.
    pub(crate) fn run(&self, events: &[Data]) -> Outcome {
        self.run_with(events, &Limits::default())
    }

    /// The same, with other limits.
    pub(crate) fn run_with(&self, events: &[Data], limits: &Limits) -> Outcome {
        let mut outcome = Outcome::default();
        let limits = Arc::new(*limits);
        let mut connection = Connection::new(SocketId(1), Source::Socket, limits);
        let mut last = Timestamp(0);
        for event in events {
            last = event.time;
            connection.handle_data(event.clone(), &mut outcome.counters, None);
            drain(&mut connection, &mut outcome);
        }
        match self.end {
            Ending::Open => connection.finish(End::EndOfInput, &mut outcome.counters),
            Ending::Closed | Ending::Reset => {
                let ends = self.lengths();
                let closed = Closed {
                    time: Timestamp(last.0 + 1),
                    socket: SocketId(1),
                    reset: self.end == Ending::Reset,
                    sent: Some(ends[Direction::Send as usize]),
                    received: Some(ends[Direction::Receive as usize]),
                };
                connection.handle_closed(&closed, &mut outcome.counters);
            }
        }
        drain(&mut connection, &mut outcome);
        let told = outcome.counters.exchanges_total();
        assert_eq!(outcome.counters.requests, told, "every request is told of");
        assert_eq!(outcome.exchanges.len() as u64, told);
        outcome
    }

    /// Bytes that each direction carries.
    pub(crate) fn lengths(&self) -> [u64; 2] {
        let mut lengths = [0; 2];
        for (direction, bytes) in &self.said {
            lengths[*direction as usize] += bytes.len() as u64;
        }
        lengths
    }
}

/// One call.
pub(crate) fn data(time: u64, direction: Direction, offset: u64, bytes: &[u8]) -> Data {
    Data {
        time: Timestamp(time),
        socket: SocketId(1),
        source: Source::Socket,
        direction,
        task: Task::default(),
        connection: Ends {
            local: ([127, 0, 0, 1], 80).into(),
            peer: ([127, 0, 0, 1], 40000).into(),
            sent_base: 1,
            received_base: 2,
            opener: Some(Opener::Peer),
        },
        offset,
        length: bytes.len() as u64,
        payload: Bytes::copy_from_slice(bytes),
        shortfall: Shortfall::None,
    }
}

/// The events without the bytes `from..to` of one direction; what is left of a
/// call after them is a call of its own.
pub(crate) fn without(events: &[Data], direction: Direction, from: u64, to: u64) -> Vec<Data> {
    let mut left = Vec::new();
    for event in events {
        let end = event.offset + event.length;
        if event.direction != direction || end <= from || event.offset >= to {
            left.push(event.clone());
            continue;
        }
        if event.offset < from {
            left.push(part(event, event.offset, from));
        }
        if end > to {
            left.push(part(event, to, end));
        }
    }
    left
}

/// What is seen of an exchange, in one line.
pub(crate) fn line(exchange: &Exchange) -> String {
    let (request, response) = (&exchange.request, exchange.response.as_ref());
    let status = match response.map(|response| response.status) {
        None => "-".to_owned(),
        Some(None) => "no-status".to_owned(),
        Some(Some(status)) => status.to_string(),
    };
    let received = response.map_or("-".to_owned(), |response| {
        response.message.body_size.to_string()
    });
    let mut words = vec![
        request.method.escape_ascii().to_string(),
        request.target.escape_ascii().to_string(),
        status,
        format!("{}/{received}", request.message.body_size),
        format!("{:?}", exchange.outcome),
    ];
    if exchange.interim > 0 {
        words.push(format!("interim={}", exchange.interim));
    }
    words.extend(
        exchange
            .proxied_client
            .map(|client| format!("for {client}")),
    );
    if let Some(protocol) = &exchange.upgraded_to {
        words.push(format!("to {}", protocol.escape_ascii()));
    }
    words.extend(
        exchange
            .anomalies
            .iter()
            .map(|anomaly| anomaly.as_str().to_owned()),
    );
    let marks = [
        (CaptureMarks::TRUNCATED, "TRUNCATED"),
        (CaptureMarks::GAP, "GAP"),
        (CaptureMarks::RESYNCHRONISED, "RESYNCHRONISED"),
        (CaptureMarks::END_INFERRED, "END_INFERRED"),
    ];
    let set = marks
        .iter()
        .filter(|(mark, _)| exchange.capture.contains(*mark));
    words.extend(set.map(|(_, name)| (*name).to_owned()));
    words.join(" ")
}

impl Outcome {
    /// One line for each exchange, in the order of their requests.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut exchanges: Vec<_> = self.exchanges.iter().collect();
        exchanges.sort_by_key(|(ordinal, _)| *ordinal);
        exchanges
            .iter()
            .map(|(_, exchange)| line(exchange))
            .collect()
    }
}

fn part(event: &Data, from: u64, to: u64) -> Data {
    let range = (from - event.offset) as usize..(to - event.offset) as usize;
    Data {
        offset: from,
        length: to - from,
        payload: event.payload.slice(range),
        ..event.clone()
    }
}

fn drain(connection: &mut Connection, outcome: &mut Outcome) {
    while let Some(progress) = connection.poll() {
        match progress.step {
            Step::Requested => assert!(connection.exchange(progress.ordinal).is_some()),
            Step::Finished(exchange) => outcome.exchanges.push((progress.ordinal, *exchange)),
            Step::RequestEnded(_) | Step::Answering(_) => {}
        }
    }
    while let Some(verdict) = connection.poll_verdict() {
        outcome.verdicts.push(verdict);
    }
}
