//! Batches to a collector, as OTLP over gRPC.
//!
//! Its own thread with its own runtime (`wirespan-otlp`), fed through a bounded
//! queue: a collector that is slow or away costs spans, which are counted, and
//! never the data path. A few requests are in flight at once, so that a
//! collector far away does not limit the rate.

mod codec;
mod retry;
pub mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::batch::Batch;
use super::counters::{Counters, Drop, Ticket};
use super::quota::{self, Quota, Share};
use crate::probe;
use codec::EncodedCodec;
use settings::Settings;

/// The method to call.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Limits of an exporter.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of requests that wait or are in flight; what comes when they are
    /// so many is dropped.
    pub queue: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// How long a batch is sent again and again, from its first attempt.
    pub patience: Duration,
    /// How long to go on once nothing more comes in.
    pub flush: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: quota::WAITING,
            in_flight: 2,
            patience: Duration::from_mins(5),
            flush: Duration::from_secs(5),
        }
    }
}

/// Sends batches; [`Exporter::finish`] it.
#[derive(Debug)]
pub struct Exporter {
    queue: mpsc::UnboundedSender<Job>,
    quota: Arc<Quota>,
    /// Dropped, it says that nothing more comes.
    closing: watch::Sender<()>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Job {
    encoded: Vec<Bytes>,
    ticket: Ticket,
    _share: Share,
}

impl Exporter {
    /// Starts the thread; connects when there is something to send.
    pub fn start(settings: Settings, limits: Limits, counters: Arc<Counters>) -> Result<Self> {
        probe::look_up_names_alone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the exporter's runtime")?;
        let (queue, jobs) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(());
        let sender = {
            let _guard = runtime.enter();
            Sender::new(settings, limits, Arc::clone(&counters))
        };
        let thread = std::thread::Builder::new()
            .name("wirespan-otlp".to_owned())
            .spawn(move || runtime.block_on(run(sender, jobs, closed, limits)))
            .context("cannot start the exporter's thread")?;
        Ok(Self {
            queue,
            quota: Quota::new(limits.queue),
            closing,
            counters,
            thread,
        })
    }

    /// Queues a batch. If the queue is full it waits, if `patient`, or drops it.
    pub fn offer(&self, batch: Batch, patient: bool) {
        let ticket = self.counters.ticket(batch.spans);
        let Some(share) = self.quota.take(batch.size(), patient) else {
            return ticket.dropped(Drop::QueueFull);
        };
        // It fails only if the thread is gone; the ticket then says so.
        let _ = self.queue.send(Job {
            encoded: batch.request,
            ticket,
            _share: share,
        });
    }

    /// Sends what is queued, for as long as the limits say, and ends.
    pub fn finish(self) {
        drop(self.queue);
        drop(self.closing);
        if self.thread.join().is_err() {
            log::error!("the OTLP exporter ended abnormally");
        }
    }
}

/// Works until the queue is closed and empty, or the time to flush is over.
async fn run(
    sender: Arc<Sender>,
    jobs: mpsc::UnboundedReceiver<Job>,
    mut closed: watch::Receiver<()>,
    limits: Limits,
) {
    let jobs = Arc::new(Mutex::new(jobs));
    let mut workers = JoinSet::new();
    for _ in 0..limits.in_flight {
        workers.spawn(work(Arc::clone(&sender), Arc::clone(&jobs)));
    }
    let deadline = async {
        // Nothing is ever sent here: this ends when the other end is dropped.
        while closed.changed().await.is_ok() {}
        sleep(limits.flush).await;
    };
    tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => {}
        () = deadline => log::warn!(
            "{} did not take the rest within {:?}", sender.url, limits.flush
        ),
    }
}

async fn work(sender: Arc<Sender>, jobs: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(job) = job else {
            return;
        };
        sender.send(job.encoded, job.ticket).await;
    }
}

/// What all requests share.
struct Sender {
    url: String,
    client: Grpc<Channel>,
    settings: Settings,
    limits: Limits,
    counters: Arc<Counters>,
    /// Whether the last request failed: warn once for each change.
    failing: AtomicBool,
}

impl Sender {
    fn new(settings: Settings, limits: Limits, counters: Arc<Counters>) -> Arc<Self> {
        let channel = settings.endpoint.connect_lazy();
        // A collector answers gzip with gzip.
        let mut client = Grpc::new(channel).accept_compressed(CompressionEncoding::Gzip);
        if settings.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        Arc::new(Self {
            url: settings.url.clone(),
            client,
            settings,
            limits,
            counters,
            failing: AtomicBool::new(false),
        })
    }

    /// Sends one request until it is settled.
    async fn send(&self, encoded: Vec<Bytes>, ticket: Ticket) {
        let give_up = Instant::now() + self.limits.patience;
        for attempt in 0.. {
            self.counters.requests.fetch_add(1, Relaxed);
            let status = match self.attempt(encoded.clone()).await {
                Ok(response) => return self.accepted(response, ticket),
                Err(status) => status,
            };
            let Some(pause) = retry::pause(&status, attempt) else {
                self.failed(&status, "its spans are dropped");
                return ticket.dropped(Drop::Refused);
            };
            self.failed(&status, "spans wait, and are dropped when too many do");
            if Instant::now() + pause > give_up {
                return ticket.dropped(Drop::GaveUp);
            }
            sleep(pause).await;
            self.counters.retries.fetch_add(1, Relaxed);
        }
    }

    async fn attempt(&self, encoded: Vec<Bytes>) -> Result<ExportTraceServiceResponse, Status> {
        let mut request = Request::new(encoded);
        request.set_timeout(self.settings.timeout);
        for (key, value) in &self.settings.headers {
            request.metadata_mut().insert(key, value.clone());
        }
        let mut client = self.client.clone();
        let call = async {
            client
                .ready()
                .await
                .map_err(|error| Status::unavailable(causes(&error)))?;
            client
                .unary(request, PathAndQuery::from_static(EXPORT), EncodedCodec)
                .await
        };
        timeout(self.settings.timeout, call)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
            .map(tonic::Response::into_inner)
    }

    /// An empty `partial_success` rejects nothing; with a message only, it is
    /// advice.
    fn accepted(&self, response: ExportTraceServiceResponse, ticket: Ticket) {
        let partial = response.partial_success.unwrap_or_default();
        let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
        ticket.exported(rejected);
        if rejected > 0 {
            self.warn_once(&format!(
                "rejected {rejected} spans: {}",
                partial.error_message
            ));
        } else if self.failing.swap(false, Relaxed) {
            log::warn!("{} takes spans again", self.url);
        }
    }

    fn failed(&self, status: &Status, consequence: &str) {
        let mut why = status.message().to_owned();
        if let Some(source) = std::error::Error::source(status) {
            why = format!("{why}: {}", causes(source));
        }
        // In TLS 1.3 a client is refused after its handshake, often without a word.
        let broke = matches!(status.code(), Code::Cancelled | Code::Unknown);
        if self.settings.anonymous_tls && broke {
            why.push_str(" (it may ask for a certificate: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE)");
        }
        self.warn_once(&format!(
            "takes no spans: {:?}: {why}; {consequence}",
            status.code()
        ));
    }

    fn warn_once(&self, what: &str) {
        if self.failing.swap(true, Relaxed) {
            log::debug!("{} {what}", self.url);
        } else {
            log::warn!("{} {what}", self.url);
        }
    }
}

/// The error with all that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
