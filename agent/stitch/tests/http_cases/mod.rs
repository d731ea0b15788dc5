//! The table of conversations, by what they are about.

mod endings;
mod framing;
mod messages;
mod responses;
mod resumed;
mod suites;
mod switches;
mod tolerance;

use crate::http_wire::Wire;

/// One conversation, and the lines that must be seen of it.
pub(crate) struct Case {
    /// What it is about.
    pub(crate) name: &'static str,
    /// The conversation.
    pub(crate) wire: Wire,
    /// One line for each exchange; see `http_wire::line`.
    pub(crate) seen: Vec<&'static str>,
    /// HTTP/1.x is carried inside something else: whoever misses how that began
    /// cannot know.
    pub(crate) nested: bool,
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Every conversation of the table.
pub(crate) fn cases() -> Vec<Case> {
    [
        messages::messages,
        framing::framing,
        framing::broken_framing,
        tolerance::tolerance,
        responses::interim,
        responses::pipelines,
        resumed::resumed,
        endings::endings,
        switches::switches,
        switches::others,
        suites::known_to_others,
        suites::refused_heads,
        suites::refused_bodies,
    ]
    .into_iter()
    .flat_map(|cases| cases())
    .collect()
}

fn case(name: &'static str, wire: Wire, seen: &[&'static str]) -> Case {
    Case {
        name,
        wire,
        seen: seen.to_vec(),
        nested: false,
    }
}

fn one(request: impl AsRef<[u8]>, response: impl AsRef<[u8]>) -> Wire {
    Wire::new().request(request).response(response)
}
