//! What a request's header section says of its trace.
//!
//! In: the fields of one request head. Out: [`Propagated`]: the trace context,
//! ids that correlate requests, and when the request began to queue. Every
//! format is read, in any letter case; each is validated as its specification
//! says, and is used as a whole or not at all. What the context means for a
//! span's parent is left to the causality and trace stages.
//!
//! Where a request carries several formats, the first of [`FORMATS`] that is
//! valid wins. The list begins with what instrumented applications write for
//! each other and ends with what load balancers put on every request: those
//! often start a trace of their own.

mod b3;
mod cloud_trace;
mod context;
mod datadog;
mod digits;
mod format;
mod headers;
mod jaeger;
mod name;
mod opentracing;
mod queue_start;
mod request_id;
mod skywalking;
mod tracestate;
mod w3c;
mod xray;

use smallvec::SmallVec;

use crate::time::WallTime;

pub use context::Context;
pub use format::{Format, FormatSet};
pub use request_id::MAX_REQUEST_IDS;

use context::{Found, Invalid};
use headers::Headers;

/// What one request carries. Borrows from its header section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Propagated<'a> {
    /// The context that counts, if any.
    pub context: Option<Context<'a>>,
    /// A sampling decision that came without ids (`b3: 0`), where `context` is
    /// `None`.
    pub sampled_alone: Option<bool>,
    /// Distinct request ids, in the order they were sent; at most
    /// [`MAX_REQUEST_IDS`]. Of hierarchical ones (`|root.1.2.`) the root.
    pub request_ids: SmallVec<[&'a [u8]; 2]>,
    /// When the first proxy to tell so took the request in. Its clock may be
    /// another machine's; the value may lie in the future.
    pub queue_start: Option<WallTime>,
    /// Formats that were there, but not valid: nothing of them was used.
    pub invalid: FormatSet,
    /// Formats that were valid, but name another trace or another parent than
    /// `context` does.
    pub conflicting: FormatSet,
}

/// Reads one format; `None` if the request does not carry it.
type Read = for<'a> fn(&Headers<'a>) -> Result<Option<Found<'a>>, Invalid>;

/// Every format of trace context, the one that takes precedence first.
const FORMATS: [(Format, Read); 9] = [
    (Format::TraceContext, w3c::read),
    (Format::B3, b3::read_single),
    (Format::B3Multi, b3::read_multi),
    (Format::Jaeger, jaeger::read),
    (Format::Datadog, datadog::read),
    (Format::SkyWalking, skywalking::read),
    (Format::OpenTracing, opentracing::read),
    (Format::XRay, xray::read),
    (Format::CloudTrace, cloud_trace::read),
];

/// What the header section `fields` (names and values) says.
///
/// An empty value counts as an absent field. A field that must be there once
/// and is there with several values makes its format invalid.
pub fn extract<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Propagated<'a> {
    let mut headers: Option<Headers<'a>> = None;
    for (name, value) in fields {
        if let Some(name) = name::recognise(name) {
            headers.get_or_insert_default().insert(name, value);
        }
    }
    headers
        .map(|headers| interpret(&headers))
        .unwrap_or_default()
}

/// Whether [`extract`] reads the field `name`.
pub fn reads(name: &[u8]) -> bool {
    name::recognise(name).is_some()
}

fn interpret<'a>(headers: &Headers<'a>) -> Propagated<'a> {
    let mut propagated = Propagated::default();
    if headers.any_context() {
        for (format, read) in FORMATS {
            match read(headers) {
                Ok(None) => {}
                Ok(Some(found)) => propagated.add(format, found),
                Err(Invalid) => propagated.invalid.insert(format),
            }
        }
        propagated.add_state(headers);
    }
    match request_id::read(headers) {
        Ok(ids) => propagated.request_ids = ids,
        Err(Invalid) => propagated.invalid.insert(Format::RequestId),
    }
    match queue_start::read(headers) {
        Ok(start) => propagated.queue_start = start,
        Err(Invalid) => propagated.invalid.insert(Format::QueueStart),
    }
    propagated
}

impl<'a> Propagated<'a> {
    /// Takes in what the next format in order of precedence says.
    fn add(&mut self, format: Format, found: Found<'a>) {
        match (found, &self.context) {
            (Found::Context(context), None) => {
                self.context = Some(context);
                self.sampled_alone = None;
            }
            (Found::Context(context), Some(first)) => {
                if !first.agrees_with(&context) {
                    self.conflicting.insert(format);
                }
            }
            (Found::Sampled(sampled), None) => {
                self.sampled_alone.get_or_insert(sampled);
            }
            (Found::Sampled(_), Some(_)) => {}
        }
    }

    /// `tracestate` has no meaning without a valid `traceparent`, and a bad
    /// one does not take anything from it (Trace Context section 3.3.1).
    fn add_state(&mut self, headers: &Headers<'a>) {
        let Some(context) = &mut self.context else {
            return;
        };
        if context.format == Format::TraceContext {
            match tracestate::read(headers) {
                Ok(state) => context.state = state,
                Err(Invalid) => self.invalid.insert(Format::TraceState),
            }
        }
    }
}

#[cfg(test)]
mod tests;
