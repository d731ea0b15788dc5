//! One socket: its two byte streams, and the exchanges that they carry.
//!
//! In: [`Data`] and [`Closed`] of one socket, in the order of their times. Out:
//! [`Progress`] of exchanges and [`Verdict`]s for the source. Finding the
//! socket's connection, and what exchanges mean, is left to the engine.

use std::sync::Arc;

use crate::event::{Closed, Data, Direction, SocketId, Source};
use crate::exchange::{Exchange, Moment, Role};
use crate::protocol::http1::{Context, Heads, Http1};
use crate::protocol::{Counters, Limits, Protocol};
use crate::stream::{Piece, Stream};
use crate::time::Timestamp;
use crate::verdict::Verdict;

pub use crate::exchange::{Progress, Step};
pub use crate::protocol::http1::End;

/// One socket.
#[derive(Debug)]
pub struct Connection {
    limits: Arc<Limits>,
    socket: SocketId,
    source: Source,
    streams: [Stream; 2],
    http: Http1,
    verdicts: [Option<Verdict>; 2],
    ignored: bool,
    settled: bool,
    last: Timestamp,
}

impl Connection {
    /// A socket of which nothing was seen yet.
    pub fn new(socket: SocketId, source: Source, limits: Arc<Limits>) -> Self {
        Self {
            limits,
            socket,
            source,
            streams: <[Stream; 2]>::default(),
            http: Http1::default(),
            verdicts: [None, None],
            ignored: false,
            settled: false,
            last: Timestamp::default(),
        }
    }

    /// Takes the bytes of one call. Those of one direction should come in the
    /// order of their offsets: what is missing is taken as lost, and left out
    /// if it comes later.
    /// `heads` are those of all connections that were read lately, if any.
    pub fn handle_data(
        &mut self,
        data: Data,
        counters: &mut Counters,
        mut heads: Option<&mut Heads>,
    ) {
        self.last = self.last.max(data.time);
        self.settled = false;
        let direction = data.direction;
        let Self {
            limits,
            source,
            streams,
            http,
            ignored,
            ..
        } = self;
        streams[direction as usize].accept(data, counters, |piece, counters| {
            if !*ignored {
                let mut context = context(limits, *source, counters);
                context.heads = heads.as_deref_mut();
                http.handle(direction, piece, &mut context);
            }
        });
        if !self.ignored {
            self.decide(direction);
        }
    }

    /// The socket was closed: every exchange ends.
    pub fn handle_closed(&mut self, closed: &Closed, counters: &mut Counters) {
        let at = Moment {
            time: closed.time,
            ..Moment::default()
        };
        let ends = [
            (Direction::Send, closed.sent),
            (Direction::Receive, closed.received),
        ];
        for (direction, end) in ends {
            let stream = &mut self.streams[direction as usize];
            let hole = end.and_then(|end| stream.finish(end, at, counters));
            if let Some(hole) = hole {
                self.handle_piece(direction, hole, counters);
            }
            if end.is_none() {
                self.http.end_is_unknown(direction);
            }
        }
        let end = if closed.reset {
            End::Reset
        } else {
            End::Closed
        };
        self.finish(end, counters);
    }

    /// Nothing more will be told of this socket: every exchange ends.
    pub fn finish(&mut self, end: End, counters: &mut Counters) {
        let (http, mut context) = self.http(counters);
        http.end(end, &mut context);
    }

    /// The time has come that [`Self::deadline`] told of.
    pub fn handle_timeout(&mut self, now: Timestamp, counters: &mut Counters) {
        let silence = now.since(self.last);
        let (settle, idle) = (self.limits.settle, self.limits.idle);
        let (http, mut context) = self.http(counters);
        if silence >= settle {
            http.settle(&mut context);
        }
        if silence >= idle {
            http.end(End::Idle, &mut context);
        }
        self.settled |= silence >= settle;
    }

    /// When silence will decide something; `None` if it cannot.
    pub fn deadline(&self) -> Option<Timestamp> {
        if !self.settled && self.http.is_in_doubt() {
            Some(self.last + self.limits.settle)
        } else if self.http.is_waiting() {
            Some(self.last + self.limits.idle)
        } else {
            None
        }
    }

    /// The next step of an exchange.
    pub fn poll(&mut self) -> Option<Progress> {
        self.http.poll()
    }

    /// The next thing that the source should be told.
    pub fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.iter_mut().find_map(Option::take)
    }

    /// What is known of an exchange whose `Finished` was not polled yet.
    pub fn exchange(&self, ordinal: u64) -> Option<&Exchange> {
        self.http.exchange(ordinal)
    }

    /// Bytes of memory that keeping what waits takes, about.
    pub fn held(&self) -> usize {
        self.http.held()
    }

    /// The part that the socket's owner plays, once a message has been seen.
    /// [`Role::Server`] in packet captures, whichever way requests go.
    pub fn role(&self) -> Option<Role> {
        self.http.requests().map(role_of(self.source))
    }

    /// The direction that requests go in, once a message has been seen.
    pub fn requests(&self) -> Option<Direction> {
        self.http.requests()
    }

    /// What the connection carries, if that is not HTTP/1.x, or no longer.
    pub fn carries(&self) -> Option<Protocol> {
        self.http.carries()
    }

    fn handle_piece(&mut self, direction: Direction, piece: Piece, counters: &mut Counters) {
        let (http, mut context) = self.http(counters);
        http.handle(direction, piece, &mut context);
    }

    fn http<'a>(&'a mut self, counters: &'a mut Counters) -> (&'a mut Http1, Context<'a>) {
        let context = context(&self.limits, self.source, counters);
        (&mut self.http, context)
    }

    /// Tells the source what of this direction is not wanted.
    fn decide(&mut self, direction: Direction) {
        if self.http.carries().is_some() {
            self.ignored = true;
            self.verdicts = [Some(Verdict::Ignore(self.socket)), None];
            return;
        }
        if self.source == Source::Packets {
            // What was captured cannot be asked for: what is missing was lost.
            return;
        }
        let certain = self.http.certain(direction);
        let stream = &mut self.streams[direction as usize];
        if certain < self.limits.skip {
            return;
        }
        let offset = stream.next().unwrap_or_default().saturating_add(certain);
        if stream.skip_to(offset) {
            self.verdicts[direction as usize] = Some(Verdict::SkipTo {
                socket: self.socket,
                direction,
                offset,
            });
        }
    }
}

fn context<'a>(limits: &'a Limits, source: Source, counters: &'a mut Counters) -> Context<'a> {
    Context {
        limits,
        counters,
        heads: None,
        role: role_of(source),
    }
}

fn role_of(source: Source) -> fn(Direction) -> Role {
    match source {
        Source::Packets => |_| Role::Server,
        Source::Socket => |requests| match requests {
            Direction::Send => Role::Client,
            Direction::Receive => Role::Server,
        },
    }
}
