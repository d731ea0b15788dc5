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
    /// An `ExportTraceServiceRequest`, encoded.
    pub request: Bytes,
    /// How many spans are in it.
    pub spans: usize,
}

/// The batch in the making.
#[derive(Debug)]
pub struct Batcher {
    limits: Limits,
    mapping: Mapping,
    groups: Vec<Group>,
    places: HashMap<Place, u32>,
    /// Where the last span belonged.
    last: Option<(Place, u32)>,
    /// The spans, one after the other.
    encoded: Writer,
    /// Bytes of the resources that they belong to.
    resources: usize,
    spans: Vec<Piece>,
    scope: Vec<u8>,
    began: Option<Instant>,
}

/// A resource.
#[derive(Debug)]
struct Group {
    encoded: Vec<u8>,
    /// Whether a span of the batch belongs to it.
    used: bool,
    /// Keeps the address in `Place` from being used again.
    _process: Option<Arc<Process>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Where the facts of the process lie: another `execve`, other facts.
    Process(usize),
    Address(SocketAddr),
}

/// A span, as a field of `ScopeSpans`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    group: u32,
    start: u32,
    end: u32,
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
            encoded: Writer::default(),
            resources: 0,
            spans: Vec::new(),
            scope: scope.into_bytes(),
            began: None,
        }
    }

    /// Adds a span; gives the batch that had to end for it, or with it.
    pub fn add(&mut self, span: &Span, now: Instant) -> Option<Batch> {
        let start = self.encoded.bytes().len();
        self.encode(span, now);
        let size = self.encoded.bytes().len() + self.resources;
        if size > self.limits.bytes && start > 0 {
            self.spans.pop();
            self.encoded.truncate(start);
            let full = self.take();
            self.encode(span, now);
            return full;
        }
        (self.spans.len() >= self.limits.spans)
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
            request: self.request().into(),
            spans: self.spans.len(),
        };
        self.spans.clear();
        self.encoded.truncate(0);
        self.resources = 0;
        for group in &mut self.groups {
            group.used = false;
        }
        if self.groups.len() > KEPT_RESOURCES {
            self.groups.clear();
            self.places.clear();
            self.last = None;
        }
        Some(batch)
    }

    fn encode(&mut self, span: &Span, now: Instant) {
        let group = self.group(span);
        if let Some(group) = self.groups.get_mut(group as usize)
            && !std::mem::replace(&mut group.used, true)
        {
            self.resources += group.encoded.len();
        }
        let start = self.encoded.bytes().len() as u32;
        otlp::write_span(&mut self.encoded, SPANS, span, self.mapping.query);
        let end = self.encoded.bytes().len() as u32;
        self.spans.push(Piece { group, start, end });
        self.began.get_or_insert(now);
    }

    fn group(&mut self, span: &Span) -> u32 {
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
                encoded: match &span.process {
                    Some(process) => resource::of_process(process, extra),
                    None => resource::of_address(span.local, extra),
                },
                used: false,
                _process: span.process.clone(),
            });
            self.groups.len() as u32 - 1
        });
        self.last = Some((place, group));
        group
    }

    /// The spans of each resource together, in the order they came.
    fn request(&mut self) -> Vec<u8> {
        self.spans.sort_by_key(|span| span.group);
        let spans = self.encoded.bytes();
        let resources: usize = self.groups.iter().map(|group| group.encoded.len()).sum();
        let around = self.scope.len() + 2 * otlp::SCHEMA_URL.len() + 32;
        let capacity = spans.len() + resources + self.groups.len() * around;
        let mut request = Writer::with_capacity(capacity);
        for pieces in self.spans.chunk_by(|one, next| one.group == next.group) {
            let resource = &self.groups[pieces[0].group as usize].encoded;
            let bytes = |piece: &Piece| piece.start as usize..piece.end as usize;
            let schema = otlp::SCHEMA_URL.as_bytes();
            let scope_spans = self.scope.len()
                + pieces.iter().map(|piece| bytes(piece).len()).sum::<usize>()
                + field_len(schema.len());
            request.begin(
                RESOURCE_SPANS,
                field_len(resource.len()) + field_len(scope_spans) + field_len(schema.len()),
            );
            request.field(RESOURCE, resource);
            request.begin(SCOPE_SPANS, scope_spans);
            request.raw(&self.scope);
            for piece in pieces {
                request.raw(&spans[bytes(piece)]);
            }
            request.field(SCHEMA, schema);
            request.field(SCHEMA, schema);
        }
        request.into_bytes()
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
        ExportTraceServiceRequest::decode(&*batch.request).unwrap()
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
        assert_eq!(request.encoded_len(), batch.request.len());
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
                assert!(batch.request.len() < Limits::default().bytes * 9 / 8);
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
        assert!(full.request.len() > bytes);
        let rest = batcher.take().unwrap();
        assert_eq!(rest.spans, 1);
        assert!(rest.request.len() > one.bytes().len());

        // One alone is sent, however big it is.
        let mut batcher = Batcher::new(Limits { bytes: 1, ..limits }, Mapping::default());
        assert!(batcher.add(&span, now).is_none());
        assert_eq!(batcher.add(&span, now).unwrap().spans, 1);
    }
}
