//! The table.

use crate::http_wire::{Ending, Wire};

/// One conversation, and the lines that must be seen of it.
pub(crate) struct Case {
    /// What it is about.
    pub(crate) name: &'static str,
    /// The conversation.
    pub(crate) wire: Wire,
    /// One line for each exchange; see `http_wire::line`.
    pub(crate) seen: Vec<&'static str>,
    /// HTTP/1.x is carried inside something else: whoever misses how that began
    /// cannot know.
    pub(crate) nested: bool,
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// What Java's `HttpClient` sends, shortened.
const H2C: &str = "GET /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: x\r\n\
                   HTTP2-Settings: AAEA\r\nUpgrade: h2c\r\n\r\n";

/// Every conversation of the table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(framing());
    cases.extend(broken_framing());
    cases.extend(tolerance());
    cases.extend(interim());
    cases.extend(pipelines());
    cases.extend(endings());
    cases.extend(switches());
    cases.extend(others());
    cases.extend(known_to_others());
    cases
}

fn messages() -> Vec<Case> {
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

fn framing() -> Vec<Case> {
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
    ]
}

fn broken_framing() -> Vec<Case> {
    vec![
        case(
            "lengths that differ",
            one(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            ),
            &["POST /a 400 2/0 Complete conflicting_length early_response END_INFERRED"],
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
            &["POST /a 400 2/0 Complete encoding_not_chunked early_response END_INFERRED"],
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

fn tolerance() -> Vec<Case> {
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

fn interim() -> Vec<Case> {
    let expecting =
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
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
            "refused, and the rest is never sent",
            Wire::new()
                .request("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabcde")
                .response("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"),
            &["POST /a 413 5/0 Complete early_response unfinished_request"],
        ),
    ]
}

fn pipelines() -> Vec<Case> {
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

fn endings() -> Vec<Case> {
    vec![
        case(
            "closed without an answer",
            Wire::new().request(GET),
            &["GET /a - 0/- ClosedBeforeResponse"],
        ),
        case(
            "reset without an answer",
            Wire::new().request(GET).ends(Ending::Reset),
            &["GET /a - 0/- ResetBeforeResponse"],
        ),
        case(
            "closed in the answer",
            one(GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
            &["GET /a 200 0/2 ClosedInResponse"],
        ),
        case(
            "reset in the answer",
            one(GET, "HTTP/1.1 200 OK\r\n\r\nok").ends(Ending::Reset),
            &["GET /a 200 0/2 ResetInResponse"],
        ),
        case(
            "the input ends",
            one(GET, "HTTP/1.1 200 OK\r\n\r\nok").ends(Ending::Open),
            &["GET /a 200 0/2 EndOfInput"],
        ),
    ]
}

fn switches() -> Vec<Case> {
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

fn others() -> Vec<Case> {
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

fn case(name: &'static str, wire: Wire, seen: &[&'static str]) -> Case {
    Case {
        name,
        wire,
        seen: seen.to_vec(),
        nested: false,
    }
}

fn one(request: impl AsRef<[u8]>, response: impl AsRef<[u8]>) -> Wire {
    Wire::new().request(request).response(response)
}

/// What the parser suites of others try (libhtp, http-parser, net/http), in
/// words of our own.
fn known_to_others() -> Vec<Case> {
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
            &["GET /a 200 0/2 Complete"],
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
