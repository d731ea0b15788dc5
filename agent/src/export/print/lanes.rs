//! One trace as a block of text: a row for each span with its service, its
//! place in the tree, a bar on the common time axis, duration and status.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use wirespan_stitch::exchange::{Outcome, Role};
use wirespan_stitch::span::{Causality, Method, Span, SpanId};

use crate::export::otlp::broken_off;

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// With ANSI colours.
    pub color: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            width: 80,
            color: false,
        }
    }
}

/// Rows of one block; a trace can have any number of spans.
const ROWS: usize = 200;
/// Columns of a service, and of an operation, at most (80 columns wide).
const SERVICE: usize = 14;
const OPERATION: usize = 28;
/// Columns of a bar, at least.
const BAR: usize = 12;
const DURATION: usize = 7;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";
/// One for each service, in turn; red and yellow say something else.
const LANES: [&str; 5] = ["36", "32", "35", "34", "96"];

/// The block, ended by an empty line.
pub(super) fn block(spans: &[Span], style: Style) -> String {
    let rows = rows(spans);
    let layout = Layout::of(&rows, spans, style);
    let mut text = heading(spans, &rows, style);
    for row in rows.iter().take(ROWS) {
        layout.write(&mut text, row);
    }
    if rows.len() > ROWS {
        let _ = writeln!(text, "… and {} more spans", rows.len() - ROWS);
    }
    text.push('\n');
    text
}

struct Row<'a> {
    span: &'a Span,
    service: String,
    operation: String,
    status: String,
    failed: bool,
    /// How an inferred parent is known.
    marker: String,
    /// Number of the service, in order of appearance.
    lane: usize,
}

/// All spans, each after its parent, siblings by their start.
fn rows(spans: &[Span]) -> Vec<Row<'_>> {
    let known: BTreeSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let mut children: BTreeMap<Option<SpanId>, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        let parent = span
            .parent
            .filter(|parent| known.contains(parent) && *parent != span.span_id);
        children.entry(parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| (span.start, span.span_id));
    }
    let mut rows = Vec::with_capacity(spans.len());
    let mut lanes = Vec::new();
    // What is left to write, last first; `prefix` is the tree left of a row.
    let mut todo: Vec<(&Span, String, &str)> = Vec::new();
    let roots = children.remove(&None).unwrap_or_default();
    todo.extend(
        roots
            .into_iter()
            .rev()
            .map(|root| (root, String::new(), "")),
    );
    while let Some((span, prefix, branch)) = todo.pop() {
        rows.push(row(span, &format!("{prefix}{branch}"), &mut lanes));
        let below = match branch {
            "├ " => "│ ",
            "└ " => "  ",
            _ => "",
        };
        // A child of one id twice: only once.
        let next = children.remove(&Some(span.span_id)).unwrap_or_default();
        for (index, child) in next.into_iter().rev().enumerate() {
            let branch = if index == 0 { "└ " } else { "├ " };
            todo.push((child, format!("{prefix}{below}"), branch));
        }
    }
    // Spans that are their own ancestors: wrong, but not to be hidden.
    for span in children.into_values().flatten() {
        rows.push(row(span, "", &mut lanes));
    }
    rows
}

fn row<'a>(span: &'a Span, tree: &str, lanes: &mut Vec<String>) -> Row<'a> {
    let service = plain(&service(span));
    let lane = lanes
        .iter()
        .position(|name| *name == service)
        .unwrap_or_else(|| {
            lanes.push(service.clone());
            lanes.len() - 1
        });
    let request = &span.exchange.request;
    let target = String::from_utf8_lossy(&request.target);
    let path = target.split('?').next().unwrap_or_default();
    let direction = match span.kind {
        Role::Client => "→ ",
        Role::Server => "",
    };
    let method = String::from_utf8_lossy(&request.method);
    let (status, failed) = status(span);
    Row {
        span,
        operation: format!("{tree}{direction}{} {}", plain(&method), plain(path)),
        status,
        failed,
        marker: span.causality.map_or_else(String::new, marker),
        service,
        lane,
    }
}

fn service(span: &Span) -> String {
    match &span.process {
        None => span.local.to_string(),
        Some(process) if process.service_name.is_empty() => format!("pid {}", process.pid),
        Some(process) => process.service_name.clone(),
    }
}

