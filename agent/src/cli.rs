//! The command line: `wirespan run | record | replay | explain | doctor`.
//!
//! Words in, checked settings out; what they mean is left to the commands.
//! Scripts rely on these words: add, do not rename.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use wirespan_stitch::span::Method;
use wirespan_stitch::{causality, engine};

use crate::export::otlp::QueryPolicy;

/// Traces HTTP services that nobody instrumented.
#[derive(Debug, Parser)]
#[command(name = "wirespan", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trace this host until interrupted, then flush and print the account
    Run {
        /// What to trace
        #[command(flatten)]
        filters: Filters,
        /// Where spans go
        #[command(flatten)]
        outputs: Outputs,
        /// How causes are decided on
        #[command(flatten)]
        stitching: Stitching,
        /// Also write the raw socket events to this file, as `record` does
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Write raw socket events to a file, to stitch them later
    Record {
        /// The recording; it must not exist yet
        file: PathBuf,
        /// What to trace
        #[command(flatten)]
        filters: Filters,
    },
    /// Stitch a recording, or a packet capture (.pcap, .pcapng), without privileges
    Replay {
        /// A recording or a packet capture
        file: PathBuf,
        /// Where spans go
        #[command(flatten)]
        outputs: Outputs,
        /// How causes are decided on
        #[command(flatten)]
        stitching: Stitching,
    },
    /// Say why a span has the parent it has, or what was learnt of services
    Explain {
        /// A recording or a packet capture
        #[arg(required_unless_present = "model", requires = "id")]
        file: Option<PathBuf>,
        /// The span's id, 16 hexadecimal digits
        #[arg(value_parser = span_id)]
        id: Option<String>,
        /// Show what was learnt: kept in this directory or file (by default where
        /// `run` keeps it), or in a recording
        #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with_all = ["file", "id"])]
        model: Option<Option<PathBuf>>,
        /// How causes are decided on
        #[command(flatten)]
        stitching: Stitching,
    },
    /// Say what this kernel allows, and what to do where it does not
    Doctor,
}

/// What to trace. Within one kind any match is enough; between kinds all must
/// match; what is excluded is never traced.
#[derive(Args, Clone, Debug, Default)]
pub struct Filters {
    /// Trace only this process and its children
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Vec<u32>,
    /// Trace only connections with this port at either end
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Trace only processes that run this executable (a name or path, with * and ?)
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub exe: Vec<String>,
    /// Do not trace this process and its children
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub exclude_pid: Vec<u32>,
    /// Do not trace connections with this port at either end
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub exclude_port: Vec<u16>,
    /// Do not trace processes that run this executable
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub exclude_exe: Vec<String>,
    /// Size of the kernel's ring buffer: a power of two, at least a page
    #[arg(long, value_name = "BYTES", hide = true)]
    pub ring_bytes: Option<u32>,
}

/// How causes are decided on.
#[derive(Args, Clone, Debug, Default)]
pub struct Stitching {
    /// The least confidence that makes a parent; below it a span is a root with
    /// a link to the best guess
    #[arg(long, value_name = "0..1", value_parser = probability)]
    pub parent_confidence: Option<f32>,
    /// Query parameters that are no evidence of a cause: an evaluation hides its
    /// truth in them
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide = true)]
    pub ignore_parameter: Vec<String>,
    /// Kinds of evidence to do without, to see what each is worth: thread,
    /// timing, …
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = evidence, hide = true)]
    pub without: Vec<Method>,
    /// Keep what is learnt of services in this directory, and begin with what an
    /// earlier run left there
    #[arg(
        long,
        value_name = "DIR",
        help = "Keep what is learnt of services in this directory, for the next run to begin \
                with (run: by default $STATE_DIRECTORY, or /var/lib/wirespan as root, unless \
                --record is given)"
    )]
    pub state_dir: Option<PathBuf>,
    /// Begin with nothing learnt, and keep nothing
    #[arg(long, conflicts_with = "state_dir")]
    pub no_state: bool,
}

