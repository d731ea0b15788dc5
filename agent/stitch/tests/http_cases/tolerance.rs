//! What is read although it should not have been written.

use super::{Case, GET, OK, case, one};

pub(super) fn tolerance() -> Vec<Case> {
    vec![
        case(
            "empty lines before a message",
            one(format!("\r\n\r\n{GET}"), OK)
                .request(format!("\r\n{GET}"))
                .response(format!("\r\n{OK}")),
            &["GET /a 200 0/2 Complete", "GET /a 200 0/2 Complete"],
        ),
        case(
            "line feeds alone",
            one(
                "GET /a HTTP/1.1\nHost: x\n\n",
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n",
            ),
            &["GET /a 200 0/1 Complete bare_line_feed"],
        ),
        case(
            "one line feed alone",
            one("GET /a HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", OK),
            &["GET /a 200 0/2 Complete bare_line_feed"],
        ),
        case(
            "folded fields",
            one(
                "GET /a HTTP/1.1\r\nHost: x\r\nFolded: a\r\n\tb\r\n  c\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            ),
            &["GET /a 200 0/1 Complete obscured_encoding folded_field"],
        ),
        case(
            "space before the colon",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\nab",
                OK,
            ),
            &["POST /a 200 2/2 Complete space_before_colon"],
        ),
        case(
            "a line that is no field",
            one(
                "GET /a HTTP/1.1\r\nHost: x\r\nnonsense\r\nA b: c\r\n\r\n",
                OK,
            ),
            &["GET /a 200 0/2 Complete invalid_field"],
        ),
        case(
            "spaces in the request line",
            one("GET  /a b  HTTP/1.1\r\nHost: x\r\n\r\n", OK),
            &["GET /a b 200 0/2 Complete sloppy_start_line"],
        ),
        case(
            "PROXY protocol, version 1",
            one(format!("PROXY TCP4 10.0.0.1 10.0.0.2 4000 80\r\n{GET}"), OK)
                .request(GET)
                .response(OK),
            &[
                "GET /a 200 0/2 Complete for 10.0.0.1:4000",
                "GET /a 200 0/2 Complete for 10.0.0.1:4000",
            ],
        ),
        case(
            "PROXY protocol, version 2",
            one(
                [
                    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x0a\0\0\x01\x0a\0\0\x02\x0f\xa0\0\x50",
                    GET.as_bytes(),
                ]
                .concat(),
                OK,
            ),
            &["GET /a 200 0/2 Complete for 10.0.0.1:4000"],
        ),
        case(
            "a PROXY line that must be refused",
            one(format!("PROXY TCP4 10.0.0.1 4000 80\r\n{GET}"), OK)
                .request(GET)
                .response(OK),
            &[
                "GET /a 200 0/2 Complete sloppy_start_line",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "HTTP/0.9 answers",
            one("GET /a HTTP/1.0\r\n\r\n", "<p>It works</p>\r\n").response("and goes on"),
            &["GET /a no-status 0/28 Complete no_status_line"],
        ),
        case(
            "no Host",
            one("GET /a HTTP/1.1\r\n\r\n", OK),
            &["GET /a 200 0/2 Complete host_missing"],
        ),
    ]
}
