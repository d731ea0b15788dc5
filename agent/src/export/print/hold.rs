//! Traces that more spans may come for. Time is in the spans; where it goes on
//! without them, the caller says so.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use wirespan_stitch::span::{Span, TraceId};
use wirespan_stitch::time::WallTime;

/// Nothing new for so long: the trace is taken for complete. A call whose cause
/// is in doubt is handed out late: after the engine's lag, 3 s unless told
/// otherwise ([`wirespan_stitch::causality::Config::lag`]).
const QUIET: Duration = Duration::from_millis(3_500);

/// Spans that are held in all; above, the trace that began first is let go.
const CAPACITY: usize = 20_000;

/// Traces in the making.
#[derive(Debug, Default)]
pub(super) struct Hold {
    traces: BTreeMap<u64, Trace>,
    /// Number of the trace in `traces`.
    numbers: HashMap<TraceId, u64>,
    next: u64,
    spans: usize,
    now: WallTime,
}

#[derive(Debug, Default)]
struct Trace {
    spans: Vec<Span>,
    changed: WallTime,
}

impl Hold {
    pub(super) fn add(&mut self, span: &Span) {
        self.now = self.now.max(span.end);
        let number = *self.numbers.entry(span.trace_id).or_insert(self.next);
        self.next = self.next.max(number + 1);
        let trace = self.traces.entry(number).or_default();
        trace.changed = self.now;
        trace.spans.push(span.clone());
        self.spans += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Takes the traces that are quiet or too many, oldest first.
    pub(super) fn due(&mut self, now: Option<WallTime>) -> Vec<Vec<Span>> {
        self.now = self.now.max(now.unwrap_or_default());
        let quiet = u64::try_from(QUIET.as_nanos()).unwrap_or(u64::MAX);
        let limit = self.now.0.saturating_sub(quiet);
        let mut numbers = Vec::new();
        let mut kept = self.spans;
        for (number, trace) in &self.traces {
            if kept > CAPACITY || trace.changed.0 < limit {
                kept -= trace.spans.len();
                numbers.push(*number);
            }
        }
        numbers
            .into_iter()
            .filter_map(|number| self.take(number))
            .collect()
    }

    /// Takes all of them.
    pub(super) fn all(&mut self) -> Vec<Vec<Span>> {
        let numbers: Vec<_> = self.traces.keys().copied().collect();
        numbers
            .into_iter()
            .filter_map(|number| self.take(number))
            .collect()
    }

    fn take(&mut self, number: u64) -> Option<Vec<Span>> {
        let spans = self.traces.remove(&number)?.spans;
        self.spans -= spans.len();
        self.numbers.remove(&spans.first()?.trace_id);
        Some(spans)
    }
}

#[cfg(test)]
mod tests {
    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::testing;

    fn span(trace: u8, id: u8, to: u64) -> Span {
        Span {
            trace_id: TraceId([trace; 16]),
            ..testing::span(id, None, Role::Server, 0, to)
        }
    }

    fn ids(traces: &[Vec<Span>]) -> Vec<Vec<u8>> {
        traces
            .iter()
            .map(|spans| spans.iter().map(|span| span.span_id.0[0]).collect())
            .collect()
    }

    #[test]
    fn a_trace_is_given_when_it_is_quiet() {
        let mut hold = Hold::default();
        hold.add(&span(1, 1, 10));
        hold.add(&span(2, 2, 20));
        hold.add(&span(1, 3, 30));
        assert!(hold.due(None).is_empty());
        hold.add(&span(3, 4, 25 + 3_500));
        assert_eq!(ids(&hold.due(None)), [[2]]);
        let later = WallTime(testing::START + 3_600 * 1_000_000);
        assert_eq!(ids(&hold.due(Some(later))), [[1, 3]]);
        assert_eq!(ids(&hold.all()), [[4]]);
        assert!(hold.is_empty() && hold.spans == 0 && hold.numbers.is_empty());
    }

    #[test]
    fn too_many_spans_let_the_oldest_trace_go() {
        let mut hold = Hold::default();
        for _ in 0..CAPACITY {
            hold.add(&span(1, 1, 10));
        }
        hold.add(&span(2, 2, 10));
        let due = hold.due(None);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].len(), CAPACITY);
    }
}
