//! What wirespan found, held against what the URLs say.
//!
//! In: exported spans, and what the leaves were asked. Out: one [`Score`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde::Serialize;
use wirespan_tests::span::{Kind, Span};

use super::truth::{self, Purpose, Truth};

/// Confidence from which a wrong parent is a broken promise.
const SURE: f64 = 0.9;
/// Bins of the calibration error.
const BINS: usize = 10;

/// Every score of one run. Shares are from 0 to 1; `None` where there was
/// nothing to be right or wrong about.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Score {
    /// Requests that the server answered.
    pub(super) requests: u32,
    /// Calls that it made for whatever reason.
    pub(super) calls: usize,
    /// SERVER spans of these requests and CLIENT spans of these calls, of all
    /// that there should be.
    pub(super) seen: Option<f64>,
    /// Calls for a request (also after its response) with the right parent, of
    /// those seen.
    pub(super) recall: Option<f64>,
    /// Calls with the right parent, of all with a parent.
    pub(super) precision: Option<f64>,
    /// Requests with all their calls and no others; jobs may miss.
    pub(super) request: Option<f64>,
    /// Calls after the response with the right parent.
    pub(super) after: Option<f64>,
    /// Calls of jobs with the right parent.
    pub(super) job: Option<f64>,
    /// Calls of jobs with the right parent or a link to it.
    pub(super) job_linked: Option<f64>,
    /// Calls of jobs given to a request that did not queue it.
    pub(super) job_bystander: Option<f64>,
    /// Calls for no request that were given to one.
    pub(super) timer_given: Option<f64>,
    /// Wrong ones among parents with confidence ≥ 0.9.
    pub(super) wrong_sure: Option<f64>,
    /// Parents with confidence ≥ 0.9, of all calls seen.
    pub(super) sure: Option<f64>,
    /// Expected calibration error of parents and links.
    pub(super) calibration_error: Option<f64>,
    /// By the evidence that decided: parents given, and how many are wrong.
    pub(super) methods: BTreeMap<String, (usize, usize)>,
}

/// A call that wirespan saw.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// Its CLIENT span.
    pub(super) span: &'a Span,
    /// What its URL says.
    pub(super) truth: Truth,
    /// The SERVER span of the request that caused it, where it was seen.
    pub(super) cause: Option<&'a Span>,
}

/// The spans of one run: requests by their numbers, and calls.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    /// SERVER spans by the number of their request.
    pub(super) requests: BTreeMap<u32, &'a Span>,
    /// Calls in the order of their starts.
    pub(super) calls: Vec<Call<'a>>,
}

impl<'a> Seen<'a> {
    /// Finds the calls of `made`, and all requests, in the spans.
    ///
    /// Fails if a number was used twice, or if a call's URL has a value in
    /// common with that of the request that caused it, but for `order`: then
    /// wirespan could have read the truth.
    pub(super) fn new(spans: &'a [Span], made: &[Truth]) -> Result<Self> {
        let made: BTreeSet<u32> = made.iter().map(|truth| truth.id).collect();
        let mut requests = BTreeMap::new();
        for span in spans.iter().filter(|span| span.kind == Kind::Server) {
            if let Some(id) = truth::id(query(span)) {
                ensure!(requests.insert(id, span).is_none(), "two requests are {id}");
            }
        }
        let mut calls = Vec::new();
        for span in spans.iter().filter(|span| span.kind == Kind::Client) {
            let Some(truth) = Truth::read(query(span)).filter(|truth| made.contains(&truth.id))
            else {
                continue;
            };
            let cause = truth.cause.and_then(|cause| requests.get(&cause)).copied();
            if let Some(cause) = cause {
                blind(query(span), query(cause))?;
            }
            calls.push(Call { span, truth, cause });
        }
        calls.sort_by_key(|call| call.span.start);
        Ok(Self { requests, calls })
    }
}

