//! Against an in-process collector that does what the test's script says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use wirespan_stitch::exchange::Role;

use super::settings::Settings;
use super::{Exporter, Limits, retry};
use crate::export::batch::{self, Batch, Batcher, Mapping};
use crate::export::counters::{Counters, Drop};
use crate::testing;

/// What the collector does with a request; after the script, it accepts.
enum Step {
    Fail(Status),
    Reject(i64),
    Hang,
}

/// A request, and its `authorization`.
type Seen = (ExportTraceServiceRequest, Option<String>);

#[derive(Clone, Default)]
struct Collector {
    script: Arc<Mutex<VecDeque<Step>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let step = self.script.lock().unwrap().pop_front();
        let rejected_spans = match step {
            Some(Step::Fail(status)) => return Err(status),
            Some(Step::Hang) => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                return Err(Status::internal("late"));
            }
            Some(Step::Reject(count)) => count,
            None => 0,
        };
        let token = request.metadata().get("authorization");
        let token = token.map(|token| token.to_str().unwrap().to_owned());
        self.seen
            .lock()
            .unwrap()
            .push((request.into_inner(), token));
        Ok(Response::new(ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: String::new(),
            }),
        }))
    }
}

impl Collector {
    /// Serves on a free port, in a runtime that ends with the returned value.
    fn serve(script: Vec<Step>) -> (Self, SocketAddr, tokio::runtime::Runtime) {
        let collector = Self {
            script: Arc::new(Mutex::new(script.into())),
            ..Self::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let service = TraceServiceServer::new(collector.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        runtime.spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        drop(guard);
        (collector, address, runtime)
    }

    fn spans(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .flat_map(|(request, _)| &request.resource_spans)
            .flat_map(|group| &group.scope_spans)
            .map(|scope| scope.spans.len())
            .sum()
    }
}

fn batch(spans: usize) -> Batch {
    let mut batcher = Batcher::new(batch::Limits::default(), Mapping::default());
    for _ in 0..spans {
        batcher.add(&testing::span(1, None, Role::Server, 0, 1), Instant::now());
    }
    batcher.take().unwrap()
}

fn exporter(address: SocketAddr, limits: Limits) -> (Exporter, Arc<Counters>) {
    let settings = Settings::new(Some(&format!("http://{address}")), |name| match name {
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20x".to_owned()),
        "OTEL_EXPORTER_OTLP_COMPRESSION" => Some("gzip".to_owned()),
        "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("300".to_owned()),
        _ => None,
    });
    let counters = Counters::new("otlp");
    let settings = settings.unwrap().unwrap();
    let exporter = Exporter::start(settings, limits, Arc::clone(&counters)).unwrap();
    (exporter, counters)
}

fn dropped(counters: &Counters) -> Vec<(Drop, u64)> {
    counters.dropped().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_batch_arrives_once_with_its_headers() {
    let (collector, address, _runtime) = Collector::serve(vec![]);
    let (exporter, counters) = exporter(address, Limits::default());
    for _ in 0..20 {
        exporter.offer(batch(10), false);
    }
    exporter.finish();
    assert_eq!(collector.spans(), 200);
    assert_eq!((counters.given(), counters.exported()), (200, 200));
    let seen = collector.seen.lock().unwrap();
    assert_eq!(seen[0].1.as_deref(), Some("Bearer x"));
    assert_eq!(seen[0].0.encode_to_vec().len(), batch(10).size());
    let sent = ExportTraceServiceRequest::decode(&*batch(10).request.concat()).unwrap();
    assert_eq!(seen[0].0, sent);
}

#[test]
fn a_busy_collector_is_asked_again_when_it_says() {
    let delay = Duration::from_millis(150);
    let busy = retry::status_with_retry_info(Code::ResourceExhausted, delay);
    let (collector, address, _runtime) =
        Collector::serve(vec![Step::Fail(busy.clone()), Step::Fail(busy)]);
    let (exporter, counters) = exporter(address, Limits::default());
    let began = Instant::now();
    exporter.offer(batch(3), false);
    exporter.finish();
    assert!(began.elapsed() >= 2 * delay);
    assert_eq!(collector.spans(), 3);
    assert_eq!(counters.exported(), 3);
    assert_eq!(counters.retries.load(super::Relaxed), 2);
}

#[test]
fn refused_and_rejected_spans_are_counted() {
    let script = vec![
        Step::Fail(Status::resource_exhausted("too large")),
        Step::Fail(Status::unauthenticated("who?")),
        Step::Reject(4),
    ];
    let (collector, address, _runtime) = Collector::serve(script);
    let one = Limits {
        in_flight: 1,
        ..Limits::default()
    };
    let (exporter, counters) = exporter(address, one);
    for spans in [5, 6, 7] {
        exporter.offer(batch(spans), false);
    }
    exporter.finish();
    assert_eq!(collector.spans(), 7);
    assert_eq!(counters.exported(), 3);
    assert_eq!(
        dropped(&counters),
        [(Drop::Rejected, 4), (Drop::Refused, 11)]
    );
}

#[test]
fn a_hanging_collector_costs_one_timeout() {
    let (collector, address, _runtime) = Collector::serve(vec![Step::Hang]);
    let (exporter, counters) = exporter(address, Limits::default());
    exporter.offer(batch(2), false);
    exporter.finish();
    assert_eq!(collector.spans(), 2);
    assert_eq!(counters.exported(), 2);
}

#[test]
fn without_a_collector_the_queue_is_bounded_and_the_end_is_in_time() {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let limits = Limits {
        queue: 3 * batch(1).size(),
        in_flight: 1,
        flush: Duration::from_millis(200),
        ..Limits::default()
    };
    let (exporter, counters) = exporter(address, limits);
    let began = Instant::now();
    for _ in 0..50 {
        exporter.offer(batch(1), false);
    }
    exporter.finish();
    assert!(began.elapsed() < Duration::from_secs(2));
    let dropped = dropped(&counters);
    assert_eq!(dropped.iter().map(|(_, count)| count).sum::<u64>(), 50);
    assert!(
        dropped
            .iter()
            .any(|(reason, count)| *reason == Drop::QueueFull && *count >= 46)
    );
    assert!(
        dropped
            .iter()
            .any(|(reason, count)| *reason == Drop::Unsent && *count >= 3)
    );
}

#[test]
fn patience_has_an_end() {
    let script = (0..50)
        .map(|_| Step::Fail(Status::unavailable("down")))
        .collect();
    let (_collector, address, _runtime) = Collector::serve(script);
    let limits = Limits {
        patience: Duration::from_millis(400),
        ..Limits::default()
    };
    let (exporter, counters) = exporter(address, limits);
    exporter.offer(batch(2), false);
    exporter.finish();
    assert_eq!(dropped(&counters), [(Drop::GaveUp, 2)]);
}