impl Stitching {
    /// The engine's settings.
    pub fn config(&self) -> engine::Config {
        let default = engine::Config::default();
        engine::Config {
            parent_confidence: self.parent_confidence.unwrap_or(default.parent_confidence),
            ignored_parameters: self.ignore_parameter.clone(),
            causality: causality::Config {
                without: self.without.clone(),
                ..default.causality
            },
            ..default
        }
    }
}

/// Where spans go; any number at once.
#[derive(Args, Clone, Debug, Default)]
pub struct Outputs {
    /// Send spans to this collector, by OTLP over gRPC.
    #[arg(
        long,
        value_name = "URL",
        help = "Send spans to this collector, OTLP over gRPC, as in http://localhost:4317 \
                (also OTEL_EXPORTER_OTLP_ENDPOINT and its companions)"
    )]
    pub otlp: Option<String>,
    /// Write spans to this file as OTLP/JSON, one request a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print traces as swim lanes (the default on a terminal, without other outputs)
    #[arg(long)]
    pub print: bool,
    /// What to tell of the query in a URL
    #[arg(long, value_enum, default_value_t)]
    pub query: QueryPolicy,
}

fn probability(text: &str) -> Result<f32, String> {
    let value = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("a confidence is between 0 and 1".to_owned())
    }
}

fn evidence(text: &str) -> Result<Method, String> {
    let kinds = causality::KINDS;
    let found = kinds.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| {
        let known = kinds.map(Method::as_str).join(", ");
        format!("not a kind of evidence; these are: {known}")
    })
}

fn span_id(text: &str) -> Result<String, String> {
    let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a span's id is 16 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn filters_repeat_or_are_separated_by_commas() {
        let line = "wirespan run --pid 1,2 --pid 3 --port 80,81 --exe nginx,/opt/* \
                    --exclude-pid 4 --exclude-port 22 --exclude-exe sshd --query keep";
        let Command::Run {
            filters, outputs, ..
        } = parse(line).unwrap()
        else {
            panic!("not run");
        };
        assert_eq!(filters.pid, [1, 2, 3]);
        assert_eq!(filters.port, [80, 81]);
        assert_eq!(filters.exe, ["nginx", "/opt/*"]);
        assert_eq!(filters.exclude_pid, [4]);
        assert_eq!(filters.exclude_port, [22]);
        assert_eq!(filters.exclude_exe, ["sshd"]);
        assert_eq!(outputs.query, QueryPolicy::Keep);
    }

    #[test]
    fn kinds_of_evidence_are_left_out_by_name() {
        let Command::Replay { stitching, .. } =
            parse("wirespan replay a.wsr --without thread,event_loop --without timing").unwrap()
        else {
            panic!("not replay");
        };
        let without = stitching.config().causality.without;
        assert_eq!(without, [Method::Thread, Method::EventLoop, Method::Timing]);
        assert!(parse("wirespan replay a.wsr --without luck").is_err());
    }

    #[test]
    fn every_command_has_its_words() {
        for line in [
            "wirespan run --otlp http://a:4317 --json - --print",
            "wirespan record a.wsr --port 80",
            "wirespan replay a.pcap --json out.jsonl",
            "wirespan explain a.wsr 0123456789abcDEF",
            "wirespan explain --model",
            "wirespan explain --model /var/lib/wirespan",
            "wirespan run --state-dir here",
            "wirespan run --no-state",
            "wirespan doctor",
        ] {
            parse(line).unwrap();
        }
        for line in [
            "wirespan run --pid 0",
            "wirespan run --port 70000",
            "wirespan run --query hide",
            "wirespan replay a --pid 1",
            "wirespan explain a 123",
            "wirespan explain a",
            "wirespan explain",
            "wirespan run --no-state --state-dir here",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
