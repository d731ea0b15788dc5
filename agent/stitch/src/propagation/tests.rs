//! All formats together: precedence, conflicts, and arbitrary input.

use proptest::prelude::*;

use super::*;
use crate::span::{SpanId, TraceId};

/// What a reader finds for these ids, given as 32 and 16 digits.
pub(super) fn context(
    format: Format,
    trace_id: &str,
    parent: &str,
    sampled: Option<bool>,
) -> Found<'static> {
    let parent = u64::from_str_radix(parent, 16).unwrap();
    let parent = Some(SpanId(parent.to_be_bytes()));
    Found::context(format, trace(trace_id), parent, sampled)
}

/// The same, without a parent.
pub(super) fn root(format: Format, trace_id: &str, sampled: Option<bool>) -> Found<'static> {
    Found::context(format, trace(trace_id), None, sampled)
}

fn trace(digits: &str) -> TraceId {
    TraceId(u128::from_str_radix(digits, 16).unwrap().to_be_bytes())
}

fn propagated<'a>(fields: &'a [(&str, &str)]) -> Propagated<'a> {
    extract(
        fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

const TRACE: &str = "463ac35c9f6413ad48485a3953bb6124";
const W3C: (&str, &str) = (
    "traceparent",
    "00-463ac35c9f6413ad48485a3953bb6124-d48485a3953bb612-01",
);

/// One request in each format, all naming the same trace and parent.
fn one_of_each() -> Vec<(Format, Vec<(&'static str, &'static str)>)> {
    vec![
        (Format::TraceContext, vec![W3C]),
        (
            Format::B3,
            vec![("B3", "463ac35c9f6413ad48485a3953bb6124-d48485a3953bb612-1")],
        ),
        (
            Format::B3Multi,
            vec![
                ("x-b3-traceid", TRACE),
                ("X-B3-SPANID", "d48485a3953bb612"),
                ("X-B3-Sampled", "1"),
            ],
        ),
        (
            Format::Jaeger,
            vec![(
                "uber-trace-id",
                "463ac35c9f6413ad48485a3953bb6124:d48485a3953bb612:0:1",
            )],
        ),
        (
            Format::Datadog,
            vec![
                ("x-datadog-trace-id", "5208512171318403364"),
                ("x-datadog-parent-id", "15313511570596410898"),
                ("x-datadog-sampling-priority", "1"),
                ("x-datadog-tags", "_dd.p.tid=463ac35c9f6413ad"),
            ],
        ),
        (
            Format::OpenTracing,
            vec![
                ("ot-tracer-traceid", TRACE),
                ("ot-tracer-spanid", "d48485a3953bb612"),
                ("ot-tracer-sampled", "true"),
            ],
        ),
        (
            Format::XRay,
            vec![(
                "X-Amzn-Trace-Id",
                "Root=1-463ac35c-9f6413ad48485a3953bb6124;Parent=d48485a3953bb612;Sampled=1",
            )],
        ),
        (
            Format::CloudTrace,
            vec![(
                "X-Cloud-Trace-Context",
                "463ac35c9f6413ad48485a3953bb6124/15313511570596410898;o=1",
            )],
        ),
    ]
}

#[test]
fn nothing() {
    assert_eq!(propagated(&[]), Propagated::default());
    let fields = [("Host", "localhost"), ("Accept", "*/*"), ("", "")];
    assert_eq!(propagated(&fields), Propagated::default());
}

#[test]
fn every_format_alone() {
    for (format, fields) in one_of_each() {
        let found = propagated(&fields);
        let expected = context(format, TRACE, "d48485a3953bb612", Some(true));
        assert_eq!(found.context.map(Found::Context), Some(expected));
        assert!(found.invalid.is_empty() && found.conflicting.is_empty());
    }
}

#[test]
fn the_first_in_precedence_wins_in_any_order_of_fields() {
    let requests = one_of_each();
    for (rank, (first, _)) in requests.iter().enumerate() {
        let fields: Vec<_> = requests[rank..]
            .iter()
            .rev()
            .flat_map(|(_, fields)| fields.iter().copied())
            .collect();
        let found = propagated(&fields);
        assert_eq!(found.context.map(|context| context.format), Some(*first));
        assert!(found.conflicting.is_empty(), "they all agree");
    }
}

#[test]
fn disagreement_is_told() {
    for (other, conflicts) in [
        (
            "b3:463ac35c9f6413ad48485a3953bb6124-d48485a3953bb612-1",
            false,
        ),
        // 64 bits of the same trace id.
        ("b3:48485a3953bb6124-d48485a3953bb612-1", false),
        (
            "b3:463ac35c9f6413ad48485a3953bb6124-d48485a3953bb612-0",
            false,
        ),
        (
            "b3:463ac35c9f6413ad48485a3953bb6124-d48485a3953bb611-1",
            true,
        ),
        (
            "b3:463ac35c9f6413ae48485a3953bb6124-d48485a3953bb612-1",
            true,
        ),
        ("b3:48485a3953bb6125-d48485a3953bb612-1", true),
        // No parent to disagree with.
        (
            "x-cloud-trace-context:463ac35c9f6413ad48485a3953bb6124",
            false,
        ),
        (
            "x-cloud-trace-context:463ac35c9f6413ad48485a3953bb6125",
            true,
        ),
        ("b3:0", false),
    ] {
        let fields = [other.split_once(':').unwrap(), W3C];
        let found = propagated(&fields);
        let format = found.context.map(|context| context.format);
        assert_eq!(format, Some(Format::TraceContext), "{other}");
        assert_eq!(!found.conflicting.is_empty(), conflicts, "{other}");
        assert!(found.invalid.is_empty());
    }
}

#[test]
fn an_invalid_format_gives_way_to_the_next() {
    let found = propagated(&[
        ("traceparent", "00-463ac35c9f6413ad48485a3953bb6124-0-01"),
        ("tracestate", "a=1"),
        ("b3", "463ac35c9f6413ad48485a3953bb6124-d48485a3953bb612"),
        ("uber-trace-id", "nonsense"),
    ]);
    let expected = context(Format::B3, TRACE, "d48485a3953bb612", None);
    assert_eq!(found.context.map(Found::Context), Some(expected));
    let invalid = FormatSet::from_iter([Format::TraceContext, Format::Jaeger]);
    assert_eq!(found.invalid, invalid);
    assert!(found.conflicting.is_empty());
}

#[test]
fn a_sampling_decision_alone() {
    let found = propagated(&[("b3", "0")]);
    assert_eq!((found.context, found.sampled_alone), (None, Some(false)));
    let found = propagated(&[("b3", "0"), ("X-B3-Sampled", "1")]);
    assert_eq!(found.sampled_alone, Some(false));
    // A context of any format counts more.
    let fields = [("b3", "0"), ("uber-trace-id", "1:2:0:1")];
    let found = propagated(&fields);
    assert_eq!(found.sampled_alone, None);
    assert_eq!(
        found.context.and_then(|context| context.sampled),
        Some(true)
    );
    assert!(found.conflicting.is_empty());
}

#[test]
fn trace_state() {
    let state = |fields: &[(&str, &str)]| {
        let found = propagated(fields);
        let state = found.context.map(|context| context.state.into_owned());
        (state, found.invalid)
    };
    let invalid = FormatSet::from_iter([Format::TraceState]);
    let none = FormatSet::default();
    assert_eq!(state(&[W3C]), (Some(vec![]), none));
    assert_eq!(
        state(&[("TraceState", "a=1"), W3C, ("tracestate", "b=2")]),
        (Some(b"a=1,b=2".to_vec()), none)
    );
    assert_eq!(
        state(&[W3C, ("tracestate", "A=1")]),
        (Some(vec![]), invalid)
    );
    // Without a valid traceparent it is nothing, not even invalid.
    assert_eq!(state(&[("tracestate", "A=1")]), (None, none));
    let jaeger = ("uber-trace-id", "1:2:0:1");
    assert_eq!(
        state(&[jaeger, ("tracestate", "a=1")]),
        (Some(vec![]), none)
    );
}

#[test]
fn beside_the_context() {
    let found = propagated(&[
        W3C,
        ("X-Request-Id", "abc"),
        ("X-Request-Start", "t=1700000000"),
    ]);
    assert_eq!(found.request_ids.as_slice(), [b"abc"]);
    assert_eq!(found.queue_start, Some(WallTime(1_700_000_000_000_000_000)));
    assert!(found.context.is_some() && found.invalid.is_empty());

    let found = propagated(&[W3C, ("X-Request-Id", "-"), ("X-Request-Start", "now")]);
    let invalid = FormatSet::from_iter([Format::RequestId, Format::QueueStart]);
    assert_eq!(found.invalid, invalid);
    assert!(found.context.is_some());
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "traceparent",
        "tracestate",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-b3-parentspanid",
        "uber-trace-id",
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-tags",
        "sw8",
        "ot-tracer-traceid",
        "ot-tracer-spanid",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-request-id",
        "x-request-start",
    ];
    prop_oneof![
        8 => prop::sample::select(names.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        // Nearer to what the formats look like.
        "[0-9a-f:;=/%.,t-]{0,80}".prop_map(String::into_bytes),
        "(00|01)-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}".prop_map(String::into_bytes),
        "1(-[A-Za-z0-9+/]{0,9}=?=?){2}-[0-9]{1,12}(-[A-Za-z0-9+/]{0,9}=?=?){4}"
            .prop_map(String::into_bytes),
        "t=[0-9]{9,20}(\\.[0-9]{0,20})?".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(
        fields in prop::collection::vec((any_name(), any_value()), 0..12)
    ) {
        let fields = fields.iter().map(|(name, value)| (&name[..], &value[..]));
        let found = extract(fields);
        if let Some(context) = found.context {
            prop_assert_ne!(context.trace_id.0, [0; 16]);
            prop_assert_ne!(context.parent.map(|parent| parent.0), Some([0; 8]));
            prop_assert!(!found.invalid.contains(context.format));
        }
    }

    #[test]
    fn contexts_round_trip(trace in 1_u128.., parent in 1_u64.., sampled: bool) {
        let bit = u8::from(sampled);
        let (high, low) = (trace >> 64, trace as u64);
        let (time, unique) = (trace >> 96, trace << 32 >> 32);
        let jaeger = format!("{trace:x}%3A{parent:x}%3A0%3A{bit}");
        let requests = [
            (Format::TraceContext, vec![
                ("traceparent", format!("00-{trace:032x}-{parent:016x}-0{bit}")),
            ]),
            (Format::B3, vec![("b3", format!("{trace:032x}-{parent:016x}-{bit}"))]),
            (Format::B3Multi, vec![
                ("x-b3-traceid", format!("{trace:032x}")),
                ("x-b3-spanid", format!("{parent:016x}")),
                ("x-b3-sampled", format!("{bit}")),
            ]),
            (Format::Jaeger, vec![("uber-trace-id", jaeger)]),
            (Format::Datadog, vec![
                ("x-datadog-trace-id", format!("{}", low.max(1))),
                ("x-datadog-parent-id", format!("{parent}")),
                ("x-datadog-sampling-priority", format!("{bit}")),
                ("x-datadog-tags", format!("_dd.p.tid={high:016x}")),
            ]),
            (Format::OpenTracing, vec![
                ("ot-tracer-traceid", format!("{trace:x}")),
                ("ot-tracer-spanid", format!("{parent:x}")),
                ("ot-tracer-sampled", format!("{sampled}")),
            ]),
            (Format::XRay, vec![
                ("x-amzn-trace-id", format!(
                    "Sampled={bit};Root=1-{time:08x}-{unique:024x};Parent={parent:016x}"
                )),
            ]),
            (Format::CloudTrace, vec![
                ("x-cloud-trace-context", format!("{trace:032x}/{parent};o={bit}")),
            ]),
        ];
        prop_assume!(low != 0);
        for (format, fields) in requests {
            let found = extract(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
            let expected = Found::context(
                format,
                TraceId(trace.to_be_bytes()),
                Some(SpanId(parent.to_be_bytes())),
                Some(sampled),
            );
            prop_assert_eq!(found.context.map(Found::Context), Some(expected));
            prop_assert!(found.invalid.is_empty());
        }
    }
}
