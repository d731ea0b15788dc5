//! The account that a run ends with: what became of every request.
//!
//! `requests seen = spans exported + Σ dropped`. With several outputs,
//! exported is what all of them took: the account is that of the output which
//! exported least, and the others follow.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use wirespan_stitch::account::Account as Engine;
use wirespan_stitch::causality::{Kind, Tally};
use wirespan_stitch::exchange::Outcome;

use crate::export::counters::Counters;
use crate::outputs::Exported;

/// What became of every request, for people and scripts.
#[derive(Debug)]
pub struct Account {
    /// Requests, up to the spans they became.
    pub engine: Engine,
    /// Spans, from there on.
    pub exported: Exported,
    /// How right decisions without headers were, where headers tell.
    pub self_audit: Vec<(Kind, Tally)>,
    /// What the source says of itself: a line each.
    pub source: Vec<(String, u64)>,
}

impl Account {
    /// Requests that gave no span at the worst output, by reason.
    fn dropped(&self) -> Vec<(String, u64)> {
        let worst = self.worst().map(|output| drops(output));
        let lost = match worst {
            Some(lost) => lost,
            None => vec![("no output".to_owned(), self.exported.handed.exported())],
        };
        let open = ("not finished".to_owned(), self.engine.open);
        let mut dropped: Vec<(String, u64)> = Vec::new();
        for (reason, count) in drops(&self.exported.handed)
            .into_iter()
            .chain([open])
            .chain(lost)
            .filter(|(_, count)| *count > 0)
        {
            match dropped.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += count,
                None => dropped.push((reason, count)),
            }
        }
        dropped
    }

    fn worst(&self) -> Option<&Arc<Counters>> {
        self.exported
            .outputs
            .iter()
            .min_by_key(|output| output.exported())
    }
}

impl Display for Account {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exported = self.worst().map_or(0, |output| output.exported());
        writeln!(f, "wirespan: account")?;
        line(f, "requests seen", self.engine.seen)?;
        line(f, "spans exported", exported)?;
        for (reason, count) in self.dropped() {
            line(f, &format!("dropped: {reason}"), count)?;
        }
        if self.exported.outputs.len() > 1 {
            for output in &self.exported.outputs {
                line(f, &format!("{} exported", output.output), output.exported())?;
                for (reason, count) in drops(output) {
                    line(f, &format!("{} lost, {reason}", output.output), count)?;
                }
            }
        }
        for (what, count) in self.remarks() {
            line(f, what, count)?;
        }
        for (what, count) in self.source.iter().filter(|(_, count)| *count > 0) {
            line(f, what, *count)?;
        }
        self.self_audit.iter().try_for_each(|(kind, tally)| {
            let of = |what: &str| format!("self-audit of {}: {what}", kind.service);
            line(f, &of("calls"), tally.known)?;
            line(f, &of("given"), tally.given)?;
            line(f, &of("right"), tally.right)?;
            line(f, &of("sure"), tally.sure)?;
            line(f, &of("sure, wrong"), tally.sure_wrong)
        })
    }
}

impl Account {
    /// Where it is not that all was well: what the spans themselves also say.
    fn remarks(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let engine = &self.engine;
        let http = &engine.http;
        let ended = |outcomes: &[Outcome]| -> u64 {
            let counts = outcomes.iter().map(|outcome| http.exchanges_by(*outcome));
            counts.sum()
        };
        let early = [
            Outcome::ClosedBeforeResponse,
            Outcome::ClosedInResponse,
            Outcome::ResetBeforeResponse,
            Outcome::ResetInResponse,
        ];
        [
            ("spans cut by a closed connection", ended(&early)),
            ("spans cut by lost bytes", ended(&[Outcome::Gap])),
            ("spans without an end in time", ended(&[Outcome::TimedOut])),
            ("spans given up over a limit", ended(&[Outcome::Evicted])),
            ("spans open at the end", ended(&[Outcome::EndOfInput])),
            ("spans that waited for their place in vain", engine.overdue),
            ("responses without their request", http.responses_unmatched),
            ("gaps in streams", http.gaps),
            ("sockets given up", engine.evicted_sockets),
            ("sockets given up for memory", engine.evicted_for_memory),
            ("invalid trace contexts", engine.invalid_contexts),
            ("events out of order", engine.late_events),
            ("events lost by the source", engine.lost_events),
            (
                "calls decided at a glance over a limit",
                engine.causality.decided_greedily,
            ),
            (
                "turns of threads cut over a limit",
                engine.causality.turns_cut,
            ),
            (
                "turns of threads without a deadline",
                engine.causality.turns_untimed,
            ),
            (
                "calls of pools weighed in part over a limit",
                engine.causality.queues_cut,
            ),
            (
                "tables of facts cleared over a limit",
                engine.causality.tables_cleared,
            ),
            (
                "exchanges left out of the self-audit",
                engine.causality.unaudited,
            ),
            (
                "kinds of process forgotten over a limit",
                engine.causality.kinds_forgotten,
            ),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

fn drops(counters: &Counters) -> Vec<(String, u64)> {
    counters
        .dropped()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.as_str().replace('_', " "), count))
        .collect()
}

fn line(f: &mut Formatter<'_>, what: &str, count: u64) -> fmt::Result {
    writeln!(f, "  {what:<42} {count:>12}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::counters::Drop;

    fn account(outputs: Vec<Arc<Counters>>) -> Account {
        let handed = Counters::new("export");
        handed.ticket(95).exported(0);
        handed.ticket(3).dropped(Drop::QueueFull);
        Account {
            engine: Engine {
                seen: 100,
                spans: 98,
                open: 2,
                ..Engine::default()
            },
            exported: Exported { handed, outputs },
            self_audit: vec![(
                Kind {
                    service: "shop".to_owned(),
                    ..Kind::default()
                },
                Tally {
                    known: 20,
                    given: 19,
                    right: 18,
                    sure: 17,
                    sure_wrong: 1,
                },
            )],
            source: vec![("bytes lost".to_owned(), 5)],
        }
    }

    #[test]
    fn it_adds_up_at_the_worst_output() {
        let json = Counters::new("json");
        json.ticket(95).exported(0);
        let otlp = Counters::new("otlp");
        otlp.ticket(95).exported(10);
        let text = account(vec![json, otlp]).to_string();
        let expected = "\
wirespan: account
  requests seen                                       100
  spans exported                                       85
  dropped: queue full                                   3
  dropped: not finished                                 2
  dropped: rejected                                    10
  json exported                                        95
  otlp exported                                        85
  otlp lost, rejected                                  10
  bytes lost                                            5
  self-audit of shop: calls                            20
  self-audit of shop: given                            19
  self-audit of shop: right                            18
  self-audit of shop: sure                             17
  self-audit of shop: sure, wrong                       1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_outputs_nothing_was_exported() {
        let text = account(vec![]).to_string();
        assert!(
            text.contains("spans exported                                        0"),
            "{text}"
        );
        assert!(
            text.contains("dropped: no output                                   95"),
            "{text}"
        );
    }
}
