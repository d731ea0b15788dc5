//! What hashes of routes and calls stand for, for people. No query is in it, and
//! no part of a path that varies.
//!
//! A table of fixed size in which a newer name takes the place of an older one:
//! looking up what is known already, which is done for each request, costs
//! next to nothing.

use super::path::mix;

/// Names remembered.
const CAPACITY: usize = 4096;
/// Longest name; what is longer is cut. In bytes.
const MAX_NAME: usize = 200;

/// Names by hash.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: Vec<Option<(u64, Box<str>)>>,
}

impl Names {
    /// Notes what requests of this route are called.
    pub(crate) fn note_route(&mut self, route: u64, name: impl FnOnce() -> String) {
        if !self.knows(route) {
            self.put(route, name());
        }
    }

    /// Notes what calls of this route and callee are called.
    pub(crate) fn note_call(&mut self, callee: u64, route: u64, name: impl FnOnce() -> String) {
        let [one, other] = labels(callee, route);
        if !self.knows(one) {
            let name = name();
            self.put(one, name.clone());
            self.put(other, name);
        }
    }

    /// All names, in no particular order that means anything, but always the
    /// same.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        let known = self.slots.iter().flatten();
        known.map(|(hash, name)| (*hash, name.as_ref()))
    }

    fn knows(&self, hash: u64) -> bool {
        let slot = self.slots.get(place(hash)).and_then(Option::as_ref);
        slot.is_some_and(|(known, _)| *known == hash)
    }

    /// Puts a name in place of whatever is there.
    pub(crate) fn put(&mut self, hash: u64, mut name: String) {
        if self.slots.is_empty() {
            self.slots.resize(CAPACITY, None);
        }
        name.truncate(name.floor_char_boundary(MAX_NAME));
        self.slots[place(hash)] = Some((hash, name.into_boxed_str()));
    }
}

/// The labels of a call, by threads that serve and by others.
pub(super) fn labels(callee: u64, route: u64) -> [u64; 2] {
    let asked = mix(callee, route);
    [mix(asked, 0), mix(asked, 1)]
}

fn place(hash: u64) -> usize {
    (hash % CAPACITY as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once_and_found_by_its_hash() {
        let mut names = Names::default();
        names.note_route(5, || "GET /cart".to_owned());
        names.note_route(5, || unreachable!("it is known"));
        names.note_call(6, 7, || "GET /users".to_owned());
        names.note_call(6, 7, || unreachable!("it is known"));
        assert_eq!(names.iter().count(), 3);
        for label in labels(6, 7) {
            assert!(names.iter().any(|it| it == (label, "GET /users")));
        }
    }

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let mut names = Names::default();
        for hash in 0..10_000 {
            names.note_route(mix(hash, 1), || "ä".repeat(1000));
        }
        assert!(names.iter().count() <= CAPACITY);
        assert!(names.iter().all(|(_, name)| name.len() <= MAX_NAME));
    }
}
