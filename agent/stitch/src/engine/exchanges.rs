//! The second half of the engine: what follows from an exchange that starts,
//! is answered and ends, through propagation, causality and placing to a span.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;

use super::{Config, learning};
use crate::account::Account;
use crate::causality::names::Names;
use crate::causality::{Act, Causality, ExchangeId, Features};
use crate::connection::{Progress, Step};
use crate::event::{Connection, SocketId, Source};
use crate::exchange::{Exchange, Moment, Role};
use crate::features;
use crate::identity::MessageId;
use crate::processes::Processes;
use crate::propagation;
use crate::sockets::{Open, Socket};
use crate::span::Span;
use crate::time::{Clock, Timestamp, WallTime};
use crate::trace::{Assembly, Context, Ended, Placed, PlacedBy, Start};

/// The stages behind HTTP: in, what sockets have to say; out, spans.
#[derive(Debug)]
pub(super) struct Exchanges {
    pub(super) account: Account,
    pub(super) clock: Clock,
    pub(super) processes: Processes,
    pub(super) spans: VecDeque<Span>,
    pub(super) causality: Causality,
    pub(super) names: Names,
    /// In packet captures: the exchange that a call is another name of.
    calls: HashMap<ExchangeId, ExchangeId>,
    assembly: Assembly,
    last_id: u64,
    /// See [`Config::ignored_parameters`].
    ignored_parameters: Vec<String>,
}

