//! How connections end.

use crate::http_wire::{Ending, Wire};

use super::{Case, GET, case, one};

pub(super) fn endings() -> Vec<Case> {
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
