//! A method, a target and header fields into a route and tokens.
//!
//! What must hold: a route depends on the path alone, grows no longer than its
//! path allows, and stays the same when taken of itself without ids; tokens are
//! few, distinct, and those of a part of the request are among those of the whole.

use wirespan_stitch::text::{MAX_TOKENS, route, template, tokens};

/// What a segment of a path may become at most: every part of it an id.
const GROWTH: usize = 3;

pub(crate) fn run(input: &[u8]) {
    let mut lines = input.split(|&byte| byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, target, ignored) = (next(), next(), next());
    let fields: Vec<_> = lines
        .map(|line| match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        })
        .collect();
    check_route(method, target);
    check_tokens(target, &fields, ignored);
}

fn check_route(method: &[u8], target: &[u8]) {
    let shown = template(target);
    assert!(shown.len() <= target.len() * GROWTH + "{id}…".len());
    assert_eq!(route(method, target), route(method, target));

    let bare = target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default();
    assert_eq!(template(bare), shown, "the query is no part of it");
    if bare.starts_with(b"/") {
        let mut full = b"http://host:80".to_vec();
        full.extend_from_slice(target);
        assert_eq!(template(&full), shown, "nor is the authority");
    }
}

fn check_tokens(target: &[u8], fields: &[(&[u8], &[u8])], ignored: &[u8]) {
    let ignored = [String::from_utf8_lossy(ignored).into_owned()];
    let all = tokens(target, fields.iter().copied(), &[]);
    let hashes = all.hashes.as_slice();
    assert!(hashes.len() <= MAX_TOKENS);
    assert!(all.dropped == 0 || hashes.len() == MAX_TOKENS);
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(hash), "distinct");
    }
    if all.dropped == 0 {
        let part = tokens(target, fields.iter().copied(), &ignored);
        assert!(part.hashes.iter().all(|hash| hashes.contains(hash)));
        let part = tokens(target, fields.iter().take(1).copied(), &[]);
        assert!(hashes.starts_with(&part.hashes));
    }
}
