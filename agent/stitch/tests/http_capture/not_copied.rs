//! Calls of which only the beginning, or only the length, was told.

use wirespan_stitch::event::{Direction, SocketId};
use wirespan_stitch::time::Timestamp;
use wirespan_stitch::verdict::Verdict;

use crate::http_wire::{Ending, Wire, data};
use crate::{GET, OK, from_the_middle, limited, lines};

#[test]
fn a_chunked_request_that_was_not_copied_whole_ends_with_its_response() {
    let body = "x".repeat(5000);
    let post = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
         1388\r\n{body}\r\n0\r\nTrailer: x\r\n\r\n"
    );
    let wire = Wire::new()
        .request(post)
        .response(OK)
        .request(GET)
        .response(OK)
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &limited(wire.whole(), 1000)),
        [
            "POST /a 200 5000/2 Complete TRUNCATED END_INFERRED",
            "GET /a 200 0/2 Complete RESYNCHRONISED",
            "GET /a 200 0/2 Complete",
        ]
    );
}

#[test]
fn bodies_of_known_length_are_passed_exactly() {
    let body = "x".repeat(5000);
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{body}");
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{body}");
    let wire = Wire::new()
        .request(GET)
        .response(response)
        .request(GET)
        .response(chunked)
        .response("\r\n0\r\n\r\n")
        .request(GET)
        .response(OK);
    assert_eq!(
        lines(&wire, &limited(wire.whole(), 100)),
        [
            "GET /a 200 0/5000 Complete TRUNCATED",
            "GET /a 200 0/5000 Complete TRUNCATED",
            "GET /a 200 0/2 Complete",
        ]
    );
}

