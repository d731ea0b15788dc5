//! One connection's exchanges: what its two readers find, put together.
//!
//! In: [`Piece`]s of both directions. Out: [`Progress`], and what the
//! connection carries if that is not HTTP/1.x, or no longer.

mod endings;
mod foreign;
mod requests;
mod responses;
mod switching;
mod way;

use crate::event::Direction;
use crate::exchange::{CaptureMarks, Exchange, Outcome, Progress, Role};
use crate::protocol::{Counters, Limits, Protocol};
use crate::stream::{Cause, Piece};

use self::way::Way;
use super::framing::Framing;
use super::head::{Head, Kind};
use super::heads::Heads;
use super::pairing::{Queue, Target};
use super::reader::Signal;

pub use self::endings::End;

/// The exchanges of one connection.
#[derive(Debug, Default)]
pub struct Http1 {
    ways: [Way; 2],
    /// The direction that requests go in, once that is known.
    requests: Option<Direction>,
    queue: Queue,
    ordinal: u64,
    /// The request that is being read.
    sending: Option<u64>,
    /// It may go without its body: it waits for 100 (Continue).
    expects: bool,
    /// Where the response that is being read goes; `None` for an interim one.
    target: Option<Target>,
    /// The head of a response that came before its request.
    early: Option<Head>,
    /// Requests that went by unseen before the next one, at least.
    missed: Option<u32>,
    /// The number of a request after which the connection may carry something
    /// else, which would not be seen from its first bytes.
    switching: Option<u64>,
    /// The request to which 100 (Continue) came last.
    continued: Option<u64>,
    /// A final response may have gone by behind an interim one.
    hidden: bool,
    /// Number of the next request when the response began.
    ordinal_then: u64,
    /// A final response has been seen.
    answered: bool,
    carries: Option<Protocol>,
}

/// What every step needs.
pub struct Context<'a> {
    /// Limits.
    pub limits: &'a Limits,
    /// Counters.
    pub counters: &'a mut Counters,
    /// Heads that were read lately, where the same may come again.
    pub heads: Option<&'a mut Heads>,
    /// The part that the owner plays if requests go in this direction; always
    /// [`Role::Server`] in packet captures.
    pub role: fn(Direction) -> Role,
}

impl Http1 {
    /// Takes the next piece of one direction.
    pub fn handle(&mut self, direction: Direction, piece: Piece, context: &mut Context<'_>) {
        if self.carries.is_some() {
            return;
        }
        self.begin_way(direction, &piece);
        self.read(direction, piece, context);
        while self.read_backlog(Direction::Send, context)
            || self.read_backlog(Direction::Receive, context)
        {}
    }

    /// Ends everything that waits.
    pub fn end(&mut self, end: End, context: &mut Context<'_>) {
        self.begin_cut_request(context);
        if self.early.take().is_some() {
            context.counters.responses_unmatched += 1;
        }
        self.end_in_response_head(context);
        self.end_doubt(context);
        self.record_unfinished();
        match end {
            End::Closed | End::Reset | End::EndOfInput => self.end_by_close(end, context),
            End::Idle => self.queue.give_up(Outcome::TimedOut, context.counters),
            End::Evicted => self.queue.give_up(Outcome::Evicted, context.counters),
        }
    }

    /// All has been silent for a while: nothing more is expected.
    pub fn settle(&mut self, context: &mut Context<'_>) {
        if let Some(requests) = self.requests {
            let responses = opposite(requests);
            if self.way(responses).reader.is_lost_inside() {
                self.end_response(context);
                self.way_mut(responses).reader.end_here();
            }
            self.begin_cut_request(context);
            if self.way(requests).reader.holds_whole_body() {
                self.end_doubt(context);
            }
        }
        let complete = self.missed.is_none();
        self.queue.settle_in_silence(complete, context.counters);
    }

    /// The next thing to tell.
    pub fn poll(&mut self) -> Option<Progress> {
        self.queue.poll()
    }

