//! Names that both ends of a connection can compute without talking: of the
//! connection, of a message in it, and of the spans and traces drawn from it.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::event::{Connection, Opener};
use crate::exchange::Role;
use crate::span::{SpanId, TraceId};

/// One request on one connection; the same value at both ends, through any NAT.
///
/// The pair of initial sequence numbers has 64 random bits; the offset tells
/// the requests of one connection apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    client_isn: u32,
    server_isn: u32,
    offset: u64,
}

impl MessageId {
    /// The request at `offset` (as in [`crate::event::Data::offset`]) on
    /// `connection`, whose owner plays `role` in it.
    ///
    /// Which end opened the connection is taken from `connection`, else the
    /// client is believed to have.
    pub fn new(connection: &Connection, role: Role, offset: u64) -> Self {
        let opener = connection.opener.unwrap_or(match role {
            Role::Client => Opener::Local,
            Role::Server => Opener::Peer,
        });
        // On the end that connected the SYN still counts as a byte sent.
        let own_syn = u32::from(opener == Opener::Local);
        let sent = connection.sent_base.wrapping_add(own_syn);
        let received = connection.received_base;
        let (client_isn, server_isn, own_syn) = match role {
            Role::Client => (sent, received, u64::from(own_syn)),
            Role::Server => (received, sent, 0),
        };
        Self {
            client_isn,
            server_isn,
            offset: offset.wrapping_sub(own_syn),
        }
    }

    /// The span that `role` draws from this request.
    pub fn span_id(self, role: Role) -> SpanId {
        let seed = match role {
            Role::Client => 1,
            Role::Server => 2,
        };
        let hash = xxh3_64_with_seed(&self.to_bytes(), seed);
        SpanId(hash.max(1).to_be_bytes())
    }

    /// The trace that begins with this request where no header names one. Both
    /// ends agree on it.
    pub fn trace_id(self) -> TraceId {
        TraceId(xxh3_128_with_seed(&self.to_bytes(), 3).max(1).to_be_bytes())
    }

    fn to_bytes(self) -> [u8; 16] {
        let Self {
            client_isn,
            server_isn,
            offset,
        } = self;
        let isns = u64::from(client_isn) << 32 | u64::from(server_isn);
        (u128::from(isns) << 64 | u128::from(offset)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `capture.md` describes the two ends: the connecting one counts its SYN.
    fn ends(opener: [Option<Opener>; 2]) -> (Connection, Connection) {
        let (client, server) = (
            "10.0.0.1:5000".parse().unwrap(),
            "10.0.0.2:80".parse().unwrap(),
        );
        (
            Connection {
                local: client,
                peer: server,
                sent_base: 99,
                received_base: 501,
                opener: opener[0],
            },
            Connection {
                local: server,
                peer: client,
                sent_base: 501,
                received_base: 100,
                opener: opener[1],
            },
        )
    }

    #[test]
    fn both_ends_agree_however_much_they_know() {
        let known = [Some(Opener::Local), Some(Opener::Peer)];
        for opener in [known, [None, None], [None, known[1]], [known[0], None]] {
            let (client, server) = ends(opener);
            let at_client = MessageId::new(&client, Role::Client, 81);
            let at_server = MessageId::new(&server, Role::Server, 80);
            assert_eq!(at_client, at_server, "{opener:?}");
            assert_eq!(
                at_client.span_id(Role::Server),
                at_server.span_id(Role::Server)
            );
            assert_ne!(
                at_client.span_id(Role::Client),
                at_server.span_id(Role::Server)
            );
        }
    }

    #[test]
    fn requests_from_the_end_that_accepted_agree_too() {
        let (opened, accepted) = ends([Some(Opener::Local), Some(Opener::Peer)]);
        assert_eq!(
            MessageId::new(&accepted, Role::Client, 7),
            MessageId::new(&opened, Role::Server, 7)
        );
    }

    #[test]
    fn sequence_numbers_wrap() {
        let (mut client, mut server) = ends([None, None]);
        (client.sent_base, server.received_base) = (u32::MAX, 0);
        assert_eq!(
            MessageId::new(&client, Role::Client, 1),
            MessageId::new(&server, Role::Server, 0)
        );
    }
}
