//! The second half of the engine: what follows from an exchange that starts,
//! is answered and ends, through propagation, causality and placing to a span.

use bytes::Bytes;

use super::Engine;
use crate::causality::{Act, ExchangeId, Features};
use crate::event::{Connection, SocketId, Source};
use crate::exchange::{Exchange, Moment, Role};
use crate::features;
use crate::identity::MessageId;
use crate::propagation;
use crate::sockets::Open;
use crate::span::Span;
use crate::time::{Timestamp, WallTime};
use crate::trace::{Context, Ended, Placed, PlacedBy, Start};

impl Engine {
    pub(super) fn requested(&mut self, id: SocketId, ordinal: u64, now: Timestamp) {
        let exchange_id = self.next_id();
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        let Some(exchange) = socket.http.exchange(ordinal) else {
            return;
        };
        let (facts, source, role) = (socket.connection(), socket.source, exchange.role);
        let at = exchange.request.message.first;
        let message = MessageId::new(&facts, role, exchange.request.message.offset);
        let first = socket.requests == 0;
        let head = Head::read(exchange, &facts, first, &self.config.ignored_parameters);
        let Head {
            features,
            context,
            queued,
            invalid,
        } = head;
        let call = (source == Source::Packets).then_some(ExchangeId(exchange_id.0 + 1));
        socket.requests += 1;
        socket.open.push(Open {
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

    pub(super) fn answering(&mut self, id: SocketId, ordinal: u64, at: Moment) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        let Some(open) = socket
            .open
            .iter()
            .find(|open| open.ordinal == ordinal)
            .copied()
        else {
            return;
        };
        for exchange in [Some(open.id), open.call].into_iter().flatten() {
            self.observe(Act::Answering { exchange, at });
        }
    }

    pub(super) fn finished(
        &mut self,
        id: SocketId,
        ordinal: u64,
        exchange: Box<Exchange>,
        now: Timestamp,
    ) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
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

    pub(super) fn observe(&mut self, act: Act) {
        self.causality.observe(act);
        self.place();
    }

    /// Takes the decisions of the causality stage to their exchanges.
    pub(super) fn place(&mut self) {
        while let Some(mut decision) = self.causality.poll_decision() {
            if let Some(exchange) = self.calls.remove(&decision.call) {
                decision.call = exchange;
            }
            self.assembly.decide(&decision);
        }
        self.hand_out();
    }

    pub(super) fn hand_out(&mut self) {
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
