//! What every format is brought to.

use std::borrow::Cow;

use crate::span::{SpanId, TraceId};

use super::Format;

/// A place in a trace, as a request's headers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The format it was read from.
    pub format: Format,
    /// The trace; ids of 64 bits are padded with zeros on the left.
    pub trace_id: TraceId,
    /// The caller's span; `None` where the format lets it be absent or 0.
    pub parent: Option<SpanId>,
    /// The caller's sampling decision; `None` if it was left open.
    pub sampled: Option<bool>,
    /// `tracestate`: valid, its lines joined with commas; else empty.
    pub state: Cow<'a, [u8]>,
}

/// What a format's reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A context.
    Context(Context<'a>),
    /// No ids, but a sampling decision.
    Sampled(bool),
}

/// The format is there, but not as its specification wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid;

impl Context<'_> {
    /// Whether both name the same trace and, as far as both name one, the same
    /// parent. A trace id of 64 bits agrees with one of 128 that ends in it.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        same_trace(self.trace_id, other.trace_id)
            && (self.parent == other.parent || self.parent.is_none() || other.parent.is_none())
    }
}

impl Found<'_> {
    pub(super) fn context(
        format: Format,
        trace_id: TraceId,
        parent: Option<SpanId>,
        sampled: Option<bool>,
    ) -> Self {
        Self::Context(Context {
            format,
            trace_id,
            parent,
            sampled,
            state: Cow::Borrowed(&[]),
        })
    }
}

fn same_trace(a: TraceId, b: TraceId) -> bool {
    let (a, b) = (u128::from_be_bytes(a.0), u128::from_be_bytes(b.0));
    let short = a >> 64 == 0 || b >> 64 == 0;
    a == b || short && a as u64 == b as u64
}
