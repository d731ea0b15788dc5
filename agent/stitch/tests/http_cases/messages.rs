//! Messages as they should be, in every form that RFC 9112 knows.

use crate::http_wire::Wire;

use super::{Case, GET, OK, case, one};

pub(super) fn messages() -> Vec<Case> {
    vec![
        case(
            "a request and its answer",
            one(GET, OK),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "kept alive",
            Wire::new()
                .request(GET)
                .response(OK)
                .request("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
                .response("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                .request("GET /c HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone"),
            &[
                "GET /a 200 0/2 Complete",
                "POST /b 201 3/0 Complete",
                "GET /c 404 0/4 Complete",
            ],
        ),
        case(
            "absolute form",
            one("GET http://x/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["GET http://x/a?b=c 200 0/2 Complete"],
        ),
        case(
            "asterisk form",
            one("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["OPTIONS * 200 0/2 Complete"],
        ),
        case(
            "any method token",
            one("M-SEARCH!#$%&'*+-.^_`|~1 * HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["M-SEARCH!#$%&\\'*+-.^_`|~1 * 200 0/2 Complete"],
        ),
        case(
            "no reason phrase",
            one(GET, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "an empty reason phrase",
            one(GET, "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "HTTP/1.0",
            one(
                "GET /a HTTP/1.0\r\n\r\n",
                "HTTP/1.0 200 OK\r\n\r\nall of it",
            ),
            &["GET /a 200 0/9 Complete"],
        ),
        case(
            "header names in any case",
            one(
                "POST /a HTTP/1.1\r\nhOST: x\r\ncONTENT-lENGTH: 1\r\n\r\na",
                "HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n1\r\nb\r\n0\r\n\r\n",
            ),
            &["POST /a 200 1/1 Complete"],
        ),
        case(
            "values that are not UTF-8",
            one(
                b"GET /a HTTP/1.1\r\nHost: x\r\nName: \xff\xfe\xe4\r\n\r\n".as_slice(),
                b"HTTP/1.1 200 \xe4\r\nName: \x80\r\nContent-Length: 2\r\n\r\nok".as_slice(),
            ),
            &["GET /a 200 0/2 Complete"],
        ),
        case(
            "a target that is not UTF-8",
            one(b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), OK),
            &["GET /\\xff\\xfe 200 0/2 Complete"],
        ),
    ]
}
