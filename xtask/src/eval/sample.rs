//! A small sample of the project's own making: a front that calls two services
//! in sequence, one of which calls two more in parallel, and a timer whose calls
//! nothing causes.

use super::recorded::{Kind, Recorded};

/// `traces` traces that arrive every `every_us` µs or so.
pub(super) fn spans(traces: u64, every_us: u64) -> Vec<Recorded> {
    let mut sample = Sample::default();
    let mut start = 1000;
    for trace in 1..=traces {
        sample.trace(trace, start);
        start += every_us / 2 + sample.noise(every_us);
    }
    let mut tick = 500;
    for n in 1..=traces / 10 {
        sample.add(
            traces + n,
            None,
            ("front", "POST /metrics"),
            (tick, tick + 900),
            Some("monitor"),
        );
        tick += 10 * every_us;
    }
    sample.spans.sort_by_key(|span| span.start_us);
    sample.spans
}

#[derive(Default)]
struct Sample {
    spans: Vec<Recorded>,
    seed: u64,
}

impl Sample {
    fn trace(&mut self, trace: u64, start: u64) {
        let root = self.add(trace, None, ("front", "GET /"), (start, 0), None);
        let at = start + 150 + self.noise(200);
        let (search, mut end) = self.call(trace, root, "front", "search", at);
        let later = at + 400 + self.noise(80);
        let (one, one_end) = self.call(trace, search, "search", "index", later);
        let later = later + 120 + self.noise(80);
        let (_, other_end) = self.call(trace, search, "search", "rates", later);
        self.finish(one, one_end - 50);
        end = end.max(one_end.max(other_end) + 150 + self.noise(100));
        self.finish(search, end);
        self.finish(search - 1, end + 100);
        let at = end + 250 + self.noise(150);
        let (_, end) = self.call(trace, root, "front", "profile", at);
        let end = end + 120 + self.noise(100);
        self.finish(root, end);
    }

    /// A client span and the server span to it; gives the latter, and the end.
    fn call(&mut self, trace: u64, parent: u64, from: &str, to: &str, at: u64) -> (u64, u64) {
        let name = format!("GET /{to}");
        let end = at + 1500 + self.noise(6000);
        let client = self.add(trace, Some(parent), (from, &name), (at, end), Some(to));
        let server = self.add(
            trace,
            Some(client),
            (to, &name),
            (at + 100, end - 100),
            None,
        );
        (server, end)
    }

    fn add(
        &mut self,
        trace: u64,
        parent: Option<u64>,
        (service, name): (&str, &str),
        (start_us, end_us): (u64, u64),
        peer: Option<&str>,
    ) -> u64 {
        let span = self.spans.len() as u64 + 1;
        self.spans.push(Recorded {
            trace,
            span,
            parent,
            service: service.to_owned(),
            kind: if peer.is_some() {
                Kind::Client
            } else {
                Kind::Server
            },
            name: name.to_owned(),
            start_us,
            end_us,
            peer: peer.map(str::to_owned),
        });
        span
    }

    fn finish(&mut self, span: u64, end_us: u64) {
        self.spans[span as usize - 1].end_us = end_us;
    }

    /// A number that looks random, below `limit`; the same in every run.
    fn noise(&mut self, limit: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % limit
    }
}

#[cfg(test)]
mod tests {
    use wirespan_stitch::causality::Config;
    use wirespan_stitch::span::Method;

    use super::super::{baseline, feed, recorded, score};
    use super::spans;

    #[test]
    fn the_engine_beats_every_simple_rule() {
        let spans = spans(400, 12_000);
        let outcome = feed::run(&spans, &Config::default(), &[]).unwrap();
        let engine = score::score(&spans, &outcome.predictions, &[]);
        assert!(engine.link > 0.97, "{engine:?}");
        assert!(engine.wrong_sure < 0.01, "{engine:?}");
        assert!(engine.calibration_error < 0.03, "{engine:?}");
        assert!(engine.false_parents < 0.05, "{engine:?}");
        for rule in baseline::RULES {
            let simple = score::score(&spans, &baseline::run(&spans, rule), &[]);
            assert!(simple.link < engine.link, "{rule}: {simple:?}");
        }
    }

    #[test]
    fn what_was_learnt_helps_under_load() {
        let calm = spans(150, 20_000);
        let busy = recorded::compress(&spans(150, 20_000), 16);
        let learnt = feed::run(&calm, &Config::default(), &[]).unwrap().models;
        let cold = feed::run(&busy, &Config::default(), &[]).unwrap();
        let warm = feed::run(&busy, &Config::default(), &learnt).unwrap();
        let cold = score::score(&busy, &cold.predictions, &[]).link;
        let warm = score::score(&busy, &warm.predictions, &[]).link;
        assert!(warm > cold, "{warm} {cold}");
        assert!(warm > 0.9, "{warm}");
    }

    #[test]
    fn timing_is_what_decides_here() {
        let spans = spans(100, 3000);
        let without = Config {
            without: vec![Method::Timing],
            ..Config::default()
        };
        let with = feed::run(&spans, &Config::default(), &[]).unwrap();
        let without = feed::run(&spans, &without, &[]).unwrap();
        let with = score::score(&spans, &with.predictions, &[]).link;
        let without = score::score(&spans, &without.predictions, &[]).link;
        assert!(with > without + 0.05, "{with} {without}");
    }
}
