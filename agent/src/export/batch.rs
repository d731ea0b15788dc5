//! Spans into export requests: grouped by resource, bounded in number, bytes
//! and age. Every output gets the same batches.
//!
//! A span is encoded as it comes, and nothing of it is kept but its bytes; what
//! all spans of a process share is encoded once, and kept from batch to batch.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use wirespan_stitch::event::Process;
use wirespan_stitch::span::Span;

use super::otlp::writer::{Writer, field_len};
use super::otlp::{self, QueryPolicy, resource};

/// Resources that are kept from batch to batch; when there are more, all are
/// made anew.
const KEPT_RESOURCES: usize = 256;

/// Fields of `ExportTraceServiceRequest`, `ResourceSpans` and `ScopeSpans`; the
/// last two have their own schema URL.
const RESOURCE_SPANS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SCOPE: u32 = 1;
const SPANS: u32 = 2;
const SCHEMA: u32 = 3;

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Spans.
    pub spans: usize,
    /// Bytes of its spans and resources as protobuf. A receiver takes at most
    /// 4 MiB by default.
    pub bytes: usize,
    /// Time since its first span.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Each request costs both ends as much as some hundred spans.
            spans: 4096,
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
    /// An `ExportTraceServiceRequest`, encoded: these, one after the other. What
    /// is large lies where it was written.
    pub request: Vec<Bytes>,
    /// How many spans are in it.
    pub spans: usize,
}

impl Batch {
    /// Bytes of the request.
    pub fn size(&self) -> usize {
        self.request.iter().map(Bytes::len).sum()
    }
}

/// The batch in the making.
#[derive(Debug)]
pub struct Batcher {
    limits: Limits,
    mapping: Mapping,
    groups: Vec<Group>,
    places: HashMap<Place, usize>,
    /// Where the last span belonged.
    last: Option<(Place, usize)>,
    /// Spans of all groups, and the bytes of these and of their resources.
    spans: usize,
    bytes: usize,
    scope: Vec<u8>,
    began: Option<Instant>,
}

/// A resource and its spans.
#[derive(Debug)]
struct Group {
    resource: Vec<u8>,
    /// The spans of the batch that belong to it, as fields of `ScopeSpans`.
    spans: Writer,
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
        let mut scope = Writer::default();
        scope.field(SCOPE, &resource::scope());
        Self {
            limits,
            mapping,
            groups: Vec::new(),
            places: HashMap::new(),
            last: None,
            spans: 0,
            bytes: 0,
            scope: scope.into_bytes(),
            began: None,
        }
    }

    /// Adds a span; gives the batch that had to end for it, or with it.
    pub fn add(&mut self, span: &Span, now: Instant) -> Option<Batch> {
        let group = self.group(span);
        let before = self.encode(group, span);
        self.began.get_or_insert(now);
        if self.bytes > self.limits.bytes && self.spans > 1 {
            self.groups[group].spans.truncate(before);
            self.spans -= 1;
            let full = self.take();
            let group = self.group(span);
            self.encode(group, span);
            self.began = Some(now);
            return full;
        }
        (self.spans >= self.limits.spans)
            .then(|| self.take())
            .flatten()
    }

    /// When the batch is to be taken, full or not; `None` while it is empty.
    pub fn due(&self) -> Option<Instant> {
        self.began.map(|began| began + self.limits.age)
    }

    /// The batch as it is; `None` if it is empty.
    pub fn take(&mut self) -> Option<Batch> {
        self.began.take()?;
        let batch = Batch {
            request: self.request(),
            spans: std::mem::take(&mut self.spans),
        };
        self.bytes = 0;
        if self.groups.len() > KEPT_RESOURCES {
            self.groups.clear();
            self.places.clear();
            self.last = None;
        }
        Some(batch)
    }

    /// Says where in the spans of its group it begins.
    fn encode(&mut self, group: usize, span: &Span) -> usize {
        let group = &mut self.groups[group];
        let before = group.spans.bytes().len();
        otlp::write_span(&mut group.spans, SPANS, span, self.mapping.query);
        self.bytes += group.spans.bytes().len() - before;
        if before == 0 {
            self.bytes += group.resource.len();
        }
        self.spans += 1;
        before
    }

    fn group(&mut self, span: &Span) -> usize {
        let place = span.process.as_ref().map_or_else(
            || Place::Address(span.local),
            |process| Place::Process(Arc::as_ptr(process).addr()),
        );
        if let Some((last, group)) = self.last
            && last == place
        {
            return group;
        }
        let group = *self.places.entry(place).or_insert_with(|| {
            let extra = &self.mapping.resource;
            self.groups.push(Group {
                resource: match &span.process {
                    Some(process) => resource::of_process(process, extra),
                    None => resource::of_address(span.local, extra),
                },
                spans: Writer::default(),
                _process: span.process.clone(),
            });
            self.groups.len() - 1
        });
        self.last = Some((place, group));
        group
    }

    /// The spans of each resource together, in the order they came.
    fn request(&mut self) -> Vec<Bytes> {
        let schema = otlp::SCHEMA_URL.as_bytes();
        let mut request = Vec::new();
        // What comes around the spans: of the group before, and of the next.
        let mut around = Writer::default();
        for group in &mut self.groups {
            let spans = group.take();
            if spans.is_empty() {
                continue;
            }
            let scope_spans = self.scope.len() + spans.len() + field_len(schema.len());
            let resource = &group.resource;
            around.begin(
                RESOURCE_SPANS,
                field_len(resource.len()) + field_len(scope_spans) + field_len(schema.len()),
            );
            around.field(RESOURCE, resource);
            around.begin(SCOPE_SPANS, scope_spans);
            around.raw(&self.scope);
            request.push(std::mem::take(&mut around).into_bytes().into());
            request.push(spans);
            around.field(SCHEMA, schema);
            around.field(SCHEMA, schema);
        }
        request.push(around.into_bytes().into());
        request
    }
}

