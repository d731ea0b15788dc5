//! A table whose rows keep their number as long as they live.
//!
//! Numbers are used again in a fixed order, so the same input gives the same
//! numbers. Who keeps a number must know that the row is still there.

/// Rows by number.
#[derive(Debug)]
pub(super) struct Slab<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Adds a row and gives its number.
    pub(super) fn insert(&mut self, row: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.rows[slot as usize] = Some(row);
            return slot;
        }
        self.rows.push(Some(row));
        self.rows.len() as u32 - 1
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let row = self.rows.get_mut(slot as usize)?.take();
        if row.is_some() {
            self.free.push(slot);
        }
        row
    }

    /// The row, if it is there.
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.rows.get(slot as usize)?.as_ref()
    }

    /// The row, if it is there, to change it.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.rows.get_mut(slot as usize)?.as_mut()
    }

    /// Rows in the table.
    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        let second = slab.insert('b');
        assert_eq!(slab.remove(first), Some('a'));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.insert('c'), first);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(slab.len(), 2);
    }
}
