//! The account that the agent gives on standard error when it ends.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// What became of every request that the agent saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Requests seen, at either end of a connection.
    pub seen: u64,
    /// Spans handed to every output.
    pub exported: u64,
    /// Requests that gave no span, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Every line of the account, by its words.
    pub lines: BTreeMap<String, u64>,
}

impl Account {
    /// Reads the account from what the agent wrote to standard error.
    pub fn parse(log: &str) -> Result<Self> {
        let (_, account) = log
            .rsplit_once("wirespan: account")
            .with_context(|| format!("no account in:\n{log}"))?;
        let mut lines = BTreeMap::new();
        let mut dropped = BTreeMap::new();
        for line in account.lines().skip(1) {
            let Some((words, number)) = counted(line) else {
                continue;
            };
            if let Some(reason) = words.strip_prefix("dropped: ") {
                dropped.insert(reason.to_owned(), number);
            }
            lines.insert(words.to_owned(), number);
        }
        let line = |words: &str| {
            let found = lines.get(words).copied();
            found.with_context(|| format!("no {words:?} in the account:\n{account}"))
        };
        Ok(Self {
            seen: line("requests seen")?,
            exported: line("spans exported")?,
            dropped,
            lines,
        })
    }

    /// Fails unless `seen = exported + Σ dropped`.
    pub fn check(&self) -> Result<()> {
        let dropped: u64 = self.dropped.values().sum();
        ensure!(
            self.seen == self.exported + dropped,
            "the account does not add up: {self:#?}"
        );
        Ok(())
    }
}

/// `  some words   12` as ("some words", 12).
fn counted(line: &str) -> Option<(&str, u64)> {
    let (words, number) = line.trim().rsplit_once(char::is_whitespace)?;
    Some((words.trim(), number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "wirespan: tracing\nwirespan: account\n  requests seen   12\n  \
        spans exported   9\n  dropped: timed out   2\n  dropped: evicted   1\n";

    #[test]
    fn an_account_that_adds_up() {
        let account = Account::parse(LOG).unwrap();
        assert_eq!((account.seen, account.exported), (12, 9));
        assert_eq!(account.dropped["timed out"], 2);
        account.check().unwrap();
    }

    #[test]
    fn one_that_does_not() {
        let account = Account::parse(&LOG.replace(" 9", " 8")).unwrap();
        assert!(account.check().is_err());
    }

    #[test]
    fn none_at_all() {
        assert!(Account::parse("wirespan: tracing\n").is_err());
    }
}