/// The status code, if it was seen, and in a word how the exchange broke off.
fn status(span: &Span) -> (String, bool) {
    let exchange = &span.exchange;
    let code = exchange
        .response
        .as_ref()
        .and_then(|response| response.status);
    let broken = broken_off(exchange.outcome);
    let failed = broken.is_some()
        || code.is_some_and(|code| code >= 500 || (code >= 400 && span.kind == Role::Client));
    let end = match exchange.outcome {
        Outcome::ClosedBeforeResponse | Outcome::ClosedInResponse => "closed",
        Outcome::ResetBeforeResponse | Outcome::ResetInResponse => "reset",
        Outcome::TimedOut => "timeout",
        _ => "",
    };
    let text = match (code, end) {
        (Some(code), "") => code.to_string(),
        (Some(code), end) => format!("{code} {end}"),
        (None, "") => "?".to_owned(),
        (None, end) => end.to_owned(),
    };
    (text, failed)
}

/// Two ends of one message, and what the application itself passed on, need no
/// word; the rest is inferred.
fn marker(causality: Causality) -> String {
    match causality.method {
        Method::SameConnection | Method::Explicit => String::new(),
        method => format!("{} {:.0}%", method.as_str(), causality.confidence * 100.0),
    }
}

fn heading(spans: &[Span], rows: &[Row<'_>], style: Style) -> String {
    let services: BTreeSet<_> = rows.iter().map(|row| &row.service).collect();
    let (start, end) = extent(spans);
    let trace = spans
        .first()
        .map(|span| span.trace_id.to_string())
        .unwrap_or_default();
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut text = paint(&format!("trace {trace}"), BOLD, style);
    let _ = writeln!(
        text,
        "  {}  {}  {}",
        count(services.len(), "service"),
        count(rows.len(), "span"),
        duration(end - start),
    );
    text
}

/// Start and end of all spans, in ns.
fn extent(spans: &[Span]) -> (u64, u64) {
    let start = spans.iter().map(|span| span.start.0).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end.0).max().unwrap_or(0);
    (start, end.max(start))
}

/// Widths of the columns, and the time axis.
struct Layout {
    service: usize,
    operation: usize,
    bar: usize,
    status: usize,
    start: u64,
    end: u64,
    style: Style,
}