#[test]
fn a_chunked_body_whose_sizes_were_not_seen_ends_where_it_must() {
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n3\r\nabc\r\n";
    let begin = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let seen = "GET /a 200 0/110 Complete TRUNCATED END_INFERRED";
    let last_chunk_seen = Wire::new()
        .request(GET)
        .response(&begin)
        .response("0\r\n\r\n")
        .request(GET)
        .response(OK);
    let outcome = last_chunk_seen.run(&limited(last_chunk_seen.whole(), 60));
    assert!(
        outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"),
        "{:?}",
        outcome.lines()
    );
    assert_eq!(outcome.lines()[1], "GET /a 200 0/2 Complete RESYNCHRONISED");
    let next_request = Wire::new()
        .request(GET)
        .response(&begin)
        .request(GET)
        .response(OK);
    let outcome = next_request.run(&limited(next_request.whole(), 60));
    assert_eq!(outcome.exchanges.len(), 2, "not {seen}");
    assert!(outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"));
    assert_eq!(outcome.lines()[1], "GET /a 200 0/2 Complete RESYNCHRONISED");
    let close = Wire::new().request(GET).response(&begin);
    let outcome = close.run(&limited(close.whole(), 60));
    assert!(outcome.lines()[0].ends_with("Complete TRUNCATED END_INFERRED"));
}

#[test]
fn a_head_that_was_not_copied_whole_is_still_a_message() {
    let long = format!(
        "GET /a HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
        "y".repeat(500)
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: {}\r\n\r\nok",
        "y".repeat(500)
    );
    let wire = Wire::new()
        .request(&long)
        .response(&answer)
        .request(GET)
        .response(OK);
    let outcome = wire.run(&limited(wire.whole(), 100));
    let seen = outcome.lines();
    assert!(seen[0].starts_with("GET /a 200 "), "{seen:?}");
    assert!(seen[0].contains("TRUNCATED"), "{seen:?}");
    assert_eq!(seen.len(), 2);
}

/// As with `tcpdump -s 96`: no head is whole, most not even their first line.
#[test]
fn heads_that_were_all_cut_are_messages_all_the_same() {
    let mut wire = Wire::new();
    for number in 0..20 {
        wire = wire
            .request(format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .response(format!(
                "HTTP/1.1 {} OK\r\nContent-Length: 40\r\n\r\n{}",
                200 + number,
                "x".repeat(40)
            ));
    }
    let cases = [13, 17, 20, 24, 30].map(|copied| [(copied, 0), (copied, 2)]);
    for (copied, missed) in cases.into_iter().flatten() {
        let outcome = wire.run(&limited(from_the_middle(&wire, missed), copied));
        let seen = outcome.lines();
        let missed = missed / 2;
        assert_eq!(seen.len() + missed, 20, "{copied}: {seen:#?}");
        // Of a connection met in the middle nothing proves the last one.
        let answered = seen.iter().filter(|line| line.contains(" 2")).count();
        assert!(answered + 2 * missed >= 20, "{copied}: {seen:#?}");
        for (number, (_, exchange)) in outcome.exchanges.iter().enumerate() {
            let number = number + missed;
            assert_eq!(exchange.request.target, format!("/{number}"));
            let status = exchange.response.as_ref().and_then(|it| it.status);
            assert!(status.is_none_or(|status| usize::from(status) == 200 + number));
        }
    }
}

/// A path that was cut off is told as far as it was seen; what may not be one is
/// not told at all.
#[test]
fn a_target_may_be_cut_off() {
    let cases = [
        ("GET /a/b/c HTTP/1.1\r\n\r\n", 8, Some("/a/b")),
        ("GET http://x/ HTTP/1.1\r\n\r\n", 12, Some("http://x")),
        ("OPTIONS sip:x@y.z SIP/2.0\r\n\r\n", 13, None),
        ("BREW /a/b/c HTTP/1.1\r\n\r\n", 9, None),
        ("GET key\r\n", 6, None),
    ];
    for (request, copied, target) in cases {
        let wire = Wire::new().request(request).response("-");
        let outcome = wire.run(&limited(wire.whole(), copied));
        let told: Vec<_> = outcome
            .exchanges
            .iter()
            .map(|(_, exchange)| str::from_utf8(&exchange.request.target).unwrap())
            .collect();
        assert_eq!(told, Vec::from_iter(target), "{request}");
    }
}

#[test]
fn the_rest_of_a_long_body_is_not_wanted_and_not_missed() {
    let begin = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let wire = Wire::new().request(GET).response(begin).ends(Ending::Open);
    let mut events = wire.whole();
    let end = begin.len() as u64 + 1_000_000;
    let last = data(9, Direction::Send, end - 10, &[b'x'; 10]);
    events.push(last);
    events.push(data(
        10,
        Direction::Receive,
        GET.len() as u64,
        GET.as_bytes(),
    ));
    events.push(data(11, Direction::Send, end, OK.as_bytes()));
    let outcome = wire.run(&events);
    let skip = Verdict::SkipTo {
        socket: SocketId(1),
        direction: Direction::Send,
        offset: end,
    };
    assert_eq!(outcome.verdicts, [skip]);
    assert_eq!(outcome.counters.gaps, 0);
    assert_eq!(
        outcome.lines(),
        [
            "GET /a 200 0/1000000 Complete TRUNCATED",
            "GET /a 200 0/2 Complete"
        ]
    );
    assert_eq!(
        outcome.exchanges[0]
            .1
            .response
            .as_ref()
            .unwrap()
            .message
            .last
            .time,
        Timestamp(9)
    );
}

/// Of each packet of a capture, so much is left of the messages.
fn cut(wire: &Wire, left: usize, missed: usize) -> Vec<String> {
    let events = limited(from_the_middle(wire, missed), left);
    let lines = wire.run(&events).lines();
    let marks = [" TRUNCATED", " RESYNCHRONISED", " END_INFERRED"];
    let plain = |line: &String| {
        marks
            .iter()
            .fold(line.clone(), |line, mark| line.replace(mark, ""))
    };
    lines.iter().map(plain).collect()
}

#[test]
fn a_cut_capture_tells_statuses_behind_interim_responses() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    let get = format!("GET /a HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(40));
    let wire = Wire::new()
        .request(&get)
        .response(hints)
        .response(hints)
        .response("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        .request(&get)
        .response(format!("{hints}{OK}"))
        .request(&get)
        .response(OK);
    let told = cut(&wire, 30, 0).into_iter().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        format!("{} {}", words[2], words[4])
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, ["404 Complete", "- Gap", "- Gap"]);
}

#[test]
fn requests_behind_one_that_was_cut_are_seen() {
    let host = format!("Host: {}\r\n\r\n", "x".repeat(40));
    let wire = Wire::new()
        .request(format!("GET /a HTTP/1.1\r\n{host}"))
        .request(format!("GET /bbbbbb HTTP/1.1\r\n{host}"))
        .ends(Ending::Open);
    let seen = cut(&wire, 12, 0);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].starts_with("GET /a - "));
    assert!(
        seen[1].starts_with("GET /bbbbbb - "),
        "the blank behind it is none of it"
    );
}

/// The end of the last answer of a capture need not be seen.
#[test]
fn a_cut_answer_that_is_the_last_belongs_to_the_last_request() {
    let head = format!("HTTP/1.1 200 OK\r\nServer: {}\r\n\r\n", "x".repeat(40));
    let wire = Wire::new()
        .request(GET)
        .response(OK)
        .request(GET)
        .response(head)
        .ends(Ending::Open);
    let seen = cut(&wire, 40, 2);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].starts_with("GET /a 200 "), "{seen:?}");
}

