//! Where two readers of a capture do not agree.

use super::exchange::{Connections, Exchange};

/// The exchanges of a capture, told apart by who tells of them.
#[derive(Debug, Default)]
pub(super) struct Difference {
    exchanges: u64,
    found: u64,
    missing: u64,
    invented: u64,
    differing: u64,
    /// Found, with an answer that tshark does not tell: it does so only of those
    /// whose body it could put together.
    answered: u64,
    /// One for each exchange that is not found.
    pub lines: Vec<String>,
}

impl Difference {
    /// `read` by the other one, `seen` by wirespan.
    pub(super) fn between(read: &Connections, seen: &Connections) -> Self {
        let mut difference = Self::default();
        for (ends, read) in read {
            let seen = seen.get(ends).map_or(&[][..], Vec::as_slice);
            difference.connection(&format!("ports {} and {}", ends.0, ends.1), read, seen);
        }
        for (ends, seen) in seen.iter().filter(|(ends, _)| !read.contains_key(ends)) {
            difference.connection(&format!("ports {} and {}", ends.0, ends.1), &[], seen);
        }
        difference
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.found += other.found;
        self.missing += other.missing;
        self.invented += other.invented;
        self.differing += other.differing;
        self.answered += other.answered;
    }

    pub(super) fn figures(&self) -> String {
        format!(
            "{} exchanges by tshark: {} found, {} more with an answer that tshark does not tell, \
             {} missing, {} with another answer; {} not by tshark",
            self.exchanges, self.found, self.answered, self.missing, self.differing, self.invented
        )
    }

    fn connection(&mut self, ends: &str, read: &[Exchange], seen: &[Exchange]) {
        self.exchanges += read.len() as u64;
        let mut seen: Vec<_> = seen.iter().collect();
        let mut left = Vec::new();
        for exchange in read {
            let same =
                |other: &&Exchange| other.asks_as(exchange) && other.status == exchange.status;
            match seen.iter().position(same) {
                Some(place) => {
                    seen.remove(place);
                    self.found += 1;
                }
                None => left.push(exchange),
            }
        }
        for exchange in left {
            if let Some(place) = seen.iter().position(|other| other.asks_as(exchange)) {
                let other = seen.remove(place);
                if exchange.status.is_none() {
                    self.answered += 1;
                    continue;
                }
                self.differing += 1;
                self.lines
                    .push(format!("{ends}: differs: {exchange}; wirespan: {other}"));
            } else {
                self.missing += 1;
                self.lines.push(format!("{ends}: missing: {exchange}"));
            }
        }
        for exchange in seen {
            self.invented += 1;
            self.lines
                .push(format!("{ends}: not by tshark: {exchange}"));
        }
    }
}
