//! Header fields, one a line, into a trace context.
//!
//! What must hold: ids are never zero; everything kept is within its limit and
//! was in the request; the letter case of names, the order of fields of different
//! names and fields that are not read change nothing; and a `traceparent` is
//! read exactly as an independent, plain reader reads it.

use wirespan_stitch::propagation::{Context, Format, MAX_REQUEST_IDS, Propagated, extract, reads};
use wirespan_stitch::time::WallTime;

/// Most bytes of one request id, and of `tracestate`'s members.
const MAX_REQUEST_ID: usize = 256;
const MAX_STATE_MEMBERS: usize = 32;
const YEAR_2000: WallTime = WallTime(946_684_800_000_000_000);

type Field<'a> = (&'a [u8], &'a [u8]);

pub(crate) fn run(input: &[u8]) {
    let fields: Vec<Field<'_>> = input.split(|&byte| byte == b'\n').map(field).collect();
    let propagated = extract(fields.iter().copied());
    check(&propagated, &fields);
    check_names(&propagated, &fields);
    check_order(&propagated, &fields);
    check_traceparent(&propagated, &fields);
}

/// `name: value`; without a colon, a name alone.
fn field(line: &[u8]) -> Field<'_> {
    match line.iter().position(|&byte| byte == b':') {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (line, &[]),
    }
}

fn check(propagated: &Propagated<'_>, fields: &[Field<'_>]) {
    if let Some(context) = &propagated.context {
        check_context(context, fields);
        assert_eq!(propagated.sampled_alone, None, "a context has its own");
        assert!(!propagated.invalid.contains(context.format));
        assert!(!propagated.conflicting.contains(context.format));
    } else {
        assert!(propagated.conflicting.is_empty(), "with nothing");
    }
    for format in propagated.conflicting.iter() {
        assert!(!propagated.invalid.contains(format), "used as a whole");
    }
    let ids = propagated.request_ids.as_slice();
    assert!(ids.len() <= MAX_REQUEST_IDS);
    for (index, id) in ids.iter().enumerate() {
        assert!(!id.is_empty() && id.len() <= MAX_REQUEST_ID);
        assert!(!ids[..index].contains(id), "distinct");
        assert!(fields.iter().any(|(_, value)| contains(value, id)));
    }
    assert!(propagated.queue_start.is_none_or(|at| at >= YEAR_2000));
    if !fields.iter().any(|(name, _)| reads(name)) {
        assert_eq!(*propagated, Propagated::default());
    }
}

fn check_context(context: &Context<'_>, fields: &[Field<'_>]) {
    assert_ne!(context.trace_id.0, [0; 16]);
    assert!(context.parent.is_none_or(|parent| parent.0 != [0; 8]));
    assert!(!matches!(
        context.format,
        Format::TraceState | Format::RequestId | Format::QueueStart
    ));
    if context.format != Format::TraceContext {
        assert!(context.state.is_empty());
    }
    let members = context.state.split(|&byte| byte == b',');
    let members: Vec<_> = members.map(<[u8]>::trim_ascii).collect();
    let named = members.iter().filter(|member| !member.is_empty());
    assert!(named.clone().count() <= MAX_STATE_MEMBERS);
    for member in named {
        assert!(fields.iter().any(|(_, value)| contains(value, member)));
    }
}

fn check_names<'a>(propagated: &Propagated<'a>, fields: &[Field<'a>]) {
    let read = fields.iter().filter(|(name, _)| reads(name)).copied();
    assert_eq!(extract(read), *propagated, "fields that are not read");

    let upper: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.to_ascii_uppercase(), value.to_vec()))
        .collect();
    let upper = upper.iter().map(|(name, value)| (&name[..], &value[..]));
    assert!(extract(upper) == shortened(propagated), "the letter case");
}

/// The same for less long: so that it can be compared with what borrows from
/// a copy of the request.
fn shortened<'a>(propagated: &'a Propagated<'_>) -> Propagated<'a> {
    let request_ids = propagated.request_ids.iter().copied().collect();
    Propagated {
        request_ids,
        ..propagated.clone()
    }
}

/// Fields of one name stay in their order here; request ids have several names
/// and are one list.
fn check_order<'a>(propagated: &Propagated<'a>, fields: &[Field<'a>]) {
    let mut sorted = fields.to_vec();
    sorted.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    let mut sorted = extract(sorted);
    let mut ids = [propagated.request_ids.clone(), sorted.request_ids.clone()];
    for ids in &mut ids {
        ids.sort_unstable();
    }
    assert_eq!(ids[0], ids[1], "the order of names");
    sorted.request_ids.clone_from(&propagated.request_ids);
    assert_eq!(sorted, *propagated, "the order of names");
}

/// The grammar of Trace Context section 3.2, once more and in other words.
fn check_traceparent(propagated: &Propagated<'_>, fields: &[Field<'_>]) {
    let mut values: Vec<_> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"traceparent"))
        .map(|(_, value)| value.trim_ascii())
        .filter(|value| !value.is_empty())
        .collect();
    values.sort_unstable();
    values.dedup();
    let expected = match values.as_slice() {
        [value] => traceparent(&String::from_utf8_lossy(value)),
        _ => None,
    };
    let invalid = !values.is_empty() && expected.is_none();
    assert_eq!(propagated.invalid.contains(Format::TraceContext), invalid);
    let context = propagated.context.as_ref();
    let found = context
        .filter(|context| context.format == Format::TraceContext)
        .map(|context| {
            let parent = context.parent.map(|parent| parent.to_string());
            (context.trace_id.to_string(), parent, context.sampled)
        });
    let expected = expected.map(|(trace, parent, sampled)| (trace, Some(parent), Some(sampled)));
    assert_eq!(found, expected, "traceparent");
}

fn traceparent(value: &str) -> Option<(String, String, bool)> {
    let parts: Vec<_> = value.split('-').collect();
    let [version, trace, parent, flags, rest @ ..] = parts.as_slice() else {
        return None;
    };
    let hex = |text: &str, length| {
        text.len() == length && text.chars().all(|c| "0123456789abcdef".contains(c))
    };
    let valid = hex(version, 2)
        && *version != "ff"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && trace.chars().any(|c| c != '0')
        && parent.chars().any(|c| c != '0')
        && (*version != "00" || rest.is_empty());
    let sampled = u8::from_str_radix(flags, 16).ok()? % 2 == 1;
    valid.then(|| ((*trace).to_owned(), (*parent).to_owned(), sampled))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
