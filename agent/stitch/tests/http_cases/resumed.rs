//! Where a request ends cannot be told, and the connection goes on.

use super::{Case, GET, OK, case, one};

pub(super) fn resumed() -> Vec<Case> {
    vec![
        case(
            "a length that is none, to a server that reads it",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
                OK,
            )
            .request(GET)
            .response(OK),
            &[
                "POST /a 200 5/2 Complete invalid_length END_INFERRED",
                "GET /a 200 0/2 Complete RESYNCHRONISED",
            ],
        ),
        case(
            "a chunk that is none, to a server that reads it",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 0x1\r\na\r\n0\r\n\r\n",
                OK,
            )
            .request(GET)
            .response("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"),
            &[
                "POST /a 200 11/2 Complete invalid_chunk END_INFERRED",
                "GET /a 404 0/2 Complete RESYNCHRONISED",
            ],
        ),
        case(
            "a body that nothing announced, and another request",
            one("POST /a HTTP/1.1\r\nHost: x\r\n\r\na=b&c=\"d\"", OK)
                .request(GET)
                .response("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"),
            &[
                "POST /a 200 0/2 Complete excess_bytes",
                "GET /a 404 0/2 Complete excess_bytes RESYNCHRONISED",
            ],
        ),
    ]
}
