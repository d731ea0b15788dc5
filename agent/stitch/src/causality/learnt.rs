//! What was learnt of one kind of process, as it is kept between runs and shown
//! to people.
//!
//! Files, and when they are written, are left to others.

use std::sync::Arc;

use hashlink::LinkedHashMap;
use thiserror::Error;

use super::audit::Audit;
use super::kind::Kind;
use super::model::{Model, ModelError};
use super::names::Names;
use super::self_audit::Tally;
use super::shelf::{MAX_KINDS, MAX_STATES, MAX_STATES_EACH, Memory, replaces};
use super::stage::Causality;

/// What was learnt of one kind of process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learnt {
    /// The kind.
    pub kind: Kind,
    /// The model, by [`Model::save`].
    pub model: Vec<u8>,
    /// How often timing agreed with surer evidence, and how often it was asked:
    /// at 1 request in flight, at 2 to 3, at 4 to 7, and so on.
    pub trust: Vec<(f32, f32)>,
    /// Names of the routes and calls in the model, by hash, in order.
    pub names: Vec<(u64, String)>,
    /// How right decisions without headers were, when last that could be told.
    pub self_audit: Tally,
}

/// Why something learnt in an earlier run cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LearntError {
    /// Its model cannot.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its trust in timing is impossible.
    #[error("the trust in timing makes no sense")]
    Trust,
}

impl Learnt {
    /// What was learnt, as text for people.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn portrait(&self) -> Result<String, LearntError> {
        let memory = self.memory()?;
        Ok(memory.model.portrait(&memory.audit, &self.names))
    }

    fn memory(&self) -> Result<Memory, LearntError> {
        Ok(Memory {
            model: Model::load(&self.model)?,
            audit: Audit::from_levels(&self.trust).ok_or(LearntError::Trust)?,
        })
    }
}

impl Causality {
    /// Puts away what an earlier run learnt, for processes of this kind to begin
    /// with. What was used last is to be told last.
    ///
    /// # Errors
    ///
    /// When it cannot be used; nothing is changed then.
    pub fn remember(&mut self, learnt: &Learnt) -> Result<(), LearntError> {
        let memory = learnt.memory()?;
        self.shelf.put(Arc::new(learnt.kind.clone()), memory);
        Ok(())
    }

    /// Everything learnt so far, what was used last is last; bounded as what is
    /// remembered is.
    pub(crate) fn learnt(&self, names: &Names) -> Vec<Learnt> {
        let mut kinds: LinkedHashMap<&Arc<Kind>, (&Model, &Audit)> = LinkedHashMap::new();
        let remembered = self.shelf.memories();
        let remembered = remembered.map(|(kind, memory)| (kind, &memory.model, &memory.audit));
        for (kind, model, audit) in remembered.chain(self.living()) {
            let old = kinds.remove(kind).filter(|(old, _)| !replaces(model, old));
            kinds.insert(kind, old.unwrap_or((model, audit)));
        }
        let audited = self.self_audit();
        let mut room = MAX_STATES;
        let mut learnt = Vec::new();
        for (kind, (model, audit)) in kinds.into_iter().rev().take(MAX_KINDS) {
            let states = model.len().min(MAX_STATES_EACH);
            if model.is_empty() || states > room {
                continue;
            }
            room -= states;
            let tally = audited.iter().find(|(audited, _)| *audited == **kind);
            let tally = tally.map(|(_, tally)| *tally).unwrap_or_default();
            learnt.push(gather(kind, model, audit, tally, names));
        }
        learnt.reverse();
        learnt
    }
}

