//! Names what is not HTTP/1.x, by the first bytes of one direction.
//!
//! Whether something *is* HTTP/1.x is decided by reading its first line, in
//! [`super::http1`]. A name here is for people and for counters; it also tells
//! which first bytes are proof enough to stop looking at a connection.

/// A protocol that was recognised, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// None of the others.
    Unknown,
    /// TLS (RFC 8446 section 5.1).
    Tls,
    /// HTTP/2 with prior knowledge (RFC 9113 section 3.4).
    Http2,
    /// SSH (RFC 4253 section 4.2).
    Ssh,
    /// The `PostgreSQL` wire protocol, version 3.
    Postgres,
    /// The `MySQL` client/server protocol, from its greeting.
    MySql,
    /// The Redis serialization protocol.
    Redis,
    /// A server that greets with a reply code: SMTP, FTP (RFC 5321 section 4.3.1).
    Greeting,
    /// Kafka's request header.
    Kafka,
    /// What a connection carries after `Upgrade` or `CONNECT`.
    Switched,
}

impl Protocol {
    /// Every protocol, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Tls,
        Self::Http2,
        Self::Ssh,
        Self::Postgres,
        Self::MySql,
        Self::Redis,
        Self::Greeting,
        Self::Kafka,
        Self::Switched,
    ];

    /// Its word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Ssh => "ssh",
            Self::Postgres => "postgresql",
            Self::MySql => "mysql",
            Self::Redis => "redis",
            Self::Greeting => "greeting",
            Self::Kafka => "kafka",
            Self::Switched => "switched",
        }
    }

    /// Recognises the protocol that a direction begins with.
    pub fn of(first: &[u8]) -> Self {
        match first {
            [20..=23, 3, 0..=4, ..] => Self::Tls,
            [b'S', b'S', b'H', b'-', ..] => Self::Ssh,
            _ if first.starts_with(b"PRI * HTTP/2.0\r\n") => Self::Http2,
            [0, 0, _, _, 0, 3, 0, _, ..] | [0, 0, 0, _, 4, 210, 22, 46..=48, ..] => Self::Postgres,
            [_, _, 0, 0, 10, b'0'..=b'9', ..] => Self::MySql,
            [b'*' | b'$' | b':', b'0'..=b'9' | b'-', ..] => Self::Redis,
            _ if [&b"+OK\r\n"[..], b"+PONG", b"-ERR", b"-NOAUTH", b"-WRONG"]
                .iter()
                .any(|reply| first.starts_with(reply)) =>
            {
                Self::Redis
            }
            [b'2', b'2', b'0', b' ' | b'-', ..] => Self::Greeting,
            [0, _, _, _, 0, 0..=80, 0, 0..=20, ..] => Self::Kafka,
            _ => Self::Unknown,
        }
    }

    /// Whether the first bytes of one direction are proof enough that neither
    /// direction will ever carry HTTP/1.x.
    pub fn is_certain(self) -> bool {
        !matches!(self, Self::Unknown | Self::Greeting)
    }
}
