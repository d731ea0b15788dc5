//! What the parser suites of other projects try, in words of our own.

use crate::http_wire::Wire;

use super::{Case, GET, OK, case, one};

/// What the parser suites of others try (libhtp, http-parser, net/http), in
/// words of our own.
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
            &["POST /a 200 0/0 Complete"],
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
