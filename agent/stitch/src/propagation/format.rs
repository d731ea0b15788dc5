//! The kinds of header that carry context, and sets of them for the counters.

/// A kind of header, or of headers that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Format {
    /// W3C `traceparent`.
    TraceContext,
    /// W3C `tracestate`; found invalid by itself, never a context by itself.
    TraceState,
    /// `b3`.
    B3,
    /// `X-B3-TraceId` and its companions.
    B3Multi,
    /// `uber-trace-id`.
    Jaeger,
    /// `x-datadog-trace-id` and its companions.
    Datadog,
    /// `sw8`.
    SkyWalking,
    /// `ot-tracer-traceid` and its companions.
    OpenTracing,
    /// `X-Amzn-Trace-Id`.
    XRay,
    /// `X-Cloud-Trace-Context`.
    CloudTrace,
    /// `X-Request-Id`, `X-Correlation-Id`, `Request-Id`; never a context.
    RequestId,
    /// `X-Request-Start`, `X-Queue-Start`; never a context.
    QueueStart,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 12] = [
        Self::TraceContext,
        Self::TraceState,
        Self::B3,
        Self::B3Multi,
        Self::Jaeger,
        Self::Datadog,
        Self::SkyWalking,
        Self::OpenTracing,
        Self::XRay,
        Self::CloudTrace,
        Self::RequestId,
        Self::QueueStart,
    ];

    /// Its name in metrics: where there is one, the known value of
    /// `OTEL_PROPAGATORS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::TraceState => "tracestate",
            Self::B3 => "b3",
            Self::B3Multi => "b3multi",
            Self::Jaeger => "jaeger",
            Self::Datadog => "datadog",
            Self::SkyWalking => "skywalking",
            Self::OpenTracing => "ottrace",
            Self::XRay => "xray",
            Self::CloudTrace => "cloudtrace",
            Self::RequestId => "request_id",
            Self::QueueStart => "queue_start",
        }
    }
}

/// A set of formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FormatSet(u16);

impl FormatSet {
    /// Whether there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `format` is in it.
    pub fn contains(self, format: Format) -> bool {
        self.0 & bit(format) != 0
    }

    /// Puts `format` in.
    pub fn insert(&mut self, format: Format) {
        self.0 |= bit(format);
    }

    /// The formats in it, in the order of [`Format::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Format> {
        Format::ALL
            .into_iter()
            .filter(move |&format| self.contains(format))
    }
}

impl FromIterator<Format> for FormatSet {
    fn from_iter<I: IntoIterator<Item = Format>>(formats: I) -> Self {
        let mut set = Self::default();
        formats.into_iter().for_each(|format| set.insert(format));
        set
    }
}

fn bit(format: Format) -> u16 {
    1 << format as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_was_put_in() {
        for format in Format::ALL {
            let set = FormatSet::from_iter([format]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [format]);
        }
        let all = FormatSet::from_iter(Format::ALL);
        assert_eq!(all.iter().collect::<Vec<_>>(), Format::ALL);
        assert!(FormatSet::default().is_empty());
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Format::ALL.len());
    }
}
