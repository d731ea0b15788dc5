//! What tshark reads in a capture.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::exchange::{self, Connections, Ends, Exchange};

/// Segments in any order, messages over several of them, HTTP on any port.
const OPTIONS: [&str; 11] = [
    "-o",
    "tcp.reassemble_out_of_order:TRUE",
    "-o",
    "tcp.desegment_tcp_streams:TRUE",
    "-o",
    "http.desegment_headers:TRUE",
    "-o",
    "http.desegment_body:TRUE",
    "--enable-heuristic",
    "http_tcp",
    "-n",
];
/// Stands between several values of a field.
const BETWEEN: char = '\u{1}';
const FIELDS: [&str; 9] = [
    "frame.number",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "http.request.method",
    "http.request.uri",
    "http.response.code",
    "http.request_in",
];

/// The exchanges in it. A file that is cut off is read up to there.
pub(super) fn read(file: &Path) -> Result<Connections> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(OPTIONS);
    command.args(["-Y", "http && tcp", "-T", "fields", "-E"]);
    command.arg(format!("aggregator={BETWEEN}"));
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("starting tshark")?;
    let mut streams = Streams::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        streams.add(line);
    }
    let mut connections = Connections::new();
    for (ends, pending) in streams.0.into_values() {
        let exchanges = pending.into_iter().map(|pending| pending.exchange);
        connections.entry(ends).or_default().extend(exchanges);
    }
    connections.retain(|_, exchanges| !exchanges.is_empty());
    Ok(connections)
}

/// The requests of each `tcp.stream`.
#[derive(Default)]
struct Streams(BTreeMap<u64, (Ends, Vec<Pending>)>);

struct Pending {
    frame: String,
    sequence: String,
    exchange: Exchange,
}

impl Streams {
    fn add(&mut self, line: &str) {
        let fields: Vec<_> = line.split('\t').collect();
        let &[
            frame,
            stream,
            from,
            to,
            sequence,
            methods,
            uris,
            codes,
            asked,
        ] = fields.as_slice()
        else {
            return;
        };
        let (Ok(stream), Ok(from), Ok(to)) =
            (last(stream).parse(), last(from).parse(), last(to).parse())
        else {
            return;
        };
        let ends = exchange::ends(from, to);
        let (_, pending) = self.0.entry(stream).or_insert((ends, Vec::new()));
        let mut uris = values(uris);
        for method in values(methods) {
            let exchange = Exchange {
                method: method.to_owned(),
                target: exchange::target(method, uris.next().unwrap_or_default()),
                status: None,
                size: None,
            };
            // Cut requests that were captured twice are told of twice.
            let again = pending.iter().any(|before| {
                before.sequence == sequence
                    && before.frame != frame
                    && before.exchange.asks_as(&exchange)
            });
            if !again {
                pending.push(Pending {
                    frame: frame.to_owned(),
                    sequence: sequence.to_owned(),
                    exchange,
                });
            }
        }
        let codes: Vec<u16> = values(codes).filter_map(|code| code.parse().ok()).collect();
        let asked: Vec<_> = values(asked).collect();
        for (place, &status) in codes.iter().enumerate() {
            let frame = asked.get(place).filter(|_| asked.len() == codes.len());
            if status >= 200 || status == 101 {
                answer(pending, frame.copied(), status);
            }
        }
    }
}

/// A response goes to the request that tshark says, else to the first without.
fn answer(pending: &mut [Pending], frame: Option<&str>, status: u16) {
    let open = pending.iter_mut().find(|pending| {
        pending.exchange.status.is_none() && frame.is_none_or(|frame| pending.frame == frame)
    });
    if let Some(open) = open {
        open.exchange.status = Some(status);
    }
}

fn values(field: &str) -> impl Iterator<Item = &str> {
    field.split(BETWEEN).filter(|value| !value.is_empty())
}

/// Of several headers in each other, the innermost one's.
fn last(field: &str) -> &str {
    values(field).last().unwrap_or_default()
}
