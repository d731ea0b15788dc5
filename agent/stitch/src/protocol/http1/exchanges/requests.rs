//! A request begins and ends.

use crate::event::Direction;
use crate::exchange::{Anomalies, CaptureMarks, Exchange, Outcome, Request, Role, Step};
use crate::protocol::http1::framing::{Framing, Noted};
use crate::protocol::http1::head::{Head, Start};
use crate::protocol::http1::pairing::{Pending, Target};

use super::switching::is_obvious;
use super::{Context, Http1, opposite};

impl Http1 {
    pub(super) fn handle_request(
        &mut self,
        direction: Direction,
        head: Head,
        context: &mut Context<'_>,
    ) {
        let Start::Request {
            method,
            target,
            version,
        } = head.start
        else {
            return;
        };
        context.counters.requests += 1;
        let (noted_anomalies, capture) = self.way(direction).reader.notes();
        // Where only the rest of a packet was not captured, no other message went
        // by unseen.
        let lost = !head.whole && !capture.contains(CaptureMarks::TRUNCATED);
        self.settle_before_request(!lost, context);
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
        self.expects = noted.expects;
        self.switching = switches.then_some(ordinal);
        let reader = &self.way(direction).reader;
        anomalies.extend(noted_anomalies);
        let request = Request {
            method,
            target,
            version,
            fields: head.fields,
            message: reader.message(),
        };
        let role = (context.role)(direction);
        let mut exchange = new_exchange(role, request, anomalies, capture);
        exchange.proxied_client = reader.proxied_client();
        let pending = Pending::new(ordinal, exchange);
        self.queue
            .push(pending, context.limits.pending, context.counters);
        if framing == Framing::Unknown && (head.whole || lost) {
            self.miss_requests(0);
        }
        if lost && self.queue.is_loose() {
            self.queue.give_up(Outcome::Gap, context.counters);
        }
        if self.way_mut(direction).reader.expect_body(framing) {
            self.end_request(context);
        }
        self.drop_unasked(context);
        self.handle_early(context);
    }

    /// Settles what came before a request that begins; `known` says that nothing
    /// was lost in its head.
    fn settle_before_request(&mut self, known: bool, context: &mut Context<'_>) {
        self.end_doubtful_response(context);
        if std::mem::take(&mut self.hidden) {
            self.queue.loosen(false, context.counters);
        }
        self.confirm_none_missed();
        let complete = self.missed.is_none() && known;
        if self.queue.before_request(complete, context.counters) {
            self.target = Some(Target::Front);
        }
        if let Some(at_least) = self.missed.take() {
            self.queue.push_missed(at_least, context.counters);
            self.handle_early(context);
            while self.read_backlog(self.responses(), context) {}
        }
    }

    /// Where every byte between two requests was seen, and none of them names the
    /// protocol, there was no other, wherever the first one ended.
    fn confirm_none_missed(&mut self) {
        let Some(requests) = self.requests else {
            return;
        };
        let hides = self.way(requests).reader.may_hide_request();
        if self.missed == Some(0) && self.early.is_none() && !hides {
            self.missed = None;
        }
    }

    /// The request has come that an early response waited for.
    pub(super) fn handle_early(&mut self, context: &mut Context<'_>) {
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
        let waited = match self.target {
            Some(Target::Floating) => self.queue.may_be_answered(),
            _ => front.is_some_and(|front| front.taken) && self.queue.open() == 0,
        };
        if waited && !self.queue.pipelines() && self.way(responses).reader.is_lost_inside() {
            self.end_response(context);
            self.way_mut(responses).reader.end_here();
        }
    }

    /// A request whose head does not end was answered all the same: the server
    /// did not wait for the rest.
    pub(super) fn begin_cut_request(&mut self, context: &mut Context<'_>) {
        let (Some(requests), true) = (self.requests, self.early.is_some()) else {
            return;
        };
        if let Some(head) = self.way_mut(requests).reader.end_in_head() {
            self.handle_request(requests, head, context);
            while self.read_backlog(self.responses(), context) {}
        }
    }

    /// No request lies where the body of the last one should be.
    pub(super) fn end_doubt(&mut self, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        let reader = &mut self.way_mut(requests).reader;
        if let Some(signal) = reader.end_doubt(context.limits, context.counters) {
            self.handle_signal(requests, signal, context);
        }
    }

    pub(super) fn end_request(&mut self, context: &mut Context<'_>) {
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

    /// A request whose end cannot be told is over when it has been answered.
    pub(super) fn end_lost_request(&mut self, context: &mut Context<'_>) {
        let Some(requests) = self.requests else {
            return;
        };
        if self.way(requests).reader.is_lost_inside() {
            self.end_request(context);
            self.way_mut(requests).reader.end_here();
        }
    }
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