/// Scores the requests numbered from `first_id` on.
pub(super) fn score(seen: &Seen<'_>, answered: u32, first_id: u32, made: &[Truth]) -> Score {
    let requests = seen.requests.range(first_id..).count();
    let mut tally = Tally::default();
    let mut wrong = BTreeSet::new();
    for call in &seen.calls {
        let verdict = tally.add(call);
        let expected = call.cause.filter(|_| call.truth.purpose() != Purpose::Job);
        if !verdict.right {
            wrong.extend(expected.map(|cause| cause.span_id.as_str()));
            wrong.insert(call.span.parent.as_str());
        }
    }
    let flawless = |(_, span): &(&u32, &&Span)| !wrong.contains(span.span_id.as_str());
    Score {
        requests: answered,
        calls: made.len(),
        seen: share(requests + seen.calls.len(), answered as usize + made.len()),
        request: share(
            seen.requests.range(first_id..).filter(flawless).count(),
            requests,
        ),
        ..tally.score()
    }
}

/// What became of one call.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    given: bool,
    right: bool,
}

#[derive(Default)]
struct Tally {
    calls: usize,
    given: usize,
    right: usize,
    sure: usize,
    wrong_sure: usize,
    job_linked: usize,
    /// By purpose: calls, right, given.
    purposes: BTreeMap<Purpose, (usize, usize, usize)>,
    methods: BTreeMap<String, (usize, usize)>,
    guesses: usize,
    bins: [(f64, f64); BINS],
}

impl Tally {
    fn add(&mut self, call: &Call<'_>) -> Verdict {
        let span = call.span;
        let is_cause = |id: &str| call.cause.is_some_and(|cause| cause.span_id == id);
        let verdict = Verdict {
            given: !span.parent.is_empty(),
            right: is_cause(&span.parent),
        };
        let purpose = call.truth.purpose();
        let of = self.purposes.entry(purpose).or_default();
        of.0 += 1;
        of.1 += usize::from(verdict.right);
        of.2 += usize::from(verdict.given);
        self.calls += 1;
        let linked = span.links.iter().any(|(id, _)| is_cause(id));
        self.job_linked += usize::from(purpose == Purpose::Job && (verdict.right || linked));
        if verdict.given {
            let confidence = confidence(&span.attributes);
            self.given += 1;
            self.right += usize::from(verdict.right);
            self.sure += usize::from(confidence >= SURE);
            self.wrong_sure += usize::from(confidence >= SURE && !verdict.right);
            let method = span.get("wirespan.causality.method").to_owned();
            let method = self.methods.entry(method).or_default();
            method.0 += 1;
            method.1 += usize::from(!verdict.right);
            self.guess(confidence, verdict.right);
        } else if let Some((id, attributes)) = span.links.first() {
            self.guess(confidence(attributes), is_cause(id));
        }
        verdict
    }

    fn guess(&mut self, confidence: f64, right: bool) {
        self.guesses += 1;
        let above = |bin: &usize| *bin as f64 <= confidence * BINS as f64;
        let bin = &mut self.bins[(1..BINS).take_while(above).count()];
        bin.0 += confidence;
        bin.1 += f64::from(u8::from(right));
    }

    fn score(self) -> Score {
        let of = |purpose| self.purposes.get(&purpose).copied().unwrap_or_default();
        let (request, after) = (of(Purpose::Request), of(Purpose::After));
        let (job, timer) = (of(Purpose::Job), of(Purpose::Timer));
        let off: f64 = self
            .bins
            .iter()
            .map(|(sum, right)| (sum - right).abs())
            .sum();
        Score {
            recall: share(request.1 + after.1, request.0 + after.0),
            precision: share(self.right, self.given),
            after: share(after.1, after.0),
            job: share(job.1, job.0),
            job_linked: share(self.job_linked, job.0),
            job_bystander: share(job.2 - job.1, job.0),
            timer_given: share(timer.2, timer.0),
            wrong_sure: share(self.wrong_sure, self.sure),
            sure: share(self.sure, self.calls),
            calibration_error: (self.guesses > 0).then(|| off / self.guesses as f64),
            methods: self.methods,
            ..Score::default()
        }
    }
}

/// The query of a span's URL.
fn query(span: &Span) -> &str {
    match span.get("url.query") {
        "" => span
            .get("url.full")
            .split_once('?')
            .map_or("", |(_, query)| query),
        query => query,
    }
}

fn blind(call: &str, cause: &str) -> Result<()> {
    let known: BTreeSet<&str> = truth::values(cause).map(|(_, value)| value).collect();
    let shared = truth::values(call).find(|(key, value)| *key != "order" && known.contains(value));
    ensure!(shared.is_none(), "{call} can be matched with {cause}");
    Ok(())
}

