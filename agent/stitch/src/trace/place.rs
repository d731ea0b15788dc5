//! Where an exchange stands, given what it is tied to and what its headers say.

use bytes::Bytes;

use crate::identity::MessageId;
use crate::span::{Causality, Link, Method, SpanId, TraceId};

/// A trace context that a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that sent the request, where the format tells.
    pub parent: Option<SpanId>,
    /// `tracestate`; empty if none.
    pub state: Bytes,
}

/// Where an exchange stands in a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The trace.
    pub trace_id: TraceId,
    /// The parent; `None` for a root.
    pub parent: Option<SpanId>,
    /// How the parent is known.
    pub causality: Option<Causality>,
    /// A guess that was not sure enough to be the parent.
    pub link: Option<Link>,
}

/// What an exchange will be to the one that it waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tie {
    /// Its child.
    Child(Causality),
    /// A root that links to it.
    Linked(Causality),
}

impl Place {
    /// The place of `message` where it is tied to a span that has one.
    pub(super) fn beside(
        (trace_id, span_id): (TraceId, SpanId),
        tie: Tie,
        message: MessageId,
        context: Option<&Context>,
    ) -> Self {
        let own_trace = context.map(|context| context.trace_id);
        match tie {
            Tie::Child(causality) if own_trace.is_none_or(|own| own == trace_id) => Self {
                trace_id,
                parent: Some(span_id),
                causality: Some(causality),
                link: None,
            },
            // Its own headers name another trace: that is where it is to be found.
            Tie::Child(causality) | Tie::Linked(causality) => Self {
                link: Some(Link {
                    trace_id,
                    span_id,
                    causality,
                }),
                ..Self::alone(message, context)
            },
        }
    }

    /// The place of `message` where no exchange seen here is known to be its
    /// parent.
    pub(super) fn alone(message: MessageId, context: Option<&Context>) -> Self {
        match context {
            Some(context) => Self {
                trace_id: context.trace_id,
                parent: context.parent,
                causality: context.parent.map(|_| Causality {
                    method: Method::Explicit,
                    confidence: 1.0,
                }),
                link: None,
            },
            None => Self {
                trace_id: message.trace_id(),
                parent: None,
                causality: None,
                link: None,
            },
        }
    }
}
