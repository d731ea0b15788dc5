//! A model as people read it: each route, what its requests do next, and how
//! long that takes.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::super::audit::Audit;
use super::super::path::{Frame, Next, Step, walk};
use super::{Model, State};
use crate::time::Timestamp;

/// Things that may follow shown of one state, and the share (%) below which
/// they are not.
const MAX_SHOWN: usize = 8;
const LEAST_SHOWN: f32 = 0.5;
/// Steps of a request that are followed.
const MAX_DEPTH: usize = 12;

impl Model {
    /// How much was learnt: the weights of all moves.
    pub(in super::super) fn weight(&self) -> f32 {
        self.states.values().map(|state| state.total).sum()
    }

    /// Forgets all but so many states: those used last, then those met most.
    pub(in super::super) fn trim(&mut self, most: usize) {
        if self.states.len() <= most {
            return;
        }
        let rank = |state: &State| (state.used, state.total.to_bits());
        let mut states: Vec<_> = self.states.iter().map(|(k, s)| (rank(s), *k)).collect();
        states.sort_unstable();
        let surplus = states.len() - most;
        for (_, key) in &states[..surplus] {
            self.states.remove(key);
        }
        self.forgotten += surplus as u64;
    }

    /// Whether something is known of this route, or of this call.
    pub(in super::super) fn knows(&self, hash: u64) -> bool {
        self.background.contains_key(&hash) || self.states.contains_key(&Path::of(hash).state())
    }

    /// What was learnt, as text; `names` are those of routes and calls, by hash.
    pub(in super::super) fn portrait(&self, audit: &Audit, names: &[(u64, String)]) -> String {
        let mut portrait = Portrait {
            model: self,
            names,
            seen: BTreeSet::new(),
            text: String::new(),
        };
        // Writing to a string cannot fail.
        let _ = portrait.write(audit);
        portrait.text
    }

    #[cfg(test)]
    pub(in super::super) fn teach_response(&mut self, route: u64, at: Timestamp, after: u64) {
        let responded = Some(Timestamp(at.0 + after));
        let frame = Frame {
            route,
            started: at,
            responded,
        };
        walk(frame, &[], |step| self.learn(&step, 1.0));
    }
}

/// What a request did so far.
#[derive(Clone)]
struct Path {
    route: u64,
    done: Vec<Next>,
}

impl Path {
    fn of(route: u64) -> Self {
        Self {
            route,
            done: Vec::new(),
        }
    }

    fn then(&self, next: Next) -> Self {
        let mut path = self.clone();
        path.done.push(next);
        path
    }

    /// The state that it leads to.
    fn state(&self) -> u64 {
        self.states().0
    }

    /// The same, and that of any route.
    fn states(&self) -> (u64, u64) {
        let mut frame = Frame {
            route: self.route,
            started: Timestamp(0),
            responded: None,
        };
        let mut steps = Vec::new();
        for (time, next) in self.done.iter().enumerate() {
            let started = Timestamp(2 * time as u64 + 1);
            match next {
                Next::Start(label) => steps.push(Step {
                    label: *label,
                    started,
                    ended: Some(started),
                }),
                Next::Respond => frame.responded = Some(started),
                Next::Nothing => {}
            }
        }
        let end = walk(frame, &steps, |_| ());
        (end.state, end.coarse)
    }
}

struct Portrait<'a> {
    model: &'a Model,
    names: &'a [(u64, String)],
    seen: BTreeSet<u64>,
    text: String,
}