/// The last bytes of a body that was not followed look like a method.
#[test]
fn a_cut_request_behind_what_may_be_one_is_seen() {
    let long = format!("Host: x\r\nA: {}\r\n\r\n", "y".repeat(100));
    let wire = Wire::new()
        .request(format!("GET /a HTTP/1.1\r\nContent-Length: 102\r\n{long}"))
        .request("x".repeat(100))
        .request("ab")
        .response(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{long}"))
        .request(format!("HEAD /b HTTP/1.1\r\n{long}"))
        .response(format!("HTTP/1.1 404 x\r\nContent-Length: 0\r\n{long}"));
    let seen = lines(&wire, &limited(wire.whole(), 48));
    assert_eq!(
        seen,
        [
            "GET /a 200 208/104 Complete TRUNCATED END_INFERRED",
            "HEAD /b 404 86/103 Complete TRUNCATED RESYNCHRONISED END_INFERRED",
        ]
    );
}

/// What a packet was cut off of may be requests, if the client is known to send
/// several at once: their answers are not those of the ones that were seen.
#[test]
fn requests_may_be_hidden_behind_those_of_a_client_that_does_not_wait() {
    let fields = format!("Host: x\r\nA: {}\r\n\r\n", "y".repeat(100));
    let ask = |name: &str| format!("GET /{name} HTTP/1.1\r\n{fields}");
    let put = |name: &str| format!("PUT /{name} HTTP/1.1\r\nContent-Length: 0\r\n{fields}");
    let answer = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n{fields}");
    let wire = Wire::new()
        .request(ask("200") + &ask("hidden"))
        .request(ask("201"))
        .response([200, 299, 201].map(answer).concat())
        .request(ask("202") + &ask("hidden"))
        .response([202, 299].map(answer).concat())
        .request(put("203") + &ask("hidden"))
        .response([203, 299].map(answer).concat())
        .request(put("204") + &ask("hidden"))
        .response([204, 299].map(answer).concat());
    for copied in [48, 96] {
        for line in lines(&wire, &limited(wire.whole(), copied)) {
            let mut words = line[5..].split(' ');
            let (asked, answered) = (words.next(), words.next());
            assert!(answered == Some("-") || answered == asked, "{line}");
        }
    }
}

/// Clients that send several requests at once, and captures of which each packet
/// is cut, also where it carries several answers.
#[test]
fn pipelines_that_were_cut_are_never_paired_wrongly() {
    let mut told = 0;
    for seed in 0..600 {
        let wire = pipelines(seed);
        for copied in [20, 30, 48, 64, 100, 150, 300, 600] {
            for line in lines(&wire, &limited(wire.whole(), copied)) {
                let mut words = line.split([' ', '/']).skip(2);
                let (asked, answered) = (words.next(), words.next());
                let told_of = answered != Some("-");
                told += u32::from(told_of);
                let cut = line.contains("TRUNCATED")
                    && answered.is_some_and(|answered| answered.starts_with(asked.unwrap_or("")));
                assert!(
                    !told_of || answered == asked || cut,
                    "{seed}, cut to {copied}: {line}"
                );
            }
        }
    }
    assert!(told > 10_000, "{told} answers");
}

/// Each request asks for the status that it gets.
fn pipelines(seed: u64) -> Wire {
    let mut state = seed;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut statuses = (200_u16..).filter(|status| !matches!(status, 204 | 205 | 304));
    let mut wire = Wire::new();
    for _ in 0..=random(8) {
        let (mut asks, mut answers) = (Vec::new(), Vec::new());
        for status in statuses
            .by_ref()
            .take([1, 1, 1, 2, 3, 5][random(6) as usize])
        {
            let body = "x".repeat([0, 1, 30, 500][random(4) as usize]);
            let size = body.len();
            let chunked =
                format!("Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n")
                    .replace("0\r\n\r\n0\r\n\r\n", "0\r\n\r\n");
            let known = format!("Content-Length: {size}\r\n\r\n{body}");
            asks.push(match random(5) {
                0 => format!("PUT /{status} HTTP/1.1\r\nHost: x\r\n{chunked}"),
                1 => {
                    format!("POST /{status} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{known}")
                }
                2 => format!("POST /{status} HTTP/1.1\r\nHost: x\r\n{known}"),
                _ => format!("GET /{status} HTTP/1.1\r\nHost: x\r\n\r\n"),
            });
            if asks.last().is_some_and(|ask| ask.contains("Expect")) {
                answers.push("HTTP/1.1 100 Continue\r\n\r\n".to_owned());
            }
            let body = if random(2) == 0 { known } else { chunked };
            answers.push(format!("HTTP/1.1 {status} OK\r\n{body}"));
        }
        if random(2) == 0 {
            asks = vec![asks.concat()];
        }
        if random(2) == 0 {
            answers = vec![answers.concat()];
        }
        wire = asks.iter().fold(wire, Wire::request);
        wire = answers.iter().fold(wire, Wire::response);
    }
    wire
}
