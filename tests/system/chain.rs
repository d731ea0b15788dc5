//! What must hold of the spans of `wrk → nginx → backend`, checked by the id
//! that each request has in its path.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail, ensure};
use wirespan_tests::agent::Traced;
use wirespan_tests::span::{Kind, Span};

/// How often a parent inside nginx was right, missing or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) right: usize,
    pub(crate) missing: usize,
    pub(crate) wrong: usize,
}

/// The four spans of one request.
struct Chain<'a> {
    load: &'a Span,
    proxy_in: &'a Span,
    proxy_out: &'a Span,
    backend: &'a Span,
}

/// Checks that each of the requests `PREFIX/id` has its four spans, each once,
/// with status 200 and with the right parents across the wire; that there are
/// no other spans; and that the account adds up.
pub(crate) fn check(traced: &Traced, prefix: &str, ids: RangeInclusive<u32>) -> Result<Inside> {
    let account = traced.account()?;
    ensure!(
        account.exported == traced.spans.len() as u64,
        "{} spans written, the account says {}",
        traced.spans.len(),
        account.exported
    );
    unique(&traced.spans)?;
    let chains = chains(&traced.spans, prefix, ids)?;
    ensure!(
        chains.len() * 4 == traced.spans.len(),
        "{} spans for {} requests",
        traced.spans.len(),
        chains.len()
    );
    for (path, chain) in &chains {
        chain.check().with_context(|| path.to_string())?;
    }
    Ok(inside(&chains))
}

/// Fails if a span id occurs twice.
pub(crate) fn unique(spans: &[Span]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match spans.iter().find(|span| !seen.insert(&span.span_id)) {
        Some(twice) => bail!("a span id occurs twice: {twice:#?}"),
        None => Ok(()),
    }
}

fn chains<'a>(
    spans: &'a [Span],
    prefix: &str,
    ids: RangeInclusive<u32>,
) -> Result<BTreeMap<&'a str, Chain<'a>>> {
    let mut by_path: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        by_path.entry(span.path()).or_default().push(span);
    }
    let mut chains = BTreeMap::new();
    let (mut incomplete, mut example) = (0, String::new());
    for id in ids {
        let path = format!("{prefix}/{id}");
        let entry = by_path.get_key_value(path.as_str());
        match entry.map(|(path, spans)| (path, chain(spans))) {
            Some((path, Ok(chain))) => _ = chains.insert(*path, chain),
            Some((_, Err(error))) => {
                incomplete += 1;
                example = format!("{path}: {error:#}");
            }
            None => {
                incomplete += 1;
                example = format!("{path}: no span at all");
            }
        }
    }
    ensure!(
        incomplete == 0,
        "{incomplete} requests lack spans, such as {example}"
    );
    Ok(chains)
}

fn chain<'a>(spans: &[&'a Span]) -> Result<Chain<'a>> {
    let one = |service: &str, kind: Kind| -> Result<&'a Span> {
        let found: Vec<_> = spans
            .iter()
            .filter(|span| span.service() == service && span.kind == kind)
            .collect();
        let [span] = found.as_slice() else {
            let all: Vec<_> = spans.iter().map(|s| (s.service(), s.kind)).collect();
            bail!(
                "{} {kind:?} spans of {service}, not 1, in {all:?}",
                found.len()
            );
        };
        Ok(span)
    };
    Ok(Chain {
        load: one("wrk", Kind::Client)?,
        proxy_in: one("nginx", Kind::Server)?,
        proxy_out: one("nginx", Kind::Client)?,
        backend: one("backend", Kind::Server)?,
    })
}

impl Chain<'_> {
    fn check(&self) -> Result<()> {
        for span in [self.load, self.proxy_in, self.proxy_out, self.backend] {
            ensure!(span.status_code() == Some(200), "not status 200: {span:#?}");
            ensure!(span.start <= span.end, "ends before it starts: {span:#?}");
        }
        for (parent, child) in [(self.load, self.proxy_in), (self.proxy_out, self.backend)] {
            ensure!(
                child.parent == parent.span_id && child.trace_id == parent.trace_id,
                "wrong parent across the wire: {parent:#?} {child:#?}"
            );
            let method = child.get("wirespan.causality.method");
            ensure!(method == "same_connection", "known by {method:?}");
        }
        Ok(())
    }
}

fn inside(chains: &BTreeMap<&str, Chain<'_>>) -> Inside {
    let mut inside = Inside::default();
    for chain in chains.values() {
        match chain.proxy_out.parent.as_str() {
            "" => inside.missing += 1,
            parent if parent == chain.proxy_in.span_id => inside.right += 1,
            _ => inside.wrong += 1,
        }
    }
    inside
}