impl Portrait<'_> {
    fn write(&mut self, audit: &Audit) -> fmt::Result {
        let model = self.model;
        let states = |path: &Path| model.states.contains_key(&path.state());
        let mut routes: Vec<_> = self
            .names
            .iter()
            .map(|(route, name)| (name, Path::of(*route)))
            .filter(|(_, path)| states(path))
            .collect();
        routes.sort_by(|one, other| one.0.cmp(other.0));
        for (name, path) in routes {
            writeln!(self.text, "  {name}")?;
            self.state(&path, "    at first")?;
        }
        let unnamed = model.states.keys().filter(|key| !self.seen.contains(key));
        let unnamed = unnamed.count();
        if unnamed > 0 {
            writeln!(
                self.text,
                "  {unnamed} states whose routes' names were not kept"
            )?;
        }
        self.background()?;
        writeln!(self.text, "  trust in timing, by requests in flight")?;
        if audit.told().next().is_none() {
            writeln!(self.text, "    nothing known yet")?;
        }
        for (in_flight, trust, seen) in audit.told() {
            let share = 100.0 * trust;
            writeln!(
                self.text,
                "    from {in_flight}: {share:.0} % (of {seen:.0})"
            )?;
        }
        Ok(())
    }

    /// One state, and those that it leads to.
    fn state(&mut self, path: &Path, heading: &str) -> fmt::Result {
        let (key, coarse) = path.states();
        self.seen.insert(coarse);
        let known = self.model.states.get(&key);
        let Some(state) = known.filter(|_| self.seen.insert(key)) else {
            return Ok(());
        };
        let mut steps: Vec<_> = state
            .steps
            .iter()
            .map(|step| {
                (
                    100.0 * step.weight / state.total.max(f32::MIN_POSITIVE),
                    step,
                )
            })
            .filter(|(share, _)| *share >= LEAST_SHOWN)
            .collect();
        steps.sort_by(|one, other| {
            other
                .0
                .total_cmp(&one.0)
                .then(one.1.next.cmp(&other.1.next))
        });
        steps.truncate(MAX_SHOWN);
        writeln!(self.text, "{heading} (of {:.0})", state.total)?;
        for (share, step) in &steps {
            let next = self.called(step.next);
            write!(self.text, "      {share:5.1} %  {next}")?;
            match &step.gaps {
                Some(gaps) => writeln!(self.text, ", after {}", duration(gaps.usual().median()))?,
                None => writeln!(self.text)?,
            }
        }
        if path.done.len() >= MAX_DEPTH {
            return Ok(());
        }
        for (_, step) in steps.iter().filter(|(_, step)| step.next != Next::Nothing) {
            let next = path.then(step.next);
            let done: Vec<_> = next.done.iter().map(|next| self.called(*next)).collect();
            self.state(&next, &format!("    after {}", done.join(", ")))?;
        }
        Ok(())
    }

    fn background(&mut self) -> fmt::Result {
        let mut heading = Some("  calls that no request causes");
        for (label, seen) in super::saved::sorted(&self.model.background) {
            if seen.idle + seen.busy < 1.0 {
                continue;
            }
            if let Some(heading) = heading.take() {
                writeln!(self.text, "{heading}")?;
            }
            let rate = self.model.background(*label).exp() * 1e9;
            let name = self.name(*label);
            writeln!(self.text, "      {rate:.3} /s  {name}")?;
        }
        Ok(())
    }

    fn called(&self, next: Next) -> String {
        match next {
            Next::Start(label) => self.name(label),
            Next::Respond => "response".to_owned(),
            Next::Nothing => "nothing more".to_owned(),
        }
    }

    fn name(&self, hash: u64) -> String {
        let known = self.names.iter().find(|(known, _)| *known == hash);
        known.map_or_else(|| format!("call {hash:016x}"), |(_, name)| name.clone())
    }
}

/// As people write it, from ns.
fn duration(ns: u64) -> String {
    let us = ns as f64 / 1e3;
    match us {
        _ if us < 1e3 => format!("{us:.0} µs"),
        _ if us < 1e6 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taught() -> Model {
        let mut model = Model::default();
        for n in 0..20 {
            let frame = Frame {
                route: 11,
                started: Timestamp(n * 1_000_000),
                responded: Some(Timestamp(n * 1_000_000 + 300_000)),
            };
            let call = |label, at: u64| Step {
                label,
                started: Timestamp(frame.started.0 + at),
                ended: Some(Timestamp(frame.started.0 + at + 20_000)),
            };
            let steps = [call(21, 40_000), call(22, 90_000), call(21, 150_000)];
            walk(frame, &steps, |step| model.learn(&step, 1.0));
        }
        model.learn_background(22, 5.0, true);
        model
    }

    #[test]
    fn every_state_is_told_by_what_led_to_it() {
        let names = [(11, "GET /cart".to_owned()), (21, "GET /users".to_owned())];
        let model = taught();
        let text = model.portrait(&Audit::default(), &names);
        for line in [
            "  GET /cart\n    at first (of 20)\n      100.0 %  GET /users, after ",
            "    after GET /users, call 0000000000000016, GET /users (of 20)\n      100.0 %  response",
            "  calls that no request causes\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("were not kept"), "{text}");
        assert!(model.knows(11) && model.knows(21) && !model.knows(12));
    }

    #[test]
    fn states_without_names_are_counted() {
        let text = taught().portrait(&Audit::default(), &[]);
        assert!(text.contains("states whose routes' names were not kept"));
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let mut model = Model::default();
        for route in 0..100 {
            model.teach_response(route, Timestamp(0), 10);
        }
        model.trim(10);
        assert_eq!(model.len(), 10);
        assert!(model.knows(99) && !model.knows(1));
    }
}
