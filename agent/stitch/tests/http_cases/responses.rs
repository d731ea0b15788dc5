//! Interim responses, responses that come early, pipelines.

use crate::http_wire::Wire;

use super::{Case, GET, OK, case, one};

pub(super) fn interim() -> Vec<Case> {
    let expecting =
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let waiting =
        "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n";
    vec![
        case(
            "100 (Continue)",
            Wire::new()
                .request(expecting)
                .response("HTTP/1.1 100 Continue\r\n\r\n")
                .request("ab")
                .response(OK),
            &["POST /a 200 2/2 Complete interim=1"],
        ),
        case(
            "several interim responses",
            one(
                GET,
                format!(
                    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n{OK}"
                ),
            ),
            &["GET /a 200 0/2 Complete interim=2"],
        ),
        case(
            "an interim response that does not end",
            one(GET, "HTTP/1.1 103 Early Hints\r\nLink: a"),
            &["GET /a - 0/- ClosedBeforeResponse interim=1"],
        ),
        case(
            "100 (Continue) never comes",
            Wire::new().request(expecting).request("ab").response(OK),
            &["POST /a 200 2/2 Complete"],
        ),
        case(
            "refused before the request has ended",
            Wire::new()
                .request("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabcde")
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                .request("fghij")
                .request(GET)
                .response(OK),
            &[
                "POST /a 413 10/0 Complete early_response",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "refused while the client waits, and no body is sent, or one is (RFC 9110 10.1.1)",
            Wire::new()
                .request(waiting)
                .response("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                .request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
                .response(OK)
                .request(expecting)
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                .request("GE")
                .request(GET)
                .response(OK),
            &[
                "PUT /a 401 0/0 Complete early_response END_INFERRED",
                "GET /b 200 0/2 Complete",
                "POST /a 413 2/0 Complete early_response",
                "GET /a 200 0/2 Complete",
            ],
        ),
        case(
            "refused while the client waits, and the next request is longer than no body",
            Wire::new()
                .request("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                .request("HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            &[
                "PUT /a 413 0/0 Complete early_response END_INFERRED",
                "HEAD /b 200 0/0 Complete",
            ],
        ),
        case(
            "refused while the client waits, and the body is all that follows",
            Wire::new()
                .request(expecting)
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                .request("GE"),
            &["POST /a 413 2/0 Complete early_response"],
        ),
        case(
            "refused, and the rest is never sent",
            Wire::new()
                .request("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabcde")
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"),
            &["POST /a 413 5/0 Complete early_response unfinished_request"],
        ),
    ]
}

pub(super) fn pipelines() -> Vec<Case> {
    vec![
        case(
            "three at once, three back at once",
            Wire::new()
                .request(
                    "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: x\r\n\r\n\
                     GET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
                )
                .response(
                    "HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\na\
                     HTTP/1.1 202 B\r\nContent-Length: 9\r\n\r\n\
                     HTTP/1.1 203 C\r\nContent-Length: 3\r\n\r\nccc",
                ),
            &[
                "GET /1 201 0/1 Complete",
                "HEAD /2 202 0/0 Complete",
                "GET /3 203 0/3 Complete",
            ],
        ),
        case(
            "each in its own call",
            Wire::new()
                .request("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
                .request("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\na")
                .request("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 202 B\r\nContent-Length: 2\r\n\r\nbb")
                .request("GET /4 HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 203 C\r\nContent-Length: 3\r\n\r\nccc")
                .response("HTTP/1.1 204 D\r\n\r\n"),
            &[
                "GET /1 201 0/1 Complete",
                "GET /2 202 0/2 Complete",
                "GET /3 203 0/3 Complete",
                "GET /4 204 0/0 Complete",
            ],
        ),
        case(
            "closed in the middle",
            Wire::new()
                .request("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
                .request("GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
                .response("HTTP/1.1 201 A\r\nContent-Length: 1\r\nConnection: close\r\n\r\na"),
            &[
                "GET /1 201 0/1 Complete",
                "GET /2 - 0/- ClosedBeforeResponse",
                "GET /3 - 0/- ClosedBeforeResponse",
            ],
        ),
    ]
}
