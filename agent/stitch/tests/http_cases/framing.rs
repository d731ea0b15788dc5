//! Where a body ends (RFC 9112 section 6), also where peers cannot agree on it.

use super::{Case, GET, OK, case, one};

pub(super) fn framing() -> Vec<Case> {
    vec![
        case(
            "chunks, extensions and trailers",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3;a=b;c=\"d\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n\
                 00f\r\n0123456789abcde\r\n0\r\n\r\n",
            )
            .request(GET)
            .response(OK),
            &["POST /a 200 13/15 Complete", "GET /a 200 0/2 Complete"],
        ),
        case(
            "HEAD, 204 and 304 with a length",
            one(
                "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            )
            .request(GET)
            .response("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n")
            .request(GET)
            .response("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n")
            .request(GET)
            .response(OK),
            &[
                "HEAD /a 200 0/0 Complete",
                "GET /a 304 0/0 Complete",
                "GET /a 204 0/0 Complete",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "until close",
            one(GET, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 is quoted\r\n\r\nhere"),
            &["GET /a 200 0/26 Complete"],
        ),
        case(
            "both lengths",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\
                 Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                OK,
            )
            .request(GET)
            .response(OK),
            &[
                "POST /a 200 1/2 Complete length_and_encoding",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "the same length twice",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
                "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            )
            .request(GET)
            .response(OK),
            &[
                "POST /a 200 2/2 Complete repeated_length",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "chunked is not the last coding of a response",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nanything",
            ),
            &["GET /a 200 0/8 Complete misplaced_chunked"],
        ),
        case(
            "chunked by the framework and again by the server",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n\
                 1\r\na\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                 Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            )
            .request(GET)
            .response(OK),
            &[
                "POST /a 200 1/2 Complete misplaced_chunked",
                "GET /a 200 0/2 Complete",
            ],
        ),
    ]
}

pub(super) fn broken_framing() -> Vec<Case> {
    vec![
        case(
            "lengths that differ",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            ),
            &["POST /a 400 2/0 Complete conflicting_length END_INFERRED"],
        ),
        case(
            "lengths that are none",
            one(GET, "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
            &["GET /a 200 0/2 Complete invalid_length END_INFERRED"],
        ),
        case(
            "a request that is not chunked at last",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nab",
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            ),
            &["POST /a 400 2/0 Complete encoding_not_chunked END_INFERRED"],
        ),
        case(
            "a chunk with no size",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nxyz\r\n",
            ),
            &["GET /a 200 0/5 Complete invalid_chunk END_INFERRED"],
        ),
        case(
            "chunks in HTTP/1.0",
            one(
                GET,
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            ),
            &["GET /a 200 0/1 Complete encoding_in_http10"],
        ),
    ]
}