    /// The exchange with this number, until its end has been polled.
    pub fn exchange(&self, ordinal: u64) -> Option<&Exchange> {
        self.queue.exchange(ordinal)
    }

    /// The direction that requests go in, once that is known.
    pub fn requests(&self) -> Option<Direction> {
        self.requests
    }

    /// What the connection carries, if that is not HTTP/1.x, or no longer.
    pub fn carries(&self) -> Option<Protocol> {
        self.carries
    }

    /// Whether requests wait for their responses.
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether silence would decide something.
    pub fn is_in_doubt(&self) -> bool {
        self.early.is_some()
            || self.queue.is_in_doubt()
            || self
                .ways
                .iter()
                .any(|way| way.reader.is_lost_inside() || way.reader.holds_whole_body())
    }

    /// Bytes of memory that keeping what waits takes, about.
    pub fn held(&self) -> usize {
        let ways: usize = self.ways.iter().map(Way::held).sum();
        ways + self.queue.held()
    }

    /// How many of the next bytes in a direction are surely content.
    pub fn certain(&self, direction: Direction) -> u64 {
        let way = self.way(direction);
        let doubtful = way.reader.is_in_doubt() && self.may_begin(direction);
        if way.backlog.is_empty() && !doubtful {
            way.reader.certain()
        } else {
            0
        }
    }

    fn way(&self, direction: Direction) -> &Way {
        &self.ways[direction as usize]
    }

    fn way_mut(&mut self, direction: Direction) -> &mut Way {
        &mut self.ways[direction as usize]
    }

    /// A direction that is met in the middle begins with a search.
    fn begin_way(&mut self, direction: Direction, piece: &Piece) {
        if std::mem::replace(&mut self.way_mut(direction).begun, true) {
            return;
        }
        let in_the_middle = matches!(
            piece,
            Piece::Hole {
                cause: Cause::Before,
                ..
            }
        );
        let other = self.way(opposite(direction));
        let other_from_start = other.begun && !other.in_the_middle;
        if in_the_middle && !other_from_start {
            let way = self.way_mut(direction);
            way.reader.begin_lost();
            way.in_the_middle = true;
            self.queue.begin_loose();
            if self.ways.iter().all(|way| way.in_the_middle) {
                self.queue.trust();
            }
        }
    }

    fn read_backlog(&mut self, direction: Direction, context: &mut Context<'_>) -> bool {
        if self.is_held(direction) {
            return false;
        }
        let way = self.way_mut(direction);
        let Some(piece) = way.next_held() else {
            return false;
        };
        let rest = std::mem::take(&mut way.backlog);
        self.read(direction, piece, context);
        if self.carries.is_none() {
            self.way_mut(direction).hold_behind(rest);
        }
        true
    }

    fn read(&mut self, direction: Direction, mut piece: Piece, context: &mut Context<'_>) {
        loop {
            if self.carries.is_some() {
                return;
            }
            if self.is_held(direction) || !self.way(direction).backlog.is_empty() {
                self.hold(direction, piece, context);
                return self.check_refused();
            }
            self.note_opening(direction, &piece);
            let may_begin = !way::is_empty(&piece) && self.may_begin(direction);
            let reader = &mut self.way_mut(direction).reader;
            let heads = context.heads.as_deref_mut();
            match reader.read(
                &mut piece,
                may_begin,
                heads,
                context.limits,
                context.counters,
            ) {
                Some(signal) => {
                    self.handle_signal(direction, signal, context);
                    self.check_switch(context);
                }
                None => return self.note_headless(direction, context),
            }
        }
    }

    /// Whether a direction must wait for the other one.
    fn is_held(&self, direction: Direction) -> bool {
        self.way(direction).reader.is_paused()
            || (self.requests == Some(direction)
                && self.sending.is_none()
                && self.switching.is_some())
    }

