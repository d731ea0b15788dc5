//! Everything the stream and protocol stages discard, repair or doubt, counted.

use crate::exchange::{Anomalies, Anomaly, Exchange, Outcome};

use super::Protocol;

/// Counters over all connections of an engine.
///
/// `requests` is always the number of exchanges that were handed out plus the
/// number that wait for their responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests whose head was read.
    pub requests: u64,
    /// Exchanges handed out, by [`Outcome`] as `usize`.
    pub exchanges: [u64; 10],
    /// Exchanges handed out in which something was odd, by [`Anomaly`] as `usize`.
    pub anomalies: [u64; Anomaly::ALL.len()],
    /// Sockets found not to carry HTTP/1.x, by [`Protocol`] as `usize`.
    pub not_http: [u64; Protocol::ALL.len()],
    /// Final responses to requests that were not seen or cannot be told.
    pub responses_unmatched: u64,
    /// Times that a direction's place in HTTP was lost.
    pub places_lost: u64,
    /// Heads found again after that.
    pub resynchronisations: u64,
    /// Bytes passed over in search of a head.
    pub bytes_searched: u64,
    /// Gaps in a stream: events lost.
    pub gaps: u64,
    /// Bytes in those gaps.
    pub bytes_lost: u64,
    /// Bytes of which only the number was told.
    pub bytes_not_copied: u64,
    /// Bytes that came again; the first copy counts.
    pub bytes_repeated: u64,
    /// Requests over [`super::Limits::pending`], and answers in doubt over it.
    pub pending_limit: u64,
    /// Bytes over [`super::Limits::backlog`].
    pub backlog_limit: u64,
}

impl Counters {
    /// Counts an exchange that is handed out.
    pub fn exchange(&mut self, exchange: &Exchange) {
        self.exchanges[exchange.outcome as usize] += 1;
        self.anomalies_of(exchange.anomalies);
    }

    /// Exchanges handed out with this outcome.
    pub fn exchanges_by(&self, outcome: Outcome) -> u64 {
        self.exchanges[outcome as usize]
    }

    /// Exchanges handed out.
    pub fn exchanges_total(&self) -> u64 {
        self.exchanges.iter().sum()
    }

    fn anomalies_of(&mut self, anomalies: Anomalies) {
        if !anomalies.is_empty() {
            for anomaly in anomalies.iter() {
                self.anomalies[anomaly as usize] += 1;
            }
        }
    }
}
