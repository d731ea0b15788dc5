//! A table of conversations and what must be seen of them: whole, in pieces,
//! and with any piece missing.

mod http_cases;
mod http_wire;

use http_cases::cases;

#[test]
fn whole() {
    for case in cases() {
        let outcome = case.wire.run(&case.wire.whole());
        assert_eq!(outcome.lines(), case.seen, "{}", case.name);
    }
}

#[test]
fn byte_by_byte() {
    for case in cases() {
        let events = case.wire.pieces(|length| (1..length).collect());
        let outcome = case.wire.run(&events);
        assert_eq!(outcome.lines(), case.seen, "{}", case.name);
    }
}

#[test]
fn cut_in_two_everywhere() {
    for case in cases() {
        let longest = case.wire.said.iter().map(|(_, bytes)| bytes.len()).max();
        for cut in 1..longest.unwrap_or_default() {
            let events = case.wire.pieces(|length| vec![cut.min(length)]);
            let outcome = case.wire.run(&events);
            assert_eq!(outcome.lines(), case.seen, "{} cut at {cut}", case.name);
        }
    }
}
