//! Requests after which the connection may carry something else.

use bytes::Bytes;

use crate::exchange::{Anomaly, Outcome};
use crate::protocol::Protocol;
use crate::protocol::http1::framing::Noted;
use crate::protocol::http1::head::{self, Kind, Parsed};
use crate::stream::Piece;

use super::{Context, Http1};

impl Http1 {
    /// Whether the connection switched cannot be told if the answer to the
    /// request that asked for it was lost.
    pub(super) fn check_switch(&mut self, context: &mut Context<'_>) {
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
    pub(super) fn check_refused(&mut self) {
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

    /// The connection now carries something else.
    pub(super) fn switch(
        &mut self,
        status: u16,
        upgrade: Option<Bytes>,
        context: &mut Context<'_>,
    ) {
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

    pub(super) fn stop(&mut self, protocol: Protocol, context: &mut Context<'_>) {
        self.carries = Some(protocol);
        context.counters.not_http[protocol as usize] += 1;
        for way in &mut self.ways {
            way.switch_off();
        }
    }
}

/// Whether the first bytes of a protocol that can be asked for by this name
/// are no head: the HTTP/2 preface, a TLS record. Nobody need wait to be told
/// whether the connection has switched; Java's `HttpClient` asks for `h2c` in
/// every request, and hardly any server listens.
pub(super) fn is_obvious(upgrade: &[u8]) -> bool {
    upgrade.eq_ignore_ascii_case(b"h2c") || upgrade.starts_with(b"TLS/")
}
