//! The values of the fields that are read, in one pass over a header section.

use smallvec::SmallVec;

use super::context::Invalid;
use super::name::Name;

/// The values that one request carries, without white space around them.
/// Empty values count as absent.
#[derive(Default)]
pub(super) struct Headers<'a> {
    single: [Option<&'a [u8]>; Name::SINGLE],
    /// Bits of the names that were there with several values.
    ambiguous: u32,
    /// Lines of `tracestate`, in order.
    pub(super) states: SmallVec<[&'a [u8]; 2]>,
    /// Request ids, in order.
    pub(super) request_ids: SmallVec<[&'a [u8]; 2]>,
    /// Times at which the request began to queue.
    pub(super) queue_starts: SmallVec<[&'a [u8]; 2]>,
}

impl<'a> Headers<'a> {
    /// Takes in one field.
    pub(super) fn insert(&mut self, name: Name, value: &'a [u8]) {
        let value = value.trim_ascii();
        if value.is_empty() {
            return;
        }
        match name {
            Name::TraceState => self.states.push(value),
            Name::RequestId => self.request_ids.push(value),
            Name::QueueStart => self.queue_starts.push(value),
            _ => self.insert_single(name, value),
        }
    }

    /// Whether any field is there that may make a context.
    pub(super) fn any_context(&self) -> bool {
        self.single.iter().any(Option::is_some)
    }

    /// The one value of `name`.
    pub(super) fn one(&self, name: Name) -> Result<Option<&'a [u8]>, Invalid> {
        if self.ambiguous & 1 << name as u32 != 0 {
            return Err(Invalid);
        }
        Ok(self.single.get(name as usize).copied().flatten())
    }

    fn insert_single(&mut self, name: Name, value: &'a [u8]) {
        let Some(slot) = self.single.get_mut(name as usize) else {
            return;
        };
        if *slot.get_or_insert(value) != value {
            self.ambiguous |= 1 << name as u32;
        }
    }
}

#[cfg(test)]
impl<'a> Headers<'a> {
    /// Of names and values that must all be known ones.
    pub(super) fn of(fields: &[(&str, &'a str)]) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            let known = super::name::recognise(name.as_bytes());
            headers.insert(known.expect("a known name"), value.as_bytes());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_fields() {
        let one = |fields: &[(&str, &'static str)]| Headers::of(fields).one(Name::B3);
        assert_eq!(one(&[]), Ok(None));
        assert_eq!(one(&[("b3", " 0\t")]), Ok(Some(&b"0"[..])));
        assert_eq!(one(&[("b3", "0"), ("B3", "0")]), Ok(Some(&b"0"[..])));
        assert_eq!(one(&[("b3", "0"), ("b3", "")]), Ok(Some(&b"0"[..])));
        assert_eq!(one(&[("b3", "0"), ("b3", "1")]), Err(Invalid));
        assert_eq!(one(&[("b3", "0"), ("b3", "1"), ("b3", "0")]), Err(Invalid));
        assert_eq!(one(&[("b3", ""), ("sw8", "x")]), Ok(None));
    }
}
