//! Who caused what, as the zoo's servers write it into their URLs
//! (`tests/zoo/README.md`). In: a query. Out: a request's number, its cause's
//! number, and what it is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Odd, so that multiplying by it can be undone; the servers know it too.
const FACTOR: u32 = 2_654_435_761;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// The request that caused it.
    Request,
    /// A job that the request queued.
    Job,
    /// The request that caused it, after its response.
    After,
    /// No request at all: a timer.
    Timer,
}

/// What a URL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Truth {
    /// The request's own number.
    pub(super) id: u32,
    /// That of the request that caused it; `None` if there is no such request.
    pub(super) cause: Option<u32>,
}

impl Truth {
    /// Reads `id=…&parent=…`, in any order, among others; `None` without them.
    pub(super) fn read(query: &str) -> Option<Self> {
        let values: BTreeMap<_, _> = values(query).collect();
        let cause: u32 = values.get("parent")?.parse().ok()?;
        Some(Self {
            id: values.get("id")?.parse().ok()?,
            cause: (cause != 0).then(|| unmask(cause)),
        })
    }

    /// What the call is for.
    pub(super) fn purpose(self) -> Purpose {
        // A proxy passes on a number of another make.
        match self.id & 3 {
            _ if self.cause.is_some_and(|cause| mask(cause) == self.id) => Purpose::Request,
            0 => Purpose::Request,
            1 => Purpose::Job,
            2 => Purpose::After,
            _ => Purpose::Timer,
        }
    }
}

/// The number of the request that this query belongs to.
pub(super) fn id(query: &str) -> Option<u32> {
    let (_, id) = values(query).find(|(key, _)| *key == "id")?;
    id.parse().ok()
}

/// The pairs of a query.
pub(super) fn values(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// A number as its effects name it.
pub(super) fn mask(id: u32) -> u32 {
    id.wrapping_mul(FACTOR)
}

fn unmask(masked: u32) -> u32 {
    // Newton's iteration for the inverse: each round doubles the right bits.
    let inverse = (0..4).fold(FACTOR, |inverse, _| {
        inverse.wrapping_mul(2u32.wrapping_sub(FACTOR.wrapping_mul(inverse)))
    });
    masked.wrapping_mul(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_number_is_found_again() {
        for id in [1, 4, 17, 0x1234_5678, u32::MAX] {
            assert_eq!(unmask(mask(id)), id);
            assert_ne!(mask(id), id);
        }
    }

    #[test]
    fn the_example_of_the_readme() {
        let truth = Truth::read("id=18&parent=2175734977&order=x").unwrap();
        assert_eq!(truth.cause, Some(17));
        assert_eq!(truth.purpose(), Purpose::After);
    }

    #[test]
    fn no_cause() {
        let truth = Truth::read("parent=0&id=7").unwrap();
        assert_eq!((truth.cause, truth.purpose()), (None, Purpose::Timer));
        assert_eq!(Truth::read("id=7"), None);
        assert_eq!(Truth::read("id=seven&parent=0"), None);
    }

    #[test]
    fn a_proxys_call_is_for_the_request() {
        let next = mask(21);
        let truth = Truth::read(&format!("id={next}&parent={next}")).unwrap();
        assert_eq!((truth.cause, truth.purpose()), (Some(21), Purpose::Request));
    }
}
