//! One connection's exchanges: what its two readers find, put together.
//!
//! In: [`Piece`]s of both directions. Out: [`Progress`], and what the
//! connection carries if that is not HTTP/1.x, or no longer.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::event::Direction;
use crate::exchange::{
    Anomalies, Anomaly, CaptureMarks, Exchange, Fields, Outcome, Progress, Request, Response, Role,
    Step, Version,
};
use crate::protocol::{Counters, Limits, Protocol};
use crate::stream::{Cause, Piece};

use super::framing::{Framing, Noted};
use super::head::{self, Head, Kind, Parsed, Start};
use super::pairing::{Answer, Pending, Queue, Target};
use super::reader::{Reader, Signal};

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
    /// Where the response that is being read goes; `None` for an interim one.
    target: Option<Target>,
    /// The head of a response that came before its request.
    early: Option<Head>,
    /// Requests that went by unseen before the next one, at least.
    missed: Option<u32>,
    /// The number of a request after which the connection may carry something
    /// else, which would not be seen from its first bytes.
    switching: Option<u64>,
    /// Number of the next request when the response began.
    ordinal_then: u64,
    /// A final response has been seen.
    answered: bool,
    carries: Option<Protocol>,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    reader: Reader,
    /// What waits for the other direction.
    backlog: VecDeque<Piece>,
    backlog_bytes: usize,
    /// What it began with, if not a head.
    foreign: Option<Protocol>,
    /// Calls that began with no head, since the last head.
    headless: u32,
    begun: bool,
    /// Its beginning was not seen.
    in_the_middle: bool,
}

/// What every step needs.
pub struct Context<'a> {
    /// Limits.
    pub limits: &'a Limits,
    /// Counters.
    pub counters: &'a mut Counters,
    /// The part that the owner plays if requests go in this direction; always
    /// [`Role::Server`] in packet captures.
    pub role: fn(Direction) -> Role,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By FIN.
    Closed,
    /// By RST.
    Reset,
    /// Nothing came for too long.
    Idle,
    /// The input ended first.
    EndOfInput,
    /// It was evicted.
    Evicted,
}

