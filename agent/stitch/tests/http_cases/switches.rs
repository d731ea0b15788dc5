//! Connections that carry something else, from the beginning or later.

use crate::http_wire::Wire;

use super::{Case, GET, OK, case};

/// What Java's `HttpClient` sends, shortened.
const H2C: &str = "GET /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: x\r\n\
                   HTTP2-Settings: AAEA\r\nUpgrade: h2c\r\n\r\n";

pub(super) fn switches() -> Vec<Case> {
    let asking =
        "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    vec![
        case(
            "to a WebSocket",
            Wire::new()
                .request(asking)
                .response(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\n\r\n\x01\x02",
                )
                .request(b"\x81\x85GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice())
                .request(GET)
                .response(OK),
            &["GET /chat 101 0/0 Upgraded to websocket"],
        ),
        case(
            "that nobody asked for",
            Wire::new()
                .request(GET)
                .response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x01\x02"),
            &["GET /a 101 0/0 Upgraded to x unasked_switch"],
        ),
        case(
            "refused",
            Wire::new()
                .request(asking)
                .request(GET)
                .response(OK)
                .response(OK),
            &["GET /chat 200 0/2 Complete", "GET /a 200 0/2 Complete"],
        ),
        case(
            "to HTTP/2, asked for each time by a client that is never listened to",
            Wire::new()
                .request(H2C)
                .response(OK)
                .request(H2C)
                .response(OK),
            &["GET /a 200 0/2 Complete"; 2],
        ),
        case(
            "to HTTP/2",
            Wire::new()
                .request(H2C)
                .response(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                     Upgrade: h2c\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                )
                .request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
            &["GET /a 101 0/0 Upgraded to h2c"],
        ),
        case(
            "to a tunnel",
            Wire::new()
                .request("CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n")
                .request(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00".as_slice())
                .response("HTTP/1.1 200 Connected\r\nContent-Length: 5\r\n\r\n")
                .response(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00".as_slice()),
            &["CONNECT y:443 200 0/0 Upgraded"],
        ),
        Case {
            nested: true,
            ..case(
                "to a tunnel that carries HTTP",
                Wire::new()
                    .request("CONNECT y:80 HTTP/1.1\r\nHost: y:80\r\n\r\n")
                    .request(GET)
                    .response("HTTP/1.1 200 Connected\r\n\r\n")
                    .response(OK),
                &["CONNECT y:80 200 0/0 Upgraded"],
            )
        },
        case(
            "no tunnel",
            Wire::new()
                .request("CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n")
                .response("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
                .request(GET)
                .response(OK),
            &["CONNECT y:443 403 0/2 Complete", "GET /a 200 0/2 Complete"],
        ),
    ]
}

pub(super) fn others() -> Vec<Case> {
    vec![
        case(
            "TLS",
            Wire::new()
                .request(b"\x16\x03\x01\x00\x0a\x01\x00\x00\x06\x03\x03abcd".as_slice())
                .response(b"\x16\x03\x03\x00\x0a\x02\x00\x00\x06\x03\x03efgh".as_slice())
                .request(b"\x17\x03\x03\x00\x05ijklm".as_slice()),
            &[],
        ),
        Case {
            nested: true,
            ..case(
                "something like TLS, and HTTP",
                Wire::new()
                    .request(b"\x16\x03\x01\x02\x00\x01\x00\r\n".as_slice())
                    .request(GET)
                    .response(OK),
                &[],
            )
        },
        case(
            "HTTP/2 with prior knowledge",
            Wire::new()
                .request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
                .response(b"\0\0\0\x04\0\0\0\0\0".as_slice()),
            &[],
        ),
        case(
            "SSH",
            Wire::new()
                .response("SSH-2.0-OpenSSH_9.2\r\n")
                .request("SSH-2.0-OpenSSH_9.2\r\n"),
            &[],
        ),
        Case {
            nested: true,
            ..case(
                "SMTP that is asked for a page",
                Wire::new()
                    .response("220 x ESMTP\r\n")
                    .request("EHLO x\r\n")
                    .response("250 x\r\n")
                    .request(GET)
                    .response("500 what\r\n"),
                &[],
            )
        },
        case(
            "Redis",
            Wire::new()
                .request("*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
                .response("$1\r\nb\r\n")
                .request("GET a\r\n")
                .response("$-1\r\n"),
            &[],
        ),
    ]
}
