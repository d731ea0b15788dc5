//! One OTLP Resource for each traced process, or, in a packet capture, for
//! each address that answered.

use std::net::SocketAddr;

use wirespan_stitch::event::Process;

use super::attribute::Attributes;
use super::writer::Writer;

/// The field of `Resource`.
const ATTRIBUTES: u32 = 1;

/// The scope of all spans, an `InstrumentationScope`.
pub fn scope() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.field(1, b"wirespan");
    writer.field(2, env!("CARGO_PKG_VERSION").as_bytes());
    writer.into_bytes()
}

/// The Resource of a process. `extra` are attributes for every Resource
/// (`OTEL_RESOURCE_ATTRIBUTES` of the agent); what the process says wins.
pub fn of_process(process: &Process, extra: &[(String, String)]) -> Vec<u8> {
    let mut facts = Facts::default();
    facts.text("service.name", &name_or_unknown(process));
    let own_id = process
        .attributes
        .iter()
        .any(|(key, _)| key == "service.instance.id");
    if !own_id {
        facts.text("service.instance.id", &instance_id(process));
    }
    facts.id("process.pid", process.pid);
    facts.id("process.parent_pid", process.parent_pid);
    let executable = process.executable.rsplit('/').next().unwrap_or_default();
    facts.known("process.executable.name", executable);
    facts.known("process.executable.path", &process.executable);
    // Arguments may be secrets: the command only.
    if let Some(command) = process.command_line.first() {
        facts.known("process.command", command);
    }
    facts.known("container.id", &process.container_id);
    facts.finish(process.attributes.iter().chain(extra))
}

/// The Resource of an address in a packet capture.
pub fn of_address(address: SocketAddr, extra: &[(String, String)]) -> Vec<u8> {
    let mut facts = Facts::default();
    let name = address.to_string();
    facts.text("service.name", &name);
    facts.text("service.instance.id", &name);
    facts.finish(extra.iter())
}

/// A Resource in the making: attributes, and which there are.
#[derive(Default)]
struct Facts<'a> {
    writer: Writer,
    keys: Vec<&'a str>,
}

impl<'a> Facts<'a> {
    fn text(&mut self, key: &'a str, value: &str) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
            Attributes::new(&mut self.writer, ATTRIBUTES).string(key, value);
        }
    }

    fn known(&mut self, key: &'a str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    /// 0 is an id that is unknown.
    fn id(&mut self, key: &'a str, value: u32) {
        if value != 0 {
            self.keys.push(key);
            Attributes::new(&mut self.writer, ATTRIBUTES).int(key, value);
        }
    }

    fn finish(mut self, further: impl Iterator<Item = &'a (String, String)>) -> Vec<u8> {
        for (key, value) in further {
            self.text(key, value);
        }
        self.writer.into_bytes()
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
