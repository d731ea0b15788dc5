//! Spans out of the agent: mapping to OTLP, batches, and one module for each
//! output. In come [`wirespan_stitch::span::Span`]s; what goes out is counted.

pub mod batch;
pub mod counters;
pub mod file;
pub mod grpc;
pub mod json;
mod lines;
pub mod otlp;
pub mod pipeline;
pub mod print;
pub mod quota;
