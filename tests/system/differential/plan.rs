//! Traffic that is odd but legal, drawn from a seed.
//!
//! A plan is a list of connections, each with its exchanges, as the programs in
//! `tests/differential` read it. What a server is to answer goes with the request.

use serde_json::{Value, json};

/// Sizes of the pieces in which a body is written: from one byte to more than
/// any buffer on the way.
const PIECES: [u64; 6] = [1, 16, 1_000, 5_000, 70_000, 300_000];
/// How many of them are small enough for several messages to go in one call
/// that is still copied whole.
const SMALL: usize = 3;
/// Bytes of a header that is there for its size.
const HEADERS: [u64; 6] = [0, 0, 300, 500, 3_000, 9_000];
const STATUSES: [u64; 8] = [200, 200, 201, 204, 206, 304, 404, 500];
/// Chunk extensions; Node's parser refuses the white space that RFC 9112 section
/// 7.1.1 allows in the last.
const EXTENSIONS: [&str; 4] = ["", "", ";ext=\"a;b\";c", ";name = value ; other"];
const METHODS: [&str; 8] = [
    "GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS",
];

/// The same seed draws the same numbers.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

/// What a client can be told to do beyond what all can.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    /// Several requests before the first response, and HTTP/1.0.
    pub(super) raw: bool,
    /// White space in chunk extensions is understood.
    pub(super) spaces: bool,
}

/// How an exchange is to be.
#[derive(Clone, Copy, Debug)]
struct Manner {
    can: Abilities,
    /// HTTP/1.0.
    old: bool,
    /// Behind others that were not answered yet.
    pipelined: bool,
}

/// A plan of that many connections; targets begin with `name`.
pub(super) fn plan(random: &mut Random, name: &str, count: usize, can: Abilities) -> Value {
    let mut id = 0;
    let connections = (0..count).map(|_| connection(random, name, &mut id, can));
    connections.collect()
}

fn connection(random: &mut Random, name: &str, id: &mut u64, can: Abilities) -> Value {
    let old = can.raw && random.one_in(6);
    let pipelined = can.raw && !old && random.one_in(2);
    let manner = Manner {
        can,
        old,
        pipelined,
    };
    // HTTP/1.0 closes after each.
    let count = if old { 1 } else { 1 + random.below(6) };
    let exchanges: Vec<_> = (0..count)
        .map(|_| {
            *id += 1;
            exchange(random, &format!("/{name}/{id}"), manner)
        })
        .collect();
    json!({
        "version": if old { "1.0" } else { "1.1" },
        "pipeline": pipelined,
        "dribble": random.dribble(),
        "exchanges": exchanges,
    })
}

fn exchange(random: &mut Random, path: &str, manner: Manner) -> Value {
    let method = *random.of(&METHODS);
    let has_body = matches!(method, "POST" | "PUT");
    let framing = match has_body {
        false => "none",
        true if manner.old => "length",
        true => *random.of(&["length", "chunked"]),
    };
    let target = match random.below(3) {
        0 => path.to_owned(),
        1 => format!("{path}?q=a%20b&r=/x?y"),
        _ => format!("{path}/~a;b=c/%C3%A9/."),
    };
    let mut message = body(random, framing, manner);
    let sends = message["pieces"]
        .as_array()
        .is_some_and(|pieces| !pieces.is_empty());
    let may_wait = sends && !manner.old && !manner.pipelined;
    message["method"] = method.into();
    message["target"] = target.into();
    message["expect"] = (may_wait && random.one_in(4)).into();
    message["answer"] = answer(random, manner);
    message
}

fn answer(random: &mut Random, manner: Manner) -> Value {
    let status = *random.of(&STATUSES);
    let framing = match status {
        204 => "none",
        // Node closes after a 304 with Transfer-Encoding.
        304 => "length",
        _ if manner.old => *random.of(&["length", "close"]),
        _ => *random.of(&["length", "chunked"]),
    };
    let interim = [103].repeat(random.below(6).saturating_sub(3) as usize);
    let mut message = body(random, framing, manner);
    message["status"] = status.into();
    message["reason"] = (*random.of(&["OK", "Some longer Reason", "Not So"])).into();
    message["interim"] = json!(interim);
    message["dribble"] = random.dribble().into();
    message
}

/// What requests and responses have both.
fn body(random: &mut Random, framing: &str, manner: Manner) -> Value {
    let small = manner.pipelined;
    let pieces = match framing {
        "none" => Vec::new(),
        _ => random.pieces(if small { SMALL } else { PIECES.len() }),
    };
    let extensions = &EXTENSIONS[..if manner.can.spaces { 4 } else { 3 }];
    let headers = &HEADERS[..if small { SMALL } else { HEADERS.len() }];
    json!({
        "framing": framing,
        "pieces": pieces,
        "trailers": random.one_in(3),
        "extensions": random.of(extensions),
        "header": random.of(headers),
    })
}

impl Random {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let chosen = self.below(choices.len() as u64);
        &choices[chosen as usize]
    }

    fn pieces(&mut self, sizes: usize) -> Vec<u64> {
        let sizes = &PIECES[..sizes];
        (0..self.below(5)).map(|_| *self.of(sizes)).collect()
    }

    /// Bytes a call, where a message is written in many; 0: in few.
    fn dribble(&mut self) -> u64 {
        *self.of(&[0, 0, 0, 1, 7])
    }
}

#[test]
fn a_seed_draws_the_same_plan() {
    let draw = |seed| {
        plan(
            &mut Random(seed),
            "x",
            20,
            Abilities {
                raw: true,
                spaces: true,
            },
        )
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
