//! One OTLP Resource for each traced process, or, in a packet capture, for
//! each address that answered.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use wirespan_stitch::event::Process;

use super::attribute::Attributes;

/// The scope of all spans.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "wirespan".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// The Resource of a process. `extra` are attributes for every Resource
/// (`OTEL_RESOURCE_ATTRIBUTES` of the agent); what the process says wins.
pub fn of_process(process: &Process, extra: &[(String, String)]) -> Resource {
    let mut attributes = Attributes::with_capacity(12 + process.attributes.len() + extra.len());
    attributes.string("service.name", name_or_unknown(process));
    if !process
        .attributes
        .iter()
        .any(|(key, _)| key == "service.instance.id")
    {
        attributes.string("service.instance.id", instance_id(process));
    }
    if process.pid != 0 {
        attributes.int("process.pid", process.pid);
    }
    if process.parent_pid != 0 {
        attributes.int("process.parent_pid", process.parent_pid);
    }
    let executable = process.executable.rsplit('/').next().unwrap_or_default();
    attributes.known("process.executable.name", executable);
    attributes.known("process.executable.path", &process.executable);
    // Arguments may be secrets: the command only.
    if let Some(command) = process.command_line.first() {
        attributes.known("process.command", command);
    }
    attributes.known("container.id", &process.container_id);
    finish(attributes, process.attributes.iter().chain(extra))
}

/// The Resource of an address in a packet capture.
pub fn of_address(address: SocketAddr, extra: &[(String, String)]) -> Resource {
    let mut attributes = Attributes::with_capacity(4 + extra.len());
    attributes.string("service.name", address.to_string());
    attributes.string("service.instance.id", address.to_string());
    finish(attributes, extra.iter())
}

fn finish<'a>(
    mut attributes: Attributes,
    further: impl Iterator<Item = &'a (String, String)>,
) -> Resource {
    for (key, value) in further {
        if !attributes.has(key) {
            attributes.string(key, value.as_str());
        }
    }
    Resource {
        attributes: attributes.into_vec(),
        ..Resource::default()
    }
}

/// The specification's own fallback (`unknown_service:` and the executable).
fn name_or_unknown(process: &Process) -> String {
    if !process.service_name.is_empty() {
        return process.service_name.clone();
    }
    match process.executable.rsplit('/').next() {
        Some(name) if !name.is_empty() => format!("unknown_service:{name}"),
        _ => "unknown_service".to_owned(),
    }
}

/// The start times of a process that `/proc` and the kernel side tell agree in
/// this unit: 10 ms.
const START_UNIT: u64 = 10_000_000;

/// The same for the life of a process, other for each process of the host.
fn instance_id(process: &Process) -> String {
    let host = process
        .attributes
        .iter()
        .find(|(key, _)| key == "host.name")
        .map_or("", |(_, value)| value.as_str());
    format!("{host}:{}:{}", process.pid, process.start_time / START_UNIT)
}
