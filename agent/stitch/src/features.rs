//! What a request's bytes say to the causality stage.

use std::net::SocketAddr;

use xxhash_rust::xxh3::xxh3_64;

use crate::causality::Features;
use crate::event::Connection;
use crate::exchange::{Exchange, Role};
use crate::propagation::Propagated;
use crate::text;

/// The features of an exchange that starts. Query parameters named in `ignored`
/// give no tokens.
pub(crate) fn of(
    exchange: &Exchange,
    connection: &Connection,
    propagated: &Propagated<'_>,
    first_on_socket: bool,
    ignored: &[String],
) -> Features {
    let request = &exchange.request;
    Features {
        pid: request.message.first.task.pid,
        owner: host(&connection.local, request.message.first.task.pid),
        route: text::route(&request.method, &request.target),
        callee: match exchange.role {
            Role::Client => address(&connection.peer),
            Role::Server => address(&connection.local),
        },
        trace_id: propagated.context.as_ref().map(|context| context.trace_id),
        request_ids: propagated
            .request_ids
            .iter()
            .map(|id| xxh3_64(id))
            .collect(),
        tokens: text::tokens(&request.target, request.fields.iter(), ignored).hashes,
        first_on_socket,
    }
}

/// In a packet capture: the exchange as a call of the host at the other end.
pub(crate) fn as_call(served: &Features, connection: &Connection) -> Features {
    Features {
        owner: host(&connection.peer, 0),
        ..served.clone()
    }
}

/// Separates hosts, where no process id does.
fn host(address: &SocketAddr, pid: u32) -> u64 {
    if pid != 0 {
        return 0;
    }
    match address {
        SocketAddr::V4(v4) => xxh3_64(&v4.ip().octets()),
        SocketAddr::V6(v6) => xxh3_64(&v6.ip().octets()),
    }
}

fn address(address: &SocketAddr) -> u64 {
    host(address, 0) ^ u64::from(address.port())
}
