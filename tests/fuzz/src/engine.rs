//! The whole engine: any events in, spans out.
//!
//! What must hold: the account adds up at any time and all is handed out in the
//! end; each span is valid by itself; and the spans do not depend on when the
//! engine is called and asked for them.

use wirespan_stitch::engine::{Config, Engine};
use wirespan_stitch::event::Event;
use wirespan_stitch::span::Span;

use crate::events::Events;
use crate::input::Input;

/// Most events of one input: 1 byte each could be all of it.
const EVENTS: usize = 256;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let mut source = Events::default();
    let mut events = Vec::new();
    while !input.is_empty() && events.len() < EVENTS {
        events.push(source.next(&mut input));
    }
    let eager = spans(&events, true);
    let lazy = spans(&events, false);
    assert_eq!(eager, lazy, "it matters when the engine is asked");
    eager.iter().for_each(check);
}

/// The spans of these events: with the engine told the time, and asked for
/// spans, as often as can be, or not before the end.
fn spans(events: &[Event], eager: bool) -> Vec<Span> {
    let mut engine = Engine::new(Config::default());
    let mut spans = Vec::new();
    for (index, event) in events.iter().enumerate() {
        engine.handle_event(event.clone());
        if eager {
            while engine.poll_verdict().is_some() {}
            let to_come = events[index + 1..].iter().map(Event::time);
            if let Some(earliest) = to_come.min() {
                engine.handle_timeout(earliest);
            }
            spans.extend(std::iter::from_fn(|| engine.poll_span()));
        }
        check_account(&engine, &spans);
    }
    engine.finish();
    check_account(&engine, &spans);
    spans.extend(std::iter::from_fn(|| engine.poll_span()));
    let account = engine.account();
    assert_eq!(account.open, 0, "{account:?}");
    assert_eq!(account.seen, spans.len() as u64, "{account:?}");
    spans
}

fn check_account(engine: &Engine, handed_out: &[Span]) {
    let account = engine.account();
    let handed_out = handed_out.len() as u64;
    assert_eq!(account.seen, handed_out + account.open, "{account:?}");
    let http = &account.http;
    assert!(http.exchanges_total() <= http.requests, "{account:?}");
}

fn check(span: &Span) {
    assert_ne!(span.trace_id.0, [0; 16], "{span:?}");
    assert_ne!(span.span_id.0, [0; 8], "{span:?}");
    assert!(span.parent.is_none_or(|id| id.0 != [0; 8]), "{span:?}");
    assert_ne!(span.parent, Some(span.span_id), "{span:?}");
    if let Some(causality) = &span.causality {
        assert!((0.0..=1.0).contains(&causality.confidence), "{span:?}");
        assert!(span.parent.is_some(), "{span:?}");
    }
    let method = &span.exchange.request.method;
    assert!(!method.is_empty(), "{span:?}");
}
