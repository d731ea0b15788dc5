//! AWS X-Ray's `X-Amzn-Trace-Id`
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>):
//! `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
//! in any order, with `Self`, `Lineage` and an application's own keys between.
//!
//! Load balancers put it on every request, with no `Parent`; what they add to
//! one that has it is `Self`, which names no span that anyone reports.

use super::Format;
use super::context::{Found, Invalid};
use super::digits::{self, Case};
use super::headers::Headers;
use super::name::Name;

pub(super) fn read<'a>(headers: &Headers<'a>) -> Result<Option<Found<'a>>, Invalid> {
    let Some(value) = headers.one(Name::AmznTraceId)? else {
        return Ok(None);
    };
    let parts = Parts::split(value)?;
    let sampled = parts.sampled.map_or(Ok(None), sampled)?;
    let parent = match parts.parent {
        Some(parent) => Some(digits::span_id(digits::exact(parent, Case::Any)?)?),
        None => None,
    };
    match (parts.root, parent) {
        (Some(root), parent) => {
            let trace_id = digits::trace_id(root_id(root)?)?;
            Ok(Some(Found::context(
                Format::XRay,
                trace_id,
                parent,
                sampled,
            )))
        }
        (None, None) => Ok(sampled.map(Found::Sampled)),
        (None, Some(_)) => Err(Invalid),
    }
}

/// The values of the keys that matter.
#[derive(Default)]
struct Parts<'a> {
    root: Option<&'a [u8]>,
    parent: Option<&'a [u8]>,
    sampled: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn split(value: &'a [u8]) -> Result<Self, Invalid> {
        let mut parts = Self::default();
        for part in value.split(|&byte| byte == b';') {
            let mut pair = part.splitn(2, |&byte| byte == b'=');
            let key = pair.next().unwrap_or_default().trim_ascii();
            let value = pair.next().unwrap_or_default().trim_ascii();
            let slot = if key.eq_ignore_ascii_case(b"root") {
                &mut parts.root
            } else if key.eq_ignore_ascii_case(b"parent") {
                &mut parts.parent
            } else if key.eq_ignore_ascii_case(b"sampled") {
                &mut parts.sampled
            } else {
                continue;
            };
            if *slot.get_or_insert(value) != value {
                return Err(Invalid);
            }
        }
        Ok(parts)
    }
}

/// Version 1: 8 digits of the time in seconds, 24 digits of the id.
fn root_id(root: &[u8]) -> Result<[u8; 16], Invalid> {
    let [version, time, unique] = digits::pieces(root, b'-')?;
    if version != b"1" {
        return Err(Invalid);
    }
    let time = digits::exact::<4>(time, Case::Any)?;
    let unique = digits::exact::<12>(unique, Case::Any)?;
    let mut id = [0; 16];
    id[..4].copy_from_slice(&time);
    id[4..].copy_from_slice(&unique);
    Ok(id)
}

/// `?` asks the next service to decide.
fn sampled(value: &[u8]) -> Result<Option<bool>, Invalid> {
    match value {
        b"1" => Ok(Some(true)),
        b"0" => Ok(Some(false)),
        b"?" | b"" => Ok(None),
        _ => Err(Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::tests::{context, root};

    const TRACE: &str = "5759e988bd862e3fe1be46a994272793";
    const PARENT: &str = "53995c3f42cd8ad8";

    fn parse(value: &'static str) -> Result<Option<Found<'static>>, Invalid> {
        read(&Headers::of(&[("X-Amzn-Trace-Id", value)]))
    }

    #[test]
    fn valid() {
        let of = |sampled| context(Format::XRay, TRACE, PARENT, sampled);
        let rooted = |sampled| root(Format::XRay, TRACE, sampled);
        for (value, expected) in [
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
                of(Some(true)),
            ),
            (
                "Sampled=0; Parent=53995c3f42cd8ad8; Root=1-5759e988-bd862e3fe1be46a994272793",
                of(Some(false)),
            ),
            (
                "Root=1-5759E988-BD862E3FE1BE46A994272793;Parent=53995C3F42CD8AD8;Sampled=?",
                of(None),
            ),
            (
                "root=1-5759e988-bd862e3fe1be46a994272793;parent=53995c3f42cd8ad8;sampled=1;",
                of(Some(true)),
            ),
            (
                "Self=1-67891234-12456789abcdef012345678a;Root=1-5759e988-bd862e3fe1be46a994272793;CalledFrom=app",
                rooted(None),
            ),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a87bd80c:0|68fd508a:5",
                of(Some(false)),
            ),
            ("Root=1-5759e988-bd862e3fe1be46a994272793", rooted(None)),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
                rooted(Some(true)),
            ),
        ] {
            assert_eq!(parse(value), Ok(Some(expected)), "{value}");
        }
    }

    #[test]
    fn no_ids() {
        assert_eq!(parse("Self=1-67891234-12456789abcdef012345678a"), Ok(None));
        assert_eq!(parse("CalledFrom=app"), Ok(None));
        assert_eq!(parse("Sampled=0"), Ok(Some(Found::Sampled(false))));
    }

    #[test]
    fn invalid() {
        for value in [
            "Root=1-00000000-000000000000000000000000",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-5759e988-bd862e3fe1be46a994272793-1",
            "Root=1-5759e988bd862e3fe1be46a994272793",
            "Root=1-5759e98g-bd862e3fe1be46a994272793",
            "Root=",
            "Root",
            "Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=2",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Root=1-5759e988-bd862e3fe1be46a994272794",
        ] {
            assert_eq!(parse(value), Err(Invalid), "{value}");
        }
    }
}