fn gather(kind: &Kind, model: &Model, audit: &Audit, self_audit: Tally, names: &Names) -> Learnt {
    let mut trimmed;
    let model = if model.len() > MAX_STATES_EACH {
        trimmed = model.clone();
        trimmed.trim(MAX_STATES_EACH);
        &trimmed
    } else {
        model
    };
    let known = names.iter().filter(|(hash, _)| model.knows(*hash));
    let mut names: Vec<_> = known.map(|(hash, name)| (hash, name.to_owned())).collect();
    names.sort_unstable();
    Learnt {
        kind: kind.clone(),
        model: model.save(),
        trust: audit.levels(),
        names,
        self_audit,
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::mix;
    use super::super::{Act, Config, ExchangeId, Features};
    use super::*;
    use crate::event::{SocketId, Task};
    use crate::exchange::{Moment, Role};
    use crate::text;
    use crate::time::Timestamp;

    const ROUTE: u64 = 5;
    const CALLEE: u64 = 6;

    fn shop() -> Kind {
        Kind {
            service: "shop".to_owned(),
            executable: "/usr/bin/python3.11".to_owned(),
        }
    }

    fn names() -> Names {
        let mut names = Names::default();
        names.note_route(ROUTE, || "GET /cart".to_owned());
        names.note_route(ROUTE + 1, || "GET /elsewhere".to_owned());
        names.note_call(CALLEE, ROUTE, || "GET /users".to_owned());
        names
    }

    /// Requests, one after the other, each with a call.
    fn serve(stage: &mut Causality, pid: u32, from: u64, count: u64) {
        for number in from..from + count {
            let at = |us: u64| Moment {
                time: Timestamp(number * 10_000_000 + us * 1000),
                task: Task {
                    pid,
                    tid: pid,
                    ..Task::default()
                },
            };
            let request = ExchangeId(2 * number + 1);
            let call = ExchangeId(2 * number + 2);
            let mut start = |exchange, role, us, callee| {
                stage.observe(Act::Started {
                    exchange,
                    role,
                    socket: SocketId(exchange.0),
                    at: at(us),
                    features: Features {
                        pid,
                        route: ROUTE,
                        callee,
                        ..Features::default()
                    },
                });
            };
            start(request, Role::Server, 0, 0);
            start(call, Role::Client, 300, CALLEE);
            for (exchange, us) in [(call, 900), (request, 1000)] {
                let at = at(us);
                stage.observe(Act::Answering { exchange, at });
                stage.observe(Act::Ended { exchange, at });
            }
            while stage.poll_decision().is_some() {}
        }
    }

    fn met(count: u64) -> Vec<Learnt> {
        let mut stage = Causality::new(Config::default());
        stage.introduce(7, shop());
        serve(&mut stage, 7, 1, count);
        stage.finish();
        stage.learnt(&names())
    }

    #[test]
    fn what_was_learnt_is_found_again_by_another_process_of_its_kind() {
        let learnt = met(40);
        let [of_shop] = learnt.as_slice() else {
            panic!("{} kinds", learnt.len());
        };
        assert_eq!(of_shop.kind, shop());
        let mut stage = Causality::new(Config::default());
        stage.remember(of_shop).unwrap();
        assert_eq!(stage.learnt(&names()), learnt, "nothing was lost");
        stage.introduce(9, shop());
        stage.introduce(10, Kind::default());
        serve(&mut stage, 9, 1, 1);
        serve(&mut stage, 10, 2, 1);
        assert!(stage.model((9, 0)).unwrap().weight() > 50.0);
        assert!(stage.model((10, 0)).unwrap().weight() < 50.0);
    }

    #[test]
    fn a_process_that_becomes_another_program_begins_anew() {
        let mut stage = Causality::new(Config::default());
        stage.introduce(7, shop());
        serve(&mut stage, 7, 1, 20);
        stage.introduce(7, shop());
        assert!(stage.model((7, 0)).is_some(), "it is the same");
        stage.introduce(7, Kind::default());
        assert!(stage.model((7, 0)).is_none());
        assert_eq!(stage.learnt(&names())[0].kind, shop());
    }

    #[test]
    fn only_names_that_the_model_knows_are_kept() {
        let learnt = met(5);
        let told: Vec<&str> = learnt[0]
            .names
            .iter()
            .map(|(_, name)| name.as_str())
            .collect();
        assert!(told.contains(&"GET /cart") && told.contains(&"GET /users"));
        assert!(!told.contains(&"GET /elsewhere"));
        let text = learnt[0].portrait().unwrap();
        assert!(text.contains("  GET /cart\n    at first"), "{text}");
        assert!(text.contains("100.0 %  GET /users, after 2"), "{text}");
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let mut learnt = met(5).remove(0);
        let mut stage = Causality::new(Config::default());
        learnt.trust = vec![(2.0, 1.0)];
        assert_eq!(stage.remember(&learnt), Err(LearntError::Trust));
        learnt.model.truncate(20);
        let damaged = Err(LearntError::Model(ModelError::Damaged));
        assert_eq!(stage.remember(&learnt), damaged);
        assert!(stage.learnt(&names()).is_empty());
    }

    /// Where these change, what earlier versions learnt is found no more: then
    /// the version of the saved model has to change too.
    #[test]
    fn hashes_are_those_of_every_other_run() {
        assert_eq!(
            text::route(b"GET", b"/users/1734?x=1"),
            14_343_656_279_506_296_129
        );
        assert_eq!(mix(1, 2), 4_048_727_598_324_417_001);
    }
}
