//! Where the bytes are not all there: not copied, not wanted, lost, or gone by
//! before anybody looked.

mod foreign;
#[path = "../http_wire/mod.rs"]
mod http_wire;
mod in_the_middle;
mod in_time;
mod looks_alike;
mod not_copied;

use http_wire::Wire;
use wirespan_stitch::event::{Data, Shortfall};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Only the first bytes of each call are copied.
fn limited(events: Vec<Data>, copied: usize) -> Vec<Data> {
    let cut = |mut event: Data| {
        if event.payload.len() > copied {
            event.payload.truncate(copied);
            event.shortfall = Shortfall::Limit;
        }
        event
    };
    events.into_iter().map(cut).collect()
}

fn lines(wire: &Wire, events: &[Data]) -> Vec<String> {
    wire.run(events).lines()
}

/// Events of a conversation whose first `missed` events went by unseen.
fn from_the_middle(wire: &Wire, missed: usize) -> Vec<Data> {
    let mut events = wire.whole();
    events.drain(..missed);
    events
}
