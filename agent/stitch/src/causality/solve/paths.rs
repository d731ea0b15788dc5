//! Paths that were walked before. While a component is searched, the same calls
//! are given to the same request again and again: to try one more way for one of
//! them, the paths of the others do not change.

use std::cell::RefCell;

use smallvec::SmallVec;

use crate::causality::path::{Position, mix};
use crate::time::Timestamp;

/// Paths remembered: a later one takes the place of an earlier one.
const MAX_PATHS: u64 = 1024;

/// What a path says.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) likelihood: f32,
    pub(super) position: Position,
    /// When the request was ready for each of its calls.
    pub(super) ready: SmallVec<[Timestamp; 8]>,
}

/// Paths by the request and its calls, as long as neither these nor the model
/// change.
#[derive(Debug, Default)]
pub(in crate::causality) struct Paths {
    known: RefCell<Vec<Option<Known>>>,
    /// How often all were forgotten.
    age: u64,
}

#[derive(Clone, Debug)]
struct Known {
    key: u64,
    age: u64,
    path: Path,
}

impl Paths {
    /// Forgets all.
    pub(in crate::causality) fn forget(&mut self) {
        self.age += 1;
    }

    /// The path of a request with these calls, walked if it is not known.
    pub(super) fn of(
        &self,
        request: u32,
        calls: &[u32],
        walk: impl FnOnce() -> Option<Path>,
    ) -> Option<Path> {
        let begin = mix(u64::from(request), calls.len() as u64);
        let calls = calls.iter();
        let key = calls.fold(begin, |key, call| mix(key, u64::from(*call)));
        let place = (key % MAX_PATHS) as usize;
        let mut known = self.known.borrow_mut();
        if known.is_empty() {
            known.resize(MAX_PATHS as usize, None);
        }
        let same = |known: &&Known| known.key == key && known.age == self.age;
        if let Some(known) = known[place].as_ref().filter(same) {
            return Some(known.path.clone());
        }
        let path = walk()?;
        known[place] = Some(Known {
            key,
            age: self.age,
            path: path.clone(),
        });
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causality::path::{Frame, walk};

    fn path(likelihood: f32) -> Path {
        let frame = Frame {
            route: 1,
            started: Timestamp(0),
            responded: None,
        };
        Path {
            likelihood,
            position: walk(frame, &[], |_| ()),
            ready: SmallVec::new(),
        }
    }

    #[test]
    fn a_path_is_walked_once() {
        let mut paths = Paths::default();
        let told = |paths: &Paths, request, calls: &[u32], walked| {
            let path = paths.of(request, calls, || Some(path(walked)));
            path.map(|path| path.likelihood)
        };
        assert_eq!(told(&paths, 1, &[2, 3], -1.0), Some(-1.0));
        assert_eq!(told(&paths, 1, &[2, 3], -9.0), Some(-1.0));
        assert_eq!(told(&paths, 1, &[3, 2], -2.0), Some(-2.0), "in order");
        assert_eq!(told(&paths, 2, &[2, 3], -3.0), Some(-3.0));
        paths.forget();
        assert_eq!(told(&paths, 1, &[2, 3], -4.0), Some(-4.0));
    }
}