impl Group {
    /// Its spans, which are gone from it. The next batch may well be alike.
    fn take(&mut self) -> Bytes {
        let bytes = self.spans.bytes().len();
        let next = Writer::with_capacity(bytes + bytes / 8);
        let mut spans = std::mem::replace(&mut self.spans, next).into_bytes();
        spans.shrink_to_fit();
        spans.into()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    use wirespan_stitch::exchange::Role;

    use super::*;
    use crate::testing;

    fn decode(batch: &Batch) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&*batch.request.concat()).unwrap()
    }

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
        let request = decode(&batch);
        assert_eq!(request.encoded_len(), batch.size());
        let counts: Vec<_> = request
            .resource_spans
            .iter()
            .map(|group| group.scope_spans[0].spans.len())
            .collect();
        assert_eq!(counts, [2, 1, 1]);
        assert!(batcher.take().is_none());

        // What is kept from batch to batch finds its place again.
        let mut span = testing::span(1, None, Role::Server, 0, 1);
        span.process = Some(second);
        batcher.add(&span, now);
        let again = decode(&batcher.take().unwrap());
        assert_eq!(again.resource_spans.len(), 1);
        assert_eq!(
            again.resource_spans[0].resource,
            request.resource_spans[1].resource
        );
    }

    #[test]
    fn processes_come_and_go_without_end() {
        let mut batcher = Batcher::new(Limits::default(), Mapping::default());
        for pid in 0..3 * Limits::default().spans as u32 {
            let mut span = testing::span(1, None, Role::Server, 0, 1);
            span.process = Some(testing::process(pid + 1, "a"));
            if let Some(batch) = batcher.add(&span, Instant::now()) {
                // What comes around the resources is small.
                assert!(batch.size() < Limits::default().bytes * 9 / 8);
                let groups = decode(&batch).resource_spans;
                assert_eq!(groups.len(), batch.spans);
                assert!(batcher.groups.is_empty() && batcher.places.is_empty());
            }
        }
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

        let mut one = Writer::default();
        otlp::write_span(&mut one, SPANS, &span, QueryPolicy::Redact);
        let bytes = one.bytes().len() * 2;
        let bytes = bytes + resource::of_process(span.process.as_ref().unwrap(), &[]).len();
        let mut batcher = Batcher::new(Limits { bytes, ..limits }, Mapping::default());
        assert!(batcher.add(&span, now).is_none());
        assert!(batcher.add(&span, now).is_none());
        let full = batcher.add(&span, now).unwrap();
        assert_eq!(full.spans, 2);
        assert!(full.size() > bytes);
        let rest = batcher.take().unwrap();
        assert_eq!(rest.spans, 1);
        assert!(rest.size() > one.bytes().len());

        // One alone is sent, however big it is.
        let mut batcher = Batcher::new(Limits { bytes: 1, ..limits }, Mapping::default());
        assert!(batcher.add(&span, now).is_none());
        assert_eq!(batcher.add(&span, now).unwrap().spans, 1);
    }
}