/// Calls that begin with no head, after which nobody looks for one any more in
/// a connection whose beginning was seen, and was none.
const HEADLESS: u32 = 8;
/// The same where the beginning was not seen: so many in each direction. While
/// a long body goes by in one direction the other one is silent, and it begins
/// with a head when it speaks again; so one direction alone proves nothing,
/// however long. Both without a head is no HTTP/1.x, except where both bodies
/// of one exchange were met in their middle and went on side by side.
const HEADLESS_IN_THE_MIDDLE: u32 = 512;

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
        if self.early.take().is_some() {
            context.counters.responses_unmatched += 1;
        }
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
            if self.early.take().is_some() {
                context.counters.responses_unmatched += 1;
                self.queue.begin_loose();
                self.target = Some(Target::Unmatched);
                self.way_mut(responses).reader.expect_body(Framing::Unknown);
            }
        }
        self.queue.settle_in_silence(context.counters);
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
            || self.ways.iter().any(|way| way.reader.is_lost_inside())
    }

    /// How many of the next bytes in a direction are surely content.
    pub fn certain(&self, direction: Direction) -> u64 {
        let way = self.way(direction);
        if way.backlog.is_empty() {
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
        let Some(piece) = way.backlog.pop_front() else {
            return false;
        };
        way.backlog_bytes -= size(&piece);
        let rest = std::mem::take(&mut way.backlog);
        self.read(direction, piece, context);
        self.way_mut(direction).backlog.extend(rest);
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
            let may_begin = self.may_begin(direction);
            let reader = &mut self.way_mut(direction).reader;
            match reader.read(&mut piece, may_begin, context.limits, context.counters) {
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

    /// Whether the connection switched cannot be told if the answer to the
    /// request that asked for it was lost.
    fn check_switch(&mut self, context: &mut Context<'_>) {
        let Some(ordinal) = self.switching else {
            return;
        };
        match self.queue.last() {
            Some(last) if last.ordinal == ordinal && !last.taken => {}
            Some(last) if last.ordinal == ordinal => self.switching = None,
            _ => self.stop(Protocol::Switched, context),
        }
    }

    /// Where responses may go by unseen, one that refused to switch may have,
    /// too: the client that goes on with a request knows.
    fn check_refused(&mut self) {
        let in_doubt = self.switching.is_some() && self.queue.is_loose();
        let (Some(requests), true) = (self.requests, in_doubt) else {
            return;
        };
        if let Some(Piece::Bytes { bytes, .. }) = self.way(requests).backlog.front()
            && let Parsed::Whole(head, _) = head::parse(bytes)
            && head.kind() == Kind::Request
        {
            self.switching = None;
        }
    }

    /// Keeps a piece until the direction may go on. Over the limit only its
    /// length is kept.
    fn hold(&mut self, direction: Direction, piece: Piece, context: &mut Context<'_>) {
        if size(&piece) == 0 && lost(&piece) == 0 {
            return;
        }
        let way = self.way_mut(direction);
        if way.backlog_bytes + size(&piece) <= context.limits.backlog {
            way.backlog_bytes += size(&piece);
            return way.backlog.push_back(piece);
        }
        context.counters.backlog_limit += size(&piece) as u64;
        let (length, hole) = without_bytes(piece);
        match way.backlog.back_mut() {
            Some(Piece::Hole { length: before, .. }) => *before += length,
            _ => way.backlog.push_back(hole),
        }
        if self.early.is_some() {
            self.settle(context);
        }
    }

    /// Whether a head may follow where the body that is read might go on.
    fn may_begin(&self, direction: Direction) -> bool {
        if self.requests == Some(direction) {
            return match self.queue.last() {
                Some(pending) if self.way(direction).reader.is_lost_inside() => pending.taken,
                Some(pending) => pending.answered && expects_continue(&pending.exchange),
                None => true,
            };
        }
        match self.target {
            Some(Target::Front) => {
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
                // clients write the next one in the same call.
                if loss.events || loss.bytes == 0 {
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

    fn handle_request(&mut self, direction: Direction, head: Head, context: &mut Context<'_>) {
        let Start::Request {
            method,
            target,
            version,
        } = head.start
        else {
            return;
        };
        context.counters.requests += 1;
        self.end_doubtful_response(context);
        let complete = self.missed.is_none() && head.whole;
        if self.queue.before_request(complete, context.counters) {
            self.target = Some(Target::Front);
        }
        if let Some(at_least) = self.missed.take() {
            self.queue.push_missed(at_least, context.counters);
            self.handle_early(context);
            while self.read_backlog(self.responses(), context) {}
        }
        let mut anomalies = Anomalies::default();
        let noted = Noted::of(&head.fields);
        let framing = if head.whole {
            noted.request(version, &mut anomalies)
        } else {
            Framing::Unknown
        };
        let upgrades = noted.upgrade.is_some_and(|to| !is_obvious(to));
        let switches = upgrades || &method[..] == b"CONNECT";
        let ordinal = self.ordinal;
        self.ordinal += 1;
        self.sending = Some(ordinal);
        self.switching = switches.then_some(ordinal);
        let reader = &mut self.way_mut(direction).reader;
        let message = reader.message();
        let (noted_anomalies, capture) = reader.notes();
        let proxied_client = reader.proxied_client();
        anomalies.extend(noted_anomalies);
        let request = Request {
            method,
            target,
            version,
            fields: head.fields,
            message,
        };
        let role = (context.role)(direction);
        let mut exchange = new_exchange(role, request, anomalies, capture);
        exchange.proxied_client = proxied_client;
        let pending = Pending::new(ordinal, exchange);
        self.queue
            .push(pending, context.limits.pending, context.counters);
        if framing == Framing::Unknown {
            self.miss_requests(0);
        }
        if !head.whole && self.queue.is_loose() {
            self.queue.give_up(Outcome::Gap, context.counters);
        }
        if self.way_mut(direction).reader.expect_body(framing) {
            self.end_request(context);
        }
        self.handle_early(context);
    }

    /// The request has come that an early response waited for.
    fn handle_early(&mut self, context: &mut Context<'_>) {
        if let Some(head) = self.early.take() {
            self.handle_response(head, context);
        }
    }

    /// A response whose end cannot be told is over when the next request comes
    /// from a client that waits for each response.
    fn end_doubtful_response(&mut self, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        let responses = opposite(requests);
        let front = self.queue.front();
        let waited = front.is_some_and(|front| front.taken) && self.queue.open() == 0;
        if waited && !self.queue.pipelines() && self.way(responses).reader.is_lost_inside() {
            self.end_response(context);
            self.way_mut(responses).reader.end_here();
        }
    }

    fn end_request(&mut self, context: &mut Context<'_>) {
        let (Some(direction), Some(ordinal)) = (self.requests, self.sending.take()) else {
            return;
        };
        let reader = &self.way(direction).reader;
        let message = reader.message();
        let (anomalies, marks) = reader.notes();
        let Some(pending) = self.queue.last_mut() else {
            return;
        };
        if pending.ordinal != ordinal {
            return;
        }
        pending.sent = true;
        pending.exchange.request.message = message;
        pending.exchange.anomalies.extend(anomalies);
        pending.exchange.capture.insert(marks);
        self.queue.tell(ordinal, Step::RequestEnded(message.last));
        self.queue.finish_front(context.counters);
    }

    fn handle_response(&mut self, head: Head, context: &mut Context<'_>) {
        let Start::Response { status, version } = head.start else {
            return;
        };
        if (100..200).contains(&status) && status != 101 {
            return self.skip_interim();
        }
        if status == 101 && self.queue.is_empty() {
            context.counters.responses_unmatched += 1;
            return self.stop(Protocol::Switched, context);
        }
        self.count_first_response();
        let Some(target) = self.queue.assign(context.counters) else {
            self.early = Some(head);
            return;
        };
        self.target = Some(target);
        self.answered = true;
        self.ordinal_then = self.ordinal;
        // A client that waits for each response got the one that it waits for.
        let answers_last = match target {
            Target::Front => true,
            Target::Floating => !self.queue.pipelines(),
            Target::Evicted { .. } | Target::Unmatched => false,
        };
        if answers_last {
            self.switching = None;
        }
        let reader = &self.ways[self.responses() as usize].reader;
        let (mut anomalies, marks) = reader.notes();
        let message = reader.message();
        let framing = self
            .framing(status, version, &head.fields, &mut anomalies)
            .map(|framing| {
                if head.whole {
                    framing
                } else {
                    Framing::Unknown
                }
            });
        let upgrade = Noted::of(&head.fields).upgrade.map(Bytes::copy_from_slice);
        let response = Response {
            status: Some(status),
            version,
            fields: head.fields,
            message,
        };
        self.answer(response, anomalies, marks, context);
        match framing {
            None => self.switch(status, upgrade, context),
            Some(framing) => {
                if framing == Framing::Unknown {
                    self.queue.loosen(false, context.counters);
                }
                let responses = self.responses();
                if self.way_mut(responses).reader.expect_body(framing) {
                    self.end_response(context);
                }
            }
        }
    }

    /// The very first response cannot answer a request that was seen, if the
    /// very first request was not.
    fn count_first_response(&mut self) {
        let Some(requests) = self.requests else {
            return;
        };
        let responses = self.way(opposite(requests));
        let (_, marks) = responses.reader.notes();
        let first = !self.answered
            && !responses.in_the_middle
            && !marks.contains(CaptureMarks::RESYNCHRONISED);
        if first && self.way(requests).in_the_middle {
            self.queue.owe_one();
        }
    }

    fn skip_interim(&mut self) {
        if let Some(front) = self.queue.front_mut() {
            front.exchange.interim += 1;
        }
        let responses = self.responses();
        self.way_mut(responses).reader.expect_body(Framing::None);
    }

    /// What follows a final response; `None` if that is no longer HTTP.
    fn framing(
        &self,
        status: u16,
        version: Version,
        fields: &Fields,
        anomalies: &mut Anomalies,
    ) -> Option<Framing> {
        let asking = match self.target {
            Some(Target::Front) => self.queue.front(),
            Some(Target::Floating) => self.queue.last(),
            _ => None,
        };
        let method = asking.map(|asking| &asking.exchange.request.method[..]);
        let bodiless = match self.target {
            Some(Target::Front) => method == Some(b"HEAD"),
            Some(Target::Evicted { bodiless }) => bodiless,
            _ => self.queue.may_be_bodiless(),
        };
        let tunnel = method == Some(b"CONNECT") && (200..300).contains(&status);
        if status == 101 || tunnel {
            return None;
        }
        if bodiless || status == 204 || status == 304 {
            return Some(Framing::None);
        }
        Some(Noted::of(fields).response(version, anomalies))
    }

    /// Gives the response to whom it belongs.
    fn answer(
        &mut self,
        response: Response,
        anomalies: Anomalies,
        marks: CaptureMarks,
        context: &mut Context<'_>,
    ) {
        match self.target {
            Some(Target::Front) => {
                let Some(front) = self.queue.front_mut() else {
                    return;
                };
                let first = response.message.first;
                front.exchange.anomalies.extend(anomalies);
                front.exchange.response = Some(response);
                let ordinal = front.ordinal;
                self.queue.tell(ordinal, Step::Answering(first));
            }
            Some(Target::Floating) => {
                let answer = Answer {
                    response,
                    anomalies,
                    marks,
                    ended: false,
                };
                if self.queue.float(answer, context.counters) {
                    self.target = Some(Target::Front);
                }
            }
            _ => {}
        }
    }

    fn end_response(&mut self, context: &mut Context<'_>) {
        let reader = &self.ways[self.responses() as usize].reader;
        let message = reader.message();
        let (anomalies, marks) = reader.notes();
        let requests = &self.ways[opposite(self.responses()) as usize].reader;
        // Its end went by, but was not copied.
        let request_cut =
            requests.is_lost_inside() && requests.notes().1.contains(CaptureMarks::TRUNCATED);
        match self.target.take() {
            Some(Target::Front) => {
                let Some(front) = self.queue.front_mut() else {
                    return;
                };
                front.answered = true;
                let exchange = &mut front.exchange;
                exchange.anomalies.extend(anomalies);
                exchange.capture.insert(marks);
                if let Some(response) = &mut exchange.response {
                    response.message = message;
                }
                if !front.sent {
                    if !request_cut {
                        exchange.anomalies.insert(Anomaly::EarlyResponse);
                    }
                    self.end_lost_request(context);
                }
                self.queue.finish_front(context.counters);
            }
            Some(Target::Floating) => {
                if let Some(answer) = self.queue.last_answer() {
                    answer.end(message, anomalies, marks);
                }
            }
            Some(_) => context.counters.responses_unmatched += 1,
            None => {}
        }
    }

    /// A request whose end cannot be told is over when it has been answered.
    fn end_lost_request(&mut self, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        if self.way(requests).reader.is_lost_inside() {
            self.end_request(context);
            self.way_mut(requests).reader.end_here();
        }
    }

    /// The connection now carries something else.
    fn switch(&mut self, status: u16, upgrade: Option<Bytes>, context: &mut Context<'_>) {
        self.queue.settle_at_end(false, context.counters);
        if let Some(front) = self.queue.front_mut().filter(|front| front.taken) {
            let exchange = &mut front.exchange;
            if status == 101 {
                let asked = Noted::of(&exchange.request.fields).upgrade.is_some();
                if !asked {
                    exchange.anomalies.insert(Anomaly::UnaskedSwitch);
                }
                exchange.upgraded_to = upgrade;
            }
            self.queue.finish(Outcome::Upgraded, context.counters);
        }
        self.queue.give_up(Outcome::Upgraded, context.counters);
        self.stop(Protocol::Switched, context);
    }

    fn stop(&mut self, protocol: Protocol, context: &mut Context<'_>) {
        self.carries = Some(protocol);
        context.counters.not_http[protocol as usize] += 1;
        for way in &mut self.ways {
            way.reader.switch_off();
            way.backlog = VecDeque::new();
            way.backlog_bytes = 0;
        }
    }

    /// A direction goes on with what is no head.
    fn handle_foreign(&mut self, direction: Direction, first: &[u8], context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            let protocol = Protocol::of(first);
            self.way_mut(direction).foreign = Some(protocol);
            let other = self.way(opposite(direction)).foreign;
            if protocol.is_certain() || other.is_some() {
                let named = other.filter(|_| protocol == Protocol::Unknown);
                self.stop(named.unwrap_or(protocol), context);
            }
            return;
        };
        if requests == direction {
            return self.miss_requests(0);
        }
        if !self.answered && !self.queue.is_loose() && self.queue.front().is_some() {
            return self.handle_headless(context);
        }
        self.queue.loosen(false, context.counters);
    }

    /// The first answer on the connection is no HTTP/1.x message, but what an
    /// HTTP/0.9 server might send: a body until the close.
    fn handle_headless(&mut self, context: &mut Context<'_>) {
        self.answered = true;
        self.target = self.queue.assign(context.counters);
        let responses = self.responses();
        let reader = &mut self.way_mut(responses).reader;
        reader.accept_headless();
        let response = Response {
            status: None,
            version: Version::Http09,
            fields: Fields::default(),
            message: reader.message(),
        };
        let mut anomalies = Anomalies::default();
        anomalies.insert(Anomaly::NoStatusLine);
        self.answer(response, anomalies, CaptureMarks::default(), context);
    }

    fn note_opening(&mut self, direction: Direction, piece: &Piece) {
        if let Piece::Bytes { opens: true, .. } = piece {
            let way = self.way_mut(direction);
            way.headless = way.headless.saturating_add(1);
        }
    }

    /// Gives up a connection in which no head was ever found.
    fn note_headless(&mut self, direction: Direction, context: &mut Context<'_>) {
        let way = self.way(direction);
        if self.requests.is_some() || !way.reader.is_lost() {
            return;
        }
        let hopeless = match way.foreign {
            Some(_) => way.headless >= HEADLESS,
            None => self
                .ways
                .iter()
                .all(|way| way.headless >= HEADLESS_IN_THE_MIDDLE),
        };
        if hopeless {
            let protocol = way.foreign.unwrap_or(Protocol::Unknown);
            self.stop(protocol, context);
        }
    }

    fn end_by_close(&mut self, end: End, context: &mut Context<'_>) {
        self.end_open_bodies(end, context);
        let known = end != End::EndOfInput || !self.queue.is_unconfirmed();
        let complete = known && self.missed.is_none();
        self.queue.settle_at_end(complete, context.counters);
        let responses_lost = self
            .requests
            .is_some_and(|requests| self.way(opposite(requests)).reader.is_lost());
        let unexplained = self.queue.is_loose() && responses_lost && self.answered;
        self.queue.close(end, unexplained, context.counters);
    }

    /// Bodies that end with the connection.
    fn end_open_bodies(&mut self, end: End, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        if self.way(requests).reader.is_lost_inside() && end != End::EndOfInput {
            self.end_request(context);
        }
        let reader = &self.way(opposite(requests)).reader;
        let ends = match end {
            End::Closed => reader.is_until_close() || reader.is_lost_inside(),
            _ => false,
        };
        if ends {
            self.end_response(context);
        }
    }

    /// Keeps what was read of messages that will not end.
    fn record_unfinished(&mut self) {
        let Some(requests) = self.requests else {
            return;
        };
        let (request, response) = (requests as usize, opposite(requests) as usize);
        if let Some(pending) = self.queue.last_mut()
            && Some(pending.ordinal) == self.sending
        {
            let reader = &self.ways[request].reader;
            pending.exchange.request.message = reader.message();
            pending.exchange.capture.insert(reader.notes().1);
        }
        if self.target == Some(Target::Front)
            && let Some(front) = self.queue.front_mut()
            && let Some(answer) = &mut front.exchange.response
        {
            let reader = &self.ways[response].reader;
            answer.message = reader.message();
            front.exchange.capture.insert(reader.notes().1);
        }
    }

    fn responses(&self) -> Direction {
        self.requests.map_or(Direction::Send, opposite)
    }
}

/// Whether the first bytes of a protocol that can be asked for by this name
/// are no head: the HTTP/2 preface, a TLS record. Nobody need wait to be told
/// whether the connection has switched; Java's `HttpClient` asks for `h2c` in
/// every request, and hardly any server listens.
fn is_obvious(upgrade: &[u8]) -> bool {
    upgrade.eq_ignore_ascii_case(b"h2c") || upgrade.starts_with(b"TLS/")
}

fn new_exchange(
    role: Role,
    request: Request,
    anomalies: Anomalies,
    capture: CaptureMarks,
) -> Box<Exchange> {
    Box::new(Exchange {
        role,
        request,
        response: None,
        interim: 0,
        outcome: Outcome::EndOfInput,
        anomalies,
        capture,
        proxied_client: None,
        upgraded_to: None,
    })
}

/// Whether the client may still wait for 100 (Continue).
fn expects_continue(exchange: &Exchange) -> bool {
    exchange.interim == 0 && Noted::of(&exchange.request.fields).expects
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Send => Direction::Receive,
        Direction::Receive => Direction::Send,
    }
}

/// Bytes that a piece keeps in memory.
fn size(piece: &Piece) -> usize {
    match piece {
        Piece::Bytes { bytes, .. } => bytes.len(),
        Piece::Hole { .. } => 0,
    }
}

fn lost(piece: &Piece) -> u64 {
    match piece {
        Piece::Hole { length, .. } => *length,
        Piece::Bytes { .. } => 0,
    }
}

/// The hole that is left when a piece's bytes are not kept.
fn without_bytes(piece: Piece) -> (u64, Piece) {
    match piece {
        Piece::Hole { length, .. } => (length, piece),
        Piece::Bytes {
            offset, bytes, at, ..
        } => {
            let length = bytes.len() as u64;
            let hole = Piece::Hole {
                offset,
                length,
                cause: Cause::NotCopied,
                at,
            };
            (length, hole)
        }
    }
}
