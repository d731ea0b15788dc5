//! An exchange as both can tell of it.

use std::collections::BTreeMap;
use std::fmt;

/// Method, target and status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exchange {
    pub method: String,
    /// Without scheme, authority and fragment, and none for CONNECT.
    pub target: String,
    /// Of the final response, if its head was seen.
    pub status: Option<u16>,
    /// Bytes of the response's body, where that is told.
    pub size: Option<u64>,
}

/// Exchanges in their order, by the two ends of their connection.
pub(super) type Connections = BTreeMap<Ends, Vec<Exchange>>;

/// The ports, the lower one first: of packets inside of others, each reader
/// tells the addresses of another one.
pub(super) type Ends = (u16, u16);

pub(super) fn ends(one: u16, other: u16) -> Ends {
    (one.min(other), one.max(other))
}

/// What both tell of a target in the same way. Bytes that are no printable
/// ASCII are told in many ways.
pub(super) fn target(method: &str, target: &str) -> String {
    if method == "CONNECT" {
        return String::new();
    }
    let target = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            match &rest[end..] {
                "" => "/".to_owned(),
                path if path.starts_with('?') => format!("/{path}"),
                path => path.to_owned(),
            }
        }
        _ => target.to_owned(),
    };
    let shown = target.split('#').next().unwrap_or_default();
    let shown = shown.strip_suffix('?').unwrap_or(shown);
    shown
        .chars()
        .filter(char::is_ascii_graphic)
        .filter(|shown| *shown != '\\')
        .collect()
}

impl Exchange {
    /// Whether both are the same request.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        (&self.method, &self.target) == (&other.method, &other.target)
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target: String = self.target.chars().take(100).collect();
        write!(f, "{} {target}", self.method)?;
        match self.status {
            Some(status) => write!(f, " → {status}")?,
            None => f.write_str(" → nothing")?,
        }
        self.size.map_or(Ok(()), |size| write!(f, ", {size} bytes"))
    }
}