fn confidence(attributes: &BTreeMap<String, String>) -> f64 {
    let value = attributes.get("wirespan.causality.confidence");
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, kind: Kind, query: &str, parent: &str, confidence: &str) -> Span {
        let attributes = [
            ("url.query", query),
            ("wirespan.causality.confidence", confidence),
            ("wirespan.causality.method", "thread"),
        ];
        Span {
            trace_id: String::new(),
            span_id: id.to_owned(),
            parent: parent.to_owned(),
            kind,
            name: "GET".to_owned(),
            start: 0,
            end: 1,
            attributes: attributes
                .map(|(key, value)| (key.into(), value.into()))
                .into(),
            status: 0,
            trace_state: String::new(),
            links: Vec::new(),
            resource: BTreeMap::new(),
        }
    }

    fn call(id: u32, cause: u32, parent: &str, confidence: &str) -> Span {
        let query = format!("id={id}&parent={}", truth::mask(cause));
        span(
            &format!("call {id}"),
            Kind::Client,
            &query,
            parent,
            confidence,
        )
    }

    fn scored(calls: Vec<Span>) -> Score {
        let mut spans = vec![
            span("A", Kind::Server, "id=4", "", ""),
            span("B", Kind::Server, "id=8", "", ""),
        ];
        spans.extend(calls);
        let made: Vec<Truth> = spans
            .iter()
            .filter_map(|span| Truth::read(query(span)))
            .collect();
        score(&Seen::new(&spans, &made).unwrap(), 2, 4, &made)
    }

    fn is(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-9)
    }

    #[test]
    fn right_and_wrong_and_no_parents() {
        let score = scored(vec![
            call(100, 4, "A", "0.95"),
            call(104, 4, "B", "0.95"),
            call(108, 8, "", ""),
            call(112, 8, "B", "0.5"),
        ]);
        assert!(is(score.recall, 0.5) && is(score.seen, 1.0));
        assert!(is(score.precision, 2.0 / 3.0) && is(score.request, 0.0));
        assert!(is(score.wrong_sure, 0.5) && is(score.sure, 0.5));
        assert_eq!(score.methods["thread"], (3, 1));
        // |0.95 + 0.95 - 1| + |0.5 - 1|, of three.
        assert!(is(score.calibration_error, 1.4 / 3.0));
    }

    #[test]
    fn jobs_timers_and_calls_after_the_response() {
        let mut linked = call(101, 4, "", "");
        linked.links.push(("A".to_owned(), BTreeMap::new()));
        let score = scored(vec![
            linked,
            call(105, 4, "B", "0.9"),
            call(106, 8, "B", "1"),
            call(103, 0, "A", "0.5"),
            call(107, 0, "", ""),
        ]);
        assert!(is(score.job, 0.0) && is(score.job_linked, 0.5));
        assert!(is(score.job_bystander, 0.5));
        assert!(is(score.timer_given, 0.5) && is(score.after, 1.0));
        assert!(is(score.recall, 1.0));
        assert!(is(score.request, 0.0), "each was given a call of another");
    }

    #[test]
    fn a_job_without_a_parent_is_no_flaw_of_the_request() {
        let score = scored(vec![call(101, 4, "", ""), call(100, 8, "B", "1")]);
        assert!(is(score.request, 1.0));
    }

    #[test]
    fn what_was_not_seen_is_told() {
        let spans = [span("A", Kind::Server, "id=4", "", "")];
        let made = [Truth {
            id: 100,
            cause: Some(4),
        }];
        let score = score(&Seen::new(&spans, &made).unwrap(), 2, 4, &made);
        assert!(is(score.seen, 1.0 / 3.0));
        assert_eq!((score.recall, score.precision), (None, None));
    }

    #[test]
    fn a_truth_that_can_be_read_is_refused() {
        let spans = [
            span("A", Kind::Server, "id=4&x=100", "", ""),
            call(100, 4, "A", "1"),
        ];
        let made = [Truth {
            id: 100,
            cause: Some(4),
        }];
        assert!(Seen::new(&spans, &made).is_err());
    }
}