impl Exchanges {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            account: Account::default(),
            clock: Clock::default(),
            processes: Processes::default(),
            spans: VecDeque::new(),
            causality: Causality::new(learning::audited(config)),
            names: Names::default(),
            calls: HashMap::new(),
            assembly: Assembly::new(config.parent_confidence, config.keep_candidates),
            last_id: 0,
            ignored_parameters: config.ignored_parameters.clone(),
        }
    }

    /// Takes out what a socket has to say of its exchanges.
    pub(super) fn take(&mut self, id: SocketId, socket: &mut Socket, now: Timestamp) {
        while let Some(Progress { ordinal, step }) = socket.http.poll() {
            match step {
                Step::Requested => self.requested(id, socket, ordinal, now),
                Step::RequestEnded(_) => {}
                Step::Answering(at) => self.answering(socket, ordinal, at),
                Step::Finished(exchange) => self.finished(socket, ordinal, exchange, now),
            }
        }
    }

    pub(super) fn observe(&mut self, act: Act) {
        self.causality.observe(act);
        self.place();
    }

    pub(super) fn causality_timeout(&mut self, now: Timestamp) {
        self.causality.handle_timeout(now);
        self.place();
    }

    pub(super) fn placement_timeout(&mut self, now: Timestamp) {
        self.assembly.handle_timeout(now);
        self.hand_out();
    }

    pub(super) fn causality_due(&self) -> Option<Timestamp> {
        self.causality.poll_timeout()
    }

    pub(super) fn placement_due(&self) -> Option<Timestamp> {
        self.assembly.poll_timeout()
    }

    /// The input has ended, and so have all sockets.
    pub(super) fn finish(&mut self) {
        self.causality.finish();
        self.place();
        self.assembly.finish();
        self.hand_out();
    }

    /// The account, but for what only the stages before know.
    pub(super) fn account(&self) -> Account {
        Account {
            open: self.assembly.open() as u64 + self.spans.len() as u64,
            overdue: self.assembly.overdue(),
            causality: self.causality.counters(),
            ..self.account.clone()
        }
    }

    fn requested(&mut self, id: SocketId, socket: &mut Socket, ordinal: u64, now: Timestamp) {
        let exchange_id = self.next_id();
        let Some(exchange) = socket.http.exchange(ordinal) else {
            return;
        };
        let (facts, source, role) = (socket.connection(), socket.source, exchange.role);
        let at = exchange.request.message.first;
        let message = MessageId::new(&facts, role, exchange.request.message.offset);
        let first = socket.requests == 0;
        let head = Head::read(exchange, &facts, first, &self.ignored_parameters);
        let Head {
            features,
            context,
            queued,
            invalid,
        } = head;
        learning::note(&mut self.names, exchange, &features, facts.peer);
        let call = (source == Source::Packets).then_some(ExchangeId(exchange_id.0 + 1));
        socket.requests += 1;
        socket.open.push_back(Open {
            ordinal,
            id: exchange_id,
            call,
            queued,
        });
        self.account.seen += 1;
        self.account.invalid_contexts += u64::from(invalid);
        let by_peer = role == Role::Server && source == Source::Socket;
        let placed_by = if by_peer {
            PlacedBy::Peer
        } else {
            PlacedBy::Decision
        };
        self.assembly.start(
            Start {
                id: exchange_id,
                role,
                message,
                context,
                placed_by,
            },
            now,
        );

        if let Some(call) = call {
            self.last_id = call.0;
            self.calls.insert(call, exchange_id);
            let (exchange, role) = (call, Role::Client);
            let features = features::as_call(&features, &facts);
            self.observe(Act::Started {
                exchange,
                role,
                socket: id,
                at,
                features,
            });
        }
        self.observe(Act::Started {
            exchange: exchange_id,
            role,
            socket: id,
            at,
            features,
        });
    }

    fn answering(&mut self, socket: &Socket, ordinal: u64, at: Moment) {
        let Some(open) = socket.find(ordinal) else {
            return;
        };
        for exchange in [Some(open.id), open.call].into_iter().flatten() {
            self.observe(Act::Answering { exchange, at });
        }
    }

    fn finished(
        &mut self,
        socket: &mut Socket,
        ordinal: u64,
        exchange: Box<Exchange>,
        now: Timestamp,
    ) {
        let Some(open) = socket.close(ordinal) else {
            return;
        };
        let connection = socket.connection();
        let message = exchange
            .response
            .as_ref()
            .map_or(&exchange.request.message, |r| &r.message);
        let at = message.last;
        let process = self.processes.get(exchange.request.message.first.task.pid);
        let ended = Ended {
            exchange,
            connection,
            process,
            queued: open.queued,
        };
        for exchange in [Some(open.id), open.call].into_iter().flatten() {
            self.observe(Act::Ended { exchange, at });
        }
        self.assembly.end(open.id, ended, now);
        self.hand_out();
    }

    /// Takes the decisions of the causality stage to their exchanges.
    fn place(&mut self) {
        while let Some(mut decision) = self.causality.poll_decision() {
            if let Some(exchange) = self.calls.remove(&decision.call) {
                decision.call = exchange;
            }
            self.assembly.decide(&decision);
        }
        self.hand_out();
    }

    fn hand_out(&mut self) {
        while let Some(placed) = self.assembly.poll() {
            self.account.spans += 1;
            let span = self.span(placed);
            self.spans.push_back(span);
        }
    }

    fn span(&self, placed: Placed) -> Span {
        let Placed {
            ended,
            span_id,
            place,
            state,
            served,
            candidates,
        } = placed;
        let Ended {
            exchange,
            connection,
            process,
            queued,
        } = ended;
        let wall = |time| self.clock.wall(time);
        let request = exchange.request.message;
        let response = exchange.response.as_ref().map(|response| response.message);
        let (mut start, mut end) = (request.first.time, response.unwrap_or(request).last.time);
        // A call is told when it returns, which can be after the other end has
        // read what it sent: a client began no later, and ended no sooner.
        if let Some((read, written)) = served {
            (start, end) = (start.min(read), end.max(written));
        }
        Span {
            trace_id: place.trace_id,
            span_id,
            parent: place.parent,
            trace_state: state,
            link: place.link,
            causality: place.causality,
            kind: exchange.role,
            start: wall(start),
            end: wall(end),
            request_end: wall(request.last.time),
            response_start: response.map(|message| wall(message.first.time)),
            served: served.map(|(read, written)| (wall(read), wall(written))),
            queued,
            process,
            local: connection.local,
            peer: connection.peer,
            exchange,
            candidates,
        }
    }

    fn next_id(&mut self) -> ExchangeId {
        self.last_id += 1;
        ExchangeId(self.last_id)
    }
}

/// What a request's head says to the stages behind HTTP.
struct Head {
    features: Features,
    context: Option<Context>,
    queued: Option<WallTime>,
    invalid: bool,
}

impl Head {
    fn read(
        exchange: &Exchange,
        connection: &Connection,
        first_on_socket: bool,
        ignored: &[String],
    ) -> Self {
        let propagated = propagation::extract(exchange.request.fields.iter());
        let features = features::of(exchange, connection, &propagated, first_on_socket, ignored);
        let context = propagated.context.map(|context| Context {
            trace_id: context.trace_id,
            parent: context.parent,
            state: Bytes::copy_from_slice(&context.state),
        });
        let queued = propagated.queue_start;
        Self {
            features,
            context,
            queued,
            invalid: !propagated.invalid.is_empty(),
        }
    }
}
