//! A response begins and ends.

use std::time::Duration;

use bytes::Bytes;

use crate::exchange::{Anomalies, Anomaly, CaptureMarks, Response, Step, Version};
use crate::protocol::Protocol;
use crate::protocol::http1::framing::{Framing, Noted};
use crate::protocol::http1::head::{Head, Start};
use crate::protocol::http1::pairing::{Answer, Target};

use super::{Context, Http1, opposite};

/// A response that is on its way when the next request is sent comes no earlier
/// than this before it.
const UNASKED: Duration = Duration::from_millis(200);

impl Http1 {
    pub(super) fn handle_response(&mut self, head: Head, context: &mut Context<'_>) {
        let Start::Response { status, version } = head.start else {
            return;
        };
        if (100..200).contains(&status) && status != 101 {
            return self.skip_interim(status, head.whole);
        }
        if status == 101 && self.queue.is_empty() {
            context.counters.responses_unmatched += 1;
            return self.stop(Protocol::Switched, context);
        }
        let requests = opposite(self.responses());
        let answers_last = self.queue.last().is_some_and(|last| !last.taken);
        if answers_last && self.way(requests).reader.holds_whole_body() {
            // What came before the response is no request after it.
            self.end_doubt(context);
        }
        self.count_first_response();
        let Some(target) = self.queue.assign(context.counters) else {
            if self.way(requests).reader.is_lost() {
                // Its request lies in what was not captured behind the last one.
                self.miss_requests(0);
            }
            self.early = Some(head);
            return;
        };
        self.begin_answer(target);
        self.hidden = false;
        let reader = &self.way(self.responses()).reader;
        let (mut anomalies, marks) = reader.notes();
        let message = reader.message();
        // The request that waits for it is the only one: it cannot hide another.
        let alone = !head.whole
            && marks.contains(CaptureMarks::TRUNCATED)
            && self.queue.open() == 0
            && !self.queue.pipelines();
        let noted = Noted::of(&head.fields);
        let framing = match self.framing(status, version, &noted, &mut anomalies) {
            Some(_) if !head.whole => Some(Framing::Unknown),
            framing => framing,
        };
        let upgrade = noted.upgrade.map(Bytes::copy_from_slice);
        let response = Response {
            status: Some(status),
            version,
            message,
        };
        self.answer(response, anomalies, marks, context);
        match framing {
            None => self.switch(status, upgrade, context),
            Some(framing) => self.expect_body(framing, alone, context),
        }
    }

    /// A response that came long before any of the request that follows it is no
    /// answer to that one (RFC 9112 section 9.2), unless it is the last that the
    /// client can get. Where responses may have been paired with the wrong requests
    /// before, one that came any earlier shows that they were.
    pub(super) fn drop_unasked(&mut self, context: &mut Context<'_>) {
        let (requests, responses) = (opposite(self.responses()), self.responses());
        let asked = self.way(requests).reader.message().first.time;
        let came = self.way(responses).reader.message().last.time;
        let before = if self.queue.is_exact() {
            asked.since(came) >= UNASKED
        } else {
            asked > came
        };
        let early = self.early.take_if(|_| before);
        let Some(head) = early else { return };
        let Start::Response { status, version } = head.start else {
            return;
        };
        let noted = Noted::of(&head.fields);
        let framing = match noted.response(version, &mut Anomalies::default()) {
            _ if !head.whole => Framing::Unknown,
            _ if matches!(status, 204 | 304) => Framing::None,
            framing => framing,
        };
        if framing == Framing::UntilClose || closes(&head, version) {
            self.early = Some(head);
            return;
        }
        self.begin_answer(Target::Unmatched);
        self.expect_body(framing, false, context);
    }

    fn begin_answer(&mut self, target: Target) {
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
    }

