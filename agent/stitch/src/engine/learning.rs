//! What the engine learns and hands on to a later one: the way to the causality
//! stage, and what people call the routes and calls that it knows by hash.

use super::exchanges::Exchanges;
use super::{Config, Engine};
use crate::causality::{self, Features, Kind, Learnt, LearntError, Tally};
use crate::event::Process;
use crate::exchange::{Exchange, Role};
use crate::span::Method;
use crate::text;

/// The causality stage's settings, the self-audit's included.
pub(super) fn audited(config: &Config) -> causality::Config {
    let sighted = !config.causality.without.contains(&Method::Explicit);
    causality::Config {
        self_audit: sighted.then_some(config.parent_confidence),
        ..config.causality.clone()
    }
}

impl Engine {
    /// Takes in what an earlier engine learnt of one kind of process; what was
    /// used last is to be told last.
    ///
    /// # Errors
    ///
    /// When it cannot be used; nothing is changed then.
    pub fn remember(&mut self, learnt: &Learnt) -> Result<(), LearntError> {
        self.exchanges.causality.remember(learnt)?;
        for (hash, name) in &learnt.names {
            self.exchanges.names.put(*hash, name.clone());
        }
        Ok(())
    }

    /// Everything learnt so far, for [`Engine::remember`]; what was used last is
    /// last. Bounded: a few MiB.
    pub fn learnt(&self) -> Vec<Learnt> {
        self.exchanges.causality.learnt(&self.exchanges.names)
    }

    /// How right the engine is without headers, where headers tell: by kind of
    /// process, in order.
    pub fn self_audit(&self) -> Vec<(Kind, Tally)> {
        self.exchanges.causality.self_audit()
    }
}

impl Exchanges {
    /// Tells the causality stage what a process is.
    pub(super) fn introduce(&mut self, process: &Process) {
        if let Some(kind) = Kind::of(process) {
            self.causality.introduce(process.pid, kind);
        }
    }
}

/// What people call a request: the method and the path, without what varies.
pub(super) fn name(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let path = text::template(&request.target);
    format!(
        "{} {}",
        String::from_utf8_lossy(&request.method),
        String::from_utf8_lossy(&path)
    )
}

/// Notes what people call it.
pub(super) fn note(
    names: &mut causality::names::Names,
    exchange: &Exchange,
    features: &Features,
    peer: std::net::SocketAddr,
) {
    match exchange.role {
        Role::Server => names.note_route(features.route, || name(exchange)),
        Role::Client => names.note_call(features.callee, features.route, || {
            format!("{} at {peer}", name(exchange))
        }),
    }
}
