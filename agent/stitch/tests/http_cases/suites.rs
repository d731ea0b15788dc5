//! What the parser suites of other projects try, in words of our own.

use crate::http_wire::Wire;

use super::{Case, GET, OK, case, one};

/// What libhtp, http-parser and `net/http` try.
pub(super) fn known_to_others() -> Vec<Case> {
    vec![
        case(
            "HTTP/0.9 as it was",
            one("GET /a\r\n", "<p>it</p>"),
            &["GET /a no-status 0/9 Complete no_status_line"],
        ),
        case(
            "HTTP/0.9 to a server that knows better",
            one("GET /a\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nok"),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "HTTP/0.9 by name",
            one("GET /a HTTP/0.9\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\nok"),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "a status that runs into its reason",
            one(GET, "HTTP/1.1 200ok\r\nContent-Length: 2\r\n\r\nok"),
            &["GET /a 200 0/2 Complete sloppy_start_line"],
        ),
        case(
            "a NUL in the target",
            one("GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["GET /a\\x00b 200 0/2 Complete sloppy_start_line"],
        ),
        case(
            "a response head that does not end",
            one(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
            &["GET /a 200 0/0 ClosedInResponse END_INFERRED"],
        ),
        case(
            "identity alone is no coding",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
            ),
            &["GET /a 200 0/2 Complete length_and_encoding"],
        ),
        case(
            "chunked, then identity",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            ),
            &["GET /a 200 0/12 Complete misplaced_chunked"],
        ),
        case(
            "a body that nothing announced",
            Wire::new()
                .request("POST /a HTTP/1.1\r\nHost: x\r\n\r\na=b&c=d")
                .response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            &["POST /a 200 0/0 Complete excess_bytes"],
        ),
        case(
            "a size of too many digits",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 00000000000000000002\r\nok\r\n0\r\n\r\n",
            ),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "one field line, empty",
            one("GET /a HTTP/1.1\r\nHost:\r\n\r\n", OK),
            &["GET /a 200 0/2 Complete"],
        ),
    ]
}