    fn expect_body(&mut self, framing: Framing, alone: bool, context: &mut Context<'_>) {
        if framing == Framing::Unknown && !alone {
            self.queue.loosen(false, context.counters);
        }
        let responses = self.responses();
        if self.way_mut(responses).reader.expect_body(framing) {
            self.end_response(context);
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

    /// If it is not `whole`, the final response may be in what was not seen. It is
    /// not if there is one before the next request.
    fn skip_interim(&mut self, status: u16, whole: bool) {
        // It may belong to another one where some may have gone by unseen.
        let certain = !self.queue.is_loose();
        if let Some(front) = self.queue.front_mut().filter(|_| certain) {
            front.exchange.interim += 1;
            if status == 100 {
                self.continued = Some(front.ordinal);
            }
        }
        let framing = if whole {
            Framing::None
        } else {
            Framing::Unknown
        };
        let responses = self.responses();
        let (_, marks) = self.way(responses).reader.notes();
        self.hidden = !whole && marks != CaptureMarks::default();
        self.way_mut(responses).reader.expect_body(framing);
    }

    /// What follows a final response; `None` if that is no longer HTTP.
    fn framing(
        &self,
        status: u16,
        version: Version,
        noted: &Noted<'_>,
        anomalies: &mut Anomalies,
    ) -> Option<Framing> {
        let asking = match self.target {
            Some(Target::Front) => self.queue.front(),
            Some(Target::Floating) => self.queue.last(),
            _ => None,
        };
        let method = asking.map(|asking| &asking.exchange.request.method[..]);
        let bodiless = match self.target {
            Some(Target::Front) => Some(method == Some(b"HEAD")),
            Some(Target::Evicted { bodiless }) => Some(bodiless),
            _ => self.queue.bodiless(),
        };
        let tunnel = method == Some(b"CONNECT") && (200..300).contains(&status);
        if status == 101 || tunnel {
            return None;
        }
        if bodiless == Some(true) || status == 204 || status == 304 {
            return Some(Framing::None);
        }
        let framing = noted.response(version, anomalies);
        Some(match (bodiless, framing) {
            (None, Framing::Length(_) | Framing::Chunked { .. }) => Framing::Unknown,
            _ => framing,
        })
    }

    /// Gives the response to whom it belongs.
    pub(super) fn answer(
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
                let complete = self.missed.is_none();
                let limit = context.limits.pending;
                if self.queue.float(answer, complete, limit, context.counters) {
                    self.target = Some(Target::Front);
                }
            }
            _ => {}
        }
    }

    pub(super) fn end_response(&mut self, context: &mut Context<'_>) {
        let reader = &self.ways[self.responses() as usize].reader;
        let message = reader.message();
        let (anomalies, marks) = reader.notes();
        let requests = &self.ways[opposite(self.responses()) as usize].reader;
        // Its end may have gone by: nobody can tell.
        let request_lost = requests.is_lost_inside();
        match self.target.take() {
            Some(Target::Front) => {
                let Some(front) = self.queue.front_mut() else {
                    return;
                };
                front.answered = true;
                let exchange = &mut front.exchange;
                let inferred = exchange.capture.contains(CaptureMarks::END_INFERRED);
                exchange.anomalies.extend(anomalies);
                exchange.capture.insert(marks);
                if let Some(response) = &mut exchange.response {
                    response.message = message;
                }
                // By the times, for it may have waited until the request's head was
                // there; and it was not early if all of the request is told late.
                let request = exchange.request.message;
                let began = request.first.time <= message.first.time;
                let by_then = inferred || request.last.time <= message.last.time;
                let ended = front.sent && by_then;
                if began && !ended && !request_lost {
                    exchange.anomalies.insert(Anomaly::EarlyResponse);
                }
                if !front.sent {
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
}

/// Whether a response says that no other follows it (RFC 9112 section 9.3).
fn closes(head: &Head, version: Version) -> bool {
    let says = |option: &str| {
        let value = head.fields.first("connection").unwrap_or_default();
        let mut options = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        options.any(|told| told.eq_ignore_ascii_case(option.as_bytes()))
    };
    says("close") || (version < Version::Http11 && !says("keep-alive"))
}