impl Layout {
    fn of(rows: &[Row<'_>], spans: &[Span], style: Style) -> Self {
        let shown = &rows[..rows.len().min(ROWS)];
        let widest = |text: fn(&Row<'_>) -> usize| shown.iter().map(text).max().unwrap_or(0);
        // Columns grow with the terminal.
        let room = style.width.saturating_sub(Style::default().width);
        let service = widest(|row| width(&row.service)).min(SERVICE + room / 6);
        let operation = widest(|row| width(&row.operation)).min(OPERATION + room / 2);
        let status = widest(|row| width(&row.status));
        let marker = widest(|row| width(&row.marker));
        let marker = if marker == 0 { 0 } else { marker + 1 };
        let others = service + operation + DURATION + status + marker + 4;
        let (start, end) = extent(spans);
        // Too narrow for all: the operation gives way, not the bar.
        let bar = style.width.saturating_sub(others).max(BAR);
        let excess = (others + bar).saturating_sub(style.width);
        Self {
            service,
            operation: operation.saturating_sub(excess).max(BAR),
            bar,
            status,
            start,
            end,
            style,
        }
    }

    fn write(&self, text: &mut String, entry: &Row<'_>) {
        let lane = LANES[entry.lane % LANES.len()];
        let status = format!("{:<1$}", entry.status, self.status);
        let color = if entry.failed { RED } else { lane };
        let columns = [
            paint(&fitted(&entry.service, self.service), lane, self.style),
            fitted(&entry.operation, self.operation),
            self.bar(entry.span, color),
            format!(
                "{:>DURATION$}",
                duration(entry.span.end.0.saturating_sub(entry.span.start.0))
            ),
            if entry.failed {
                paint(&status, RED, self.style)
            } else {
                status
            },
            paint(&entry.marker, YELLOW, self.style),
        ]
        .join(" ");
        text.push_str(columns.trim_end());
        text.push('\n');
    }

    /// The span's time on the axis: `█` where a server works, `▒` where a client
    /// waits; at least one column.
    fn bar(&self, span: &Span, color: &str) -> String {
        let total = (self.end - self.start).max(1);
        let column = |time: u64| {
            let offset = u128::from(time.clamp(self.start, self.end) - self.start);
            usize::try_from(offset * self.bar as u128 / u128::from(total)).unwrap_or(self.bar)
        };
        let from = column(span.start.0).min(self.bar - 1);
        let to = column(span.end.0).clamp(from + 1, self.bar);
        let fill = match span.kind {
            Role::Server => "█",
            Role::Client => "▒",
        };
        let axis = |length: usize| paint(&"·".repeat(length), DIM, self.style);
        let bar = paint(&fill.repeat(to - from), color, self.style);
        format!("{}{bar}{}", axis(from), axis(self.bar - to))
    }
}

/// In three digits or so, with a unit.
fn duration(nanos: u64) -> String {
    let seconds = Duration::from_nanos(nanos).as_secs_f64();
    let (value, unit) = match nanos {
        0..1_000_000 => (seconds * 1e6, "µs"),
        1_000_000..1_000_000_000 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$}{unit}")
}

/// Control characters could drive the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

/// Exactly this wide: padded, or cut with an ellipsis.
fn fitted(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return format!("{text:<columns$}");
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn paint(text: &str, color: &str, style: Style) -> String {
    if style.color && !text.is_empty() {
        format!("\x1b[{color}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn named(mut span: Span, service: &str, path: &str, status: u16) -> Span {
        span.process = Some(testing::process(1, service));
        span.exchange = Box::new(testing::exchange("GET", path, status));
        span
    }

    fn shop() -> Vec<Span> {
        use Role::{Client, Server};
        vec![
            named(
                testing::span(6, Some(1), Client, 30, 90),
                "front",
                "/prices",
                500,
            ),
            named(
                testing::span(7, Some(6), Server, 35, 80),
                "prices",
                "/prices",
                500,
            ),
            named(
                testing::span(4, Some(3), Client, 20, 50),
                "stock",
                "/rows?id=1",
                200,
            ),
            named(
                testing::span(1, None, Server, 0, 100),
                "front",
                "/cart?secret=x",
                200,
            ),
            named(
                testing::span(2, Some(1), Client, 10, 60),
                "front",
                "/stock",
                200,
            ),
            named(
                testing::span(3, Some(2), Server, 15, 55),
                "stock",
                "/stock",
                200,
            ),
        ]
    }

    #[test]
    fn a_trace_reads_at_80_columns() {
        let expected = "\
trace 01010101010101010101010101010101  3 services  6 spans  100ms
front  GET /cart         ████████████████████████████████   100ms 200
front  ├ → GET /stock    ···▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒·············    50ms 200 thread 95%
stock  │ └ GET /stock    ····█████████████···············    40ms 200
stock  │   └ → GET /rows ······▒▒▒▒▒▒▒▒▒▒················    30ms 200 thread 95%
front  └ → GET /prices   ·········▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒····    60ms 500 thread 95%
prices   └ GET /prices   ···········██████████████·······    45ms 500

";
        let found = block(&shop(), Style::default());
        for line in found.lines() {
            assert!(width(line) <= 80, "{line}");
        }
        assert_eq!(found, expected, "\n{found}");
    }

    #[test]
    fn every_width_is_kept() {
        for columns in [60, 80, 100, 132, 200] {
            let style = Style {
                width: columns,
                color: false,
            };
            for line in block(&shop(), style).lines() {
                assert!(width(line) <= columns.max(66), "{columns}: {line}");
            }
        }
    }

    #[test]
    fn colour_changes_no_character() {
        let color = Style {
            color: true,
            ..Style::default()
        };
        let painted = block(&shop(), color);
        assert!(painted.contains("\x1b[31m500"));
        let mut bare = String::new();
        let mut parts = painted.split('\x1b');
        bare.push_str(parts.next().unwrap());
        for part in parts {
            bare.push_str(part.split_once('m').unwrap().1);
        }
        assert_eq!(bare, block(&shop(), Style::default()));
    }

    #[test]
    fn what_broke_off_says_how() {
        let mut span = testing::span(1, None, Role::Client, 0, 1);
        span.exchange.response = None;
        span.exchange.outcome = Outcome::ResetBeforeResponse;
        let text = block(&[span.clone()], Style::default());
        assert!(text.ends_with(" reset\n\n"), "{text}");
        span.exchange = Box::new(testing::exchange("GET", "/", 500));
        span.exchange.outcome = Outcome::ClosedInResponse;
        let text = block(&[span], Style::default());
        assert!(text.ends_with(" 500 closed\n\n"), "{text}");
    }

    #[test]
    fn loops_and_twins_end() {
        let mut a = testing::span(1, Some(2), Role::Server, 0, 1);
        let b = testing::span(2, Some(1), Role::Client, 0, 1);
        a.parent = Some(a.span_id);
        let text = block(&[a.clone(), a, b], Style::default());
        assert_eq!(text.lines().filter(|line| line.contains("GET")).count(), 3);
    }

    #[test]
    fn terminals_are_not_driven_by_requests() {
        let span = named(
            testing::span(1, None, Role::Server, 0, 1),
            "a",
            "/\x1b[2J",
            200,
        );
        assert!(!block(&[span], Style::default()).contains('\x1b'));
    }

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0.0µs"),
            (4_300, "4.3µs"),
            (999_000, "999µs"),
            (1_240_000, "1.2ms"),
            (12_400_000, "12ms"),
            (2_500_000_000, "2.5s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(duration(nanos), expected);
        }
    }
}