/// Heads that most parsers refuse, and that some peers understand.
pub(super) fn refused_heads() -> Vec<Case> {
    vec![
        case(
            "a response in words that are none of HTTP's (RFC 9112 section 2.3)",
            one(
                "GET /a HTTP/2.0\r\nHost: x\r\n\r\n",
                "HTTP/9.1 505 No\r\nContent-Length: 2\r\n\r\nno",
            ),
            &["GET /a 505 0/2 Complete unknown_version"],
        ),
        case(
            "versions that are none, and a status that is one (RFC 9112 section 2.3)",
            one(GET, "HTTP/1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .request(GET)
                .response("HTTP/1.12 404 No\r\nContent-Length: 2\r\n\r\nno")
                .request("GET /b HTTP/01.1\r\nHost: x\r\n\r\n")
                .response("HTTP/2 505 No\r\nContent-Length: 2\r\n\r\nno")
                .request(GET)
                .response("HTTP/1.x 500 No\r\nContent-Length: 2\r\n\r\nno"),
            &[
                "GET /a 200 0/2 Complete unknown_version",
                "GET /a 404 0/2 Complete unknown_version",
                "GET /b 505 0/2 Complete unknown_version",
                "GET /a 500 0/2 Complete unknown_version",
            ],
        ),
        case(
            "an audio stream",
            one(
                "GET /a HTTP/1.0\r\n\r\n",
                "ICY 200 OK\r\nicy-name: x\r\n\r\nabc",
            ),
            &["GET /a 200 0/3 Complete unknown_version"],
        ),
        case(
            "white space in front of a request line (RFC 9112 section 2.2)",
            one(format!(" \t{GET}"), OK)
                .request(format!("\r\n {GET}"))
                .response(OK),
            &["GET /a 200 0/2 Complete sloppy_start_line"; 2],
        ),
        case(
            "tabs in a request line (RFC 9112 section 3)",
            one("GET\t/a\tHTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["GET /a 200 0/2 Complete sloppy_start_line"],
        ),
        case(
            "the name of the protocol in small letters (RFC 9112 section 2.3)",
            one(
                "GET /a http/1.1\r\nHost: x\r\n\r\n",
                "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno",
            ),
            &["GET /a 400 0/2 Complete sloppy_start_line"],
        ),
        case(
            "DEL in a target (RFC 3986 section 2)",
            one("GET /a\x7fb HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["GET /a\\x7fb 200 0/2 Complete sloppy_start_line"],
        ),
        case(
            "CR alone in a value (RFC 9112 section 2.2)",
            one(
                "GET /a HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 5\r\n\r\n",
                OK,
            ),
            &["GET /a 200 0/2 Complete bare_carriage_return"],
        ),
        case(
            "a length and CR twice",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\r\n\r\nab",
                OK,
            ),
            &["POST /a 200 2/2 Complete bare_carriage_return"],
        ),
        case(
            "CR alone in a status line",
            one(GET, "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok"),
            &["GET /a 200 0/2 Complete bare_carriage_return"],
        ),
        case(
            "a control character in a value (RFC 9110 section 5.5)",
            one(
                "GET /a HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nB: \x7f\r\n\r\nok",
            ),
            &["GET /a 200 0/2 Complete invalid_field"],
        ),
        case(
            "the head of a request is answered before it ends (RFC 9110 section 15.5.15)",
            one(
                "GET /a HTTP/1.1\r\nHost: x\r\nLong: bbbbbb",
                "HTTP/1.1 431 Too Much\r\nContent-Length: 2\r\n\r\nno",
            ),
            &["GET /a 431 0/2 Complete unfinished_request END_INFERRED"],
        ),
    ]
}

/// The same of bodies.
pub(super) fn refused_bodies() -> Vec<Case> {
    vec![
        case(
            "Transfer-Encoding that names none (RFC 9112 section 6.1)",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\nab",
                OK,
            )
            .request(GET)
            .response(OK),
            &[
                "POST /a 200 2/2 Complete length_and_encoding encoding_not_chunked",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "parameters of chunked (RFC 9112 section 7.1)",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;q=1\r\n\r\n\
                 1\r\na\r\n0\r\n\r\n",
                OK,
            ),
            &["POST /a 200 1/2 Complete obscured_encoding"],
        ),
        case(
            "both lengths, and no chunks (RFC 9112 section 6.3)",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nText",
            )
            .request(GET)
            .response(OK),
            &[
                "GET /a 200 0/4 Complete length_and_encoding invalid_chunk",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "LF alone between chunks (RFC 9112 section 2.2)",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2;\nxx\r\n0\r\n\r\n",
                OK,
            ),
            &["POST /a 200 2/2 Complete bare_line_feed"],
        ),
        case(
            "CR alone in a chunk extension (RFC 9112 section 7.1.1)",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2;a=\rb\r\nok\r\n0\r\n\r\n",
            ),
            &["GET /a 200 0/2 Complete bare_carriage_return"],
        ),
        case(
            "words behind a chunk's size (RFC 9112 section 7.1)",
            one(
                GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 ab\r\nok\r\n0  \r\n\r\n",
            ),
            &["GET /a 200 0/2 Complete invalid_chunk"],
        ),
        case(
            "a trailer that is no field (RFC 9112 section 7.1.2)",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 1\r\na\r\n0\r\nno trailer\r\nGET: /b\r\n\r\n",
                OK,
            ),
            &["POST /a 200 1/2 Complete invalid_field"],
        ),
        Case {
            nested: true,
            ..case(
                "a request among the trailers (RFC 9112 section 7.1.2)",
                one(
                    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                     1\r\na\r\n0\r\nGET /b?c=:1 HTTP/1.1\r\nHost: x\r\n\r\n",
                    OK,
                ),
                &["POST /a 200 1/2 Complete invalid_field"],
            )
        },
        case(
            "the end of a request cannot be told, so it is not answered early",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 -2\r\nab\r\n0\r\n\r\n",
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            ),
            &["POST /a 400 12/0 Complete invalid_chunk END_INFERRED"],
        ),
    ]
}
