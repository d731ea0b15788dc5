//! Spans into export requests: grouped by resource, bounded in number, bytes
//! and age. Every output gets the same batches.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use wirespan_stitch::event::Process;
use wirespan_stitch::span::Span;

use super::otlp::{self, QueryPolicy, resource};

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Spans.
    pub spans: usize,
    /// Bytes of its spans as protobuf. A receiver takes at most 4 MiB by
    /// default, resources included.
    pub bytes: usize,
    /// Time since its first span.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spans: 1024,
            bytes: 3 << 20,
            age: Duration::from_secs(1),
        }
    }
}

/// What is told of each span and resource.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Of queries.
    pub query: QueryPolicy,
    /// Attributes for every resource.
    pub resource: Vec<(String, String)>,
}

/// Spans to be exported together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The request.
    pub request: ExportTraceServiceRequest,
    /// How many spans are in it.
    pub spans: usize,
}

/// The batch in the making.
#[derive(Debug)]
pub struct Batcher {
    limits: Limits,
    mapping: Mapping,
    groups: Vec<Group>,
    places: HashMap<Place, usize>,
    spans: usize,
    bytes: usize,
    began: Option<Instant>,
}

#[derive(Debug)]
struct Group {
    spans: ResourceSpans,
    /// Keeps the address in `Place` from being used again.
    _process: Option<Arc<Process>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Where the facts of the process lie: another `execve`, other facts.
    Process(usize),
    Address(SocketAddr),
}

impl Batcher {
    /// An empty one.
    pub fn new(limits: Limits, mapping: Mapping) -> Self {
        Self {
            limits,
            mapping,
            groups: Vec::new(),
            places: HashMap::new(),
            spans: 0,
            bytes: 0,
            began: None,
        }
    }

    /// Adds a span; gives the batch that had to end for it, or with it.
    pub fn add(&mut self, span: &Span, now: Instant) -> Option<Batch> {
        let mapped = otlp::span(span, self.mapping.query);
        let size = mapped.encoded_len();
        let full = (self.bytes + size > self.limits.bytes)
            .then(|| self.take())
            .flatten();
        self.began.get_or_insert(now);
        self.bytes += size;
        self.spans += 1;
        let group = self.group(span);
        if let Some(scope) = self.groups[group].spans.scope_spans.first_mut() {
            scope.spans.push(mapped);
        }
        full.or_else(|| {
            (self.spans >= self.limits.spans)
                .then(|| self.take())
                .flatten()
        })
    }

    /// When the batch is to be taken, full or not; `None` while it is empty.
    pub fn due(&self) -> Option<Instant> {
        self.began.map(|began| began + self.limits.age)
    }

    /// The batch as it is; `None` if it is empty.
    pub fn take(&mut self) -> Option<Batch> {
        self.began.take()?;
        self.bytes = 0;
        self.places.clear();
        let groups = std::mem::take(&mut self.groups);
        Some(Batch {
            request: ExportTraceServiceRequest {
                resource_spans: groups.into_iter().map(|group| group.spans).collect(),
            },
            spans: std::mem::take(&mut self.spans),
        })
    }

    fn group(&mut self, span: &Span) -> usize {
        let place = span.process.as_ref().map_or_else(
            || Place::Address(span.local),
            |process| Place::Process(Arc::as_ptr(process).addr()),
        );
        if let Some(index) = self.places.get(&place) {
            return *index;
        }
        let extra = &self.mapping.resource;
        let resource = match &span.process {
            Some(process) => resource::of_process(process, extra),
            None => resource::of_address(span.local, extra),
        };
        self.groups.push(Group {
            spans: resource_spans(resource),
            _process: span.process.clone(),
        });
        let index = self.groups.len() - 1;
        self.places.insert(place, index);
        index
    }
}

fn resource_spans(resource: Resource) -> ResourceSpans {
    ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![ScopeSpans {
            scope: Some(resource::scope()),
            schema_url: otlp::SCHEMA_URL.to_owned(),
            ..ScopeSpans::default()
        }],
        schema_url: otlp::SCHEMA_URL.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::testing;

    #[test]
    fn spans_are_grouped_by_process_in_order_of_appearance() {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        let now = Instant::now();
        let (first, second) = (testing::process(1, "a"), testing::process(2, "b"));
        for process in [&first, &second, &first] {
            let mut span = testing::span(1, None, Role::Server, 0, 1);
            span.process = Some(Arc::clone(process));
            assert!(batcher.add(&span, now).is_none());
        }
        let mut packets = testing::span(1, None, Role::Server, 0, 1);
        packets.process = None;
        batcher.add(&packets, now);
        let batch = batcher.take().unwrap();
        assert_eq!(batch.spans, 4);
        let counts: Vec<_> = batch
            .request
            .resource_spans
            .iter()
            .map(|group| group.scope_spans[0].spans.len())
            .collect();
        assert_eq!(counts, [2, 1, 1]);
        assert!(batcher.take().is_none());
    }

    #[test]
    fn a_batch_ends_by_number_bytes_and_age() {
        let limits = Limits {
            spans: 3,
            bytes: usize::MAX,
            age: Duration::from_secs(1),
        };
        let now = Instant::now();
        let span = testing::span(1, None, Role::Server, 0, 1);
        let mut batcher = Batcher::new(limits, Mapping::default());
        assert_eq!(batcher.due(), None);
        assert!(batcher.add(&span, now).is_none());
        assert_eq!(batcher.due(), Some(now + limits.age));
        assert!(batcher.add(&span, now).is_none());
        assert_eq!(batcher.add(&span, now).unwrap().spans, 3);

        let bytes = otlp::span(&span, QueryPolicy::Redact).encoded_len() * 2;
        let mut batcher = Batcher::new(Limits { bytes, ..limits }, Mapping::default());
        assert!(batcher.add(&span, now).is_none());
        assert!(batcher.add(&span, now).is_none());
        let full = batcher.add(&span, now).unwrap();
        assert_eq!(full.spans, 2);
        assert!(prost_size(&full) > bytes);
        assert_eq!(batcher.take().unwrap().spans, 1);
    }

    fn prost_size(batch: &Batch) -> usize {
        batch.request.encoded_len()
    }
}