    /// Keeps a piece until the direction may go on. Over the limit only its
    /// length is kept.
    fn hold(&mut self, direction: Direction, piece: Piece, context: &mut Context<'_>) {
        let over = self.way_mut(direction).hold(piece, context.limits.backlog);
        context.counters.backlog_limit += over as u64;
        if over > 0 && self.early.is_some() {
            self.settle(context);
            self.give_up_early(context);
        }
    }

    /// The request that an early response waits for has not come.
    fn give_up_early(&mut self, context: &mut Context<'_>) {
        if self.early.take().is_some() {
            context.counters.responses_unmatched += 1;
            self.queue.begin_loose();
            self.target = Some(Target::Unmatched);
            let responses = self.responses();
            self.way_mut(responses).reader.expect_body(Framing::Unknown);
        }
    }

    /// Whether a head may follow where the body that is read might go on.
    fn may_begin(&self, direction: Direction) -> bool {
        if self.requests == Some(direction) {
            if !self.way(direction).reader.is_lost_inside() {
                // That it was refused may have gone by unseen.
                return self.expects && self.continued != self.sending;
            }
            return self.queue.last().is_none_or(|last| {
                last.taken || self.queue.may_be_answered() || is_cut_get(&last.exchange)
            });
        }
        match self.target {
            Some(Target::Front | Target::Evicted { .. }) => {
                self.queue.open() > 0
                    && (self.way(direction).reader.is_lost_inside()
                        || (self.way(direction).reader.is_until_close()
                            && self.ordinal > self.ordinal_then))
            }
            _ => true,
        }
    }

    fn handle_signal(&mut self, direction: Direction, signal: Signal, context: &mut Context<'_>) {
        match signal {
            Signal::Head(head) => {
                self.way_mut(direction).headless = 0;
                self.learn_requests(direction, head.kind());
                match head.kind() {
                    Kind::Request => self.handle_request(direction, head, context),
                    Kind::Response => self.handle_response(head, context),
                }
            }
            Signal::Ended if self.requests == Some(direction) => self.end_request(context),
            Signal::Ended => self.end_response(context),
            Signal::Foreign(first) => self.handle_foreign(direction, &first, context),
            Signal::LostInside(loss) if self.requests == Some(direction) => {
                // What was not copied of a call is the rest of this message: few
                // clients write the next one in the same call, but for those that
                // do not wait for answers.
                let pipelines = self.queue.pipelines() || self.queue.open() > 1;
                if loss.events || loss.bytes == 0 || pipelines {
                    self.miss_requests(0);
                }
            }
            Signal::LostInside(loss) => self.queue.loosen(loss.events, context.counters),
            Signal::LostBetween(loss) => match self.requests {
                Some(requests) if requests != direction => {
                    self.queue.miss_response(loss, context.counters);
                }
                Some(_) => self.miss_requests(1),
                None => self.queue.begin_loose(),
            },
        }
    }

    fn learn_requests(&mut self, direction: Direction, kind: Kind) {
        if self.requests.is_some() {
            return;
        }
        let requests = match kind {
            Kind::Request => direction,
            Kind::Response => opposite(direction),
        };
        self.requests = Some(requests);
        self.way_mut(requests).reader.only(Kind::Request);
        self.way_mut(opposite(requests)).reader.only(Kind::Response);
    }

    fn miss_requests(&mut self, at_least: u32) {
        let missed = self.missed.get_or_insert(0);
        *missed = (*missed).max(at_least);
    }

    fn responses(&self) -> Direction {
        self.requests.map_or(Direction::Send, opposite)
    }
}

/// Whether a request hardly has a body, though that was not captured.
fn is_cut_get(exchange: &Exchange) -> bool {
    let cut = exchange.capture.contains(CaptureMarks::TRUNCATED);
    cut && matches!(&exchange.request.method[..], b"GET" | b"HEAD")
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Send => Direction::Receive,
        Direction::Receive => Direction::Send,
    }
}
