//! Facts about this host, for the resources of all its processes.

use std::fs;

/// Host attributes by their semantic-convention names; what cannot be read is
/// left out.
pub fn attributes() -> Vec<(String, String)> {
    let facts = [
        ("host.name", line("/proc/sys/kernel/hostname")),
        ("host.id", line("/etc/machine-id")),
        ("host.arch", Some(architecture().to_owned())),
        ("os.type", Some("linux".to_owned())),
        ("os.version", line("/proc/sys/kernel/osrelease")),
    ];
    facts
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The conventions' word for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
