//! Starts the outputs that were asked for, and knows what became of the spans.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use wirespan_stitch::span::Span;

use crate::cli;
use crate::export::batch::Mapping;
use crate::export::counters::Counters;
use crate::export::file::JsonLines;
use crate::export::grpc::settings::{Settings, pairs};
use crate::export::grpc::{self, Exporter};
use crate::export::pipeline::{self, Pipeline};
use crate::export::print::{Printer, Style};

/// The outputs of one run; [`Outputs::finish`] them.
#[derive(Debug)]
pub struct Outputs {
    pipeline: Pipeline,
    counters: Vec<Arc<Counters>>,
}

/// What became of the spans.
#[derive(Debug)]
pub struct Exported {
    /// On the way to the outputs.
    pub handed: Arc<Counters>,
    /// At each of them.
    pub outputs: Vec<Arc<Counters>>,
}

impl Outputs {
    /// Starts them. `live`: drop what outputs are too slow for, rather than
    /// wait.
    pub fn start(wanted: &cli::Outputs, live: bool) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let otlp = Settings::new(wanted.otlp.as_deref(), variable)?;
        let nothing_else = otlp.is_none() && wanted.json.is_none();
        let print = wanted.print || (nothing_else && io::stdout().is_terminal());
        if nothing_else && !print {
            log::warn!("no output: spans are counted only (see --otlp, --json, --print)");
        }
        let mapping = Mapping {
            query: wanted.query,
            resource: match variable("OTEL_RESOURCE_ATTRIBUTES") {
                Some(list) => pairs(&list).context("OTEL_RESOURCE_ATTRIBUTES")?,
                None => Vec::new(),
            },
        };
        let mut outputs = pipeline::Outputs::default();
        let mut counters = Vec::new();
        let mut counted = |output| {
            let new = Counters::new(output);
            counters.push(Arc::clone(&new));
            new
        };
        if let Some(path) = &wanted.json {
            outputs.json = Some(JsonLines::create(path, counted("json"))?);
        }
        if let Some(settings) = otlp {
            let limits = grpc::Limits::default();
            outputs.otlp = Some(Exporter::start(settings, limits, counted("otlp"))?);
        }
        if print {
            let beside_data = wanted.json.as_deref() == Some(Path::new("-"));
            outputs.print = Some(printer(beside_data, live, counted("print"))?);
        }
        Ok(Self {
            pipeline: Pipeline::start(outputs, mapping, !live)?,
            counters,
        })
    }

    /// Takes spans.
    pub fn give(&self, spans: impl Iterator<Item = Span>) {
        self.pipeline.give(spans);
    }

    /// Flushes and ends the outputs.
    pub fn finish(self) -> Exported {
        Exported {
            handed: self.pipeline.finish(),
            outputs: self.counters,
        }
    }
}

/// What is for people goes to standard error where standard output carries
/// data.
fn printer(beside_data: bool, live: bool, counters: Arc<Counters>) -> Result<Printer> {
    let output: Box<dyn Write + Send> = if beside_data {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    };
    Printer::start(output, Style::of(!beside_data), live, counters)
}
