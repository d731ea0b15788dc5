//! The header fields that are read, and how they are told from all others.
//!
//! This runs on every field of every request, so the length decides first: it
//! leaves at most three names to compare with.

/// A header field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Name {
    TraceParent,
    B3,
    B3TraceId,
    B3SpanId,
    B3ParentSpanId,
    B3Sampled,
    B3Flags,
    UberTraceId,
    DatadogTraceId,
    DatadogParentId,
    DatadogSamplingPriority,
    DatadogTags,
    Sw8,
    OtTraceId,
    OtSpanId,
    OtSampled,
    AmznTraceId,
    CloudTraceContext,
    /// From here on several fields may stand beside each other.
    TraceState,
    RequestId,
    QueueStart,
}

impl Name {
    /// How many names must not be there with several values.
    pub(super) const SINGLE: usize = Self::TraceState as usize;
}

/// The field that `name` is, in any letter case.
pub(super) fn recognise(name: &[u8]) -> Option<Name> {
    of_length(name.len())
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|&(_, name)| name)
}

fn of_length(len: usize) -> &'static [(&'static [u8], Name)] {
    match len {
        2 => &[(b"b3", Name::B3)],
        3 => &[(b"sw8", Name::Sw8)],
        10 => &[
            (b"tracestate", Name::TraceState),
            (b"request-id", Name::RequestId),
            (b"x-b3-flags", Name::B3Flags),
        ],
        11 => &[
            (b"traceparent", Name::TraceParent),
            (b"x-b3-spanid", Name::B3SpanId),
        ],
        12 => &[
            (b"x-request-id", Name::RequestId),
            (b"x-b3-traceid", Name::B3TraceId),
            (b"x-b3-sampled", Name::B3Sampled),
        ],
        13 => &[
            (b"uber-trace-id", Name::UberTraceId),
            (b"x-queue-start", Name::QueueStart),
        ],
        14 => &[(b"x-datadog-tags", Name::DatadogTags)],
        15 => &[
            (b"x-amzn-trace-id", Name::AmznTraceId),
            (b"x-request-start", Name::QueueStart),
        ],
        16 => &[
            (b"x-correlation-id", Name::RequestId),
            (b"ot-tracer-spanid", Name::OtSpanId),
        ],
        17 => &[
            (b"x-b3-parentspanid", Name::B3ParentSpanId),
            (b"ot-tracer-traceid", Name::OtTraceId),
            (b"ot-tracer-sampled", Name::OtSampled),
        ],
        18 => &[(b"x-datadog-trace-id", Name::DatadogTraceId)],
        19 => &[(b"x-datadog-parent-id", Name::DatadogParentId)],
        21 => &[(b"x-cloud-trace-context", Name::CloudTraceContext)],
        27 => &[(
            b"x-datadog-sampling-priority",
            Name::DatadogSamplingPriority,
        )],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_under_their_length() {
        let mut names = 0;
        for len in 0..64 {
            for (known, name) in of_length(len) {
                assert_eq!(known.len(), len, "{name:?}");
                assert_eq!(recognise(known), Some(*name));
                assert_eq!(recognise(&known.to_ascii_uppercase()), Some(*name));
                names += 1;
            }
        }
        assert_eq!(names, 24);
    }

    #[test]
    fn like_names_are_not_taken() {
        for name in [
            "trace-parent",
            "trace.parent",
            "traceparent2",
            "xtraceparent",
            "b4",
            "sw6",
            "",
            "connection",
            "x-request-ip",
        ] {
            assert_eq!(recognise(name.as_bytes()), None, "{name}");
        }
    }
}
