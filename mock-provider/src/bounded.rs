//! A list that grows up to a number of entries and a number of bytes, and then says so.

/// Entries in order of arrival, under two bounds.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    entries: Vec<T>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

impl<T: Clone> Bounded<T> {
    pub(crate) const fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
            max_entries,
            max_bytes,
        }
    }

    /// Whether an entry that weighs this much still fits.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.entries.len() < self.max_entries && self.bytes.saturating_add(bytes) <= self.max_bytes
    }

    /// Keeps an entry for which there is room, and says at which index.
    pub(crate) fn push(&mut self, entry: T, bytes: usize) -> usize {
        debug_assert!(self.has_room_for(bytes), "the caller asks for room first");
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.entries.get_mut(index)
    }

    pub(crate) fn to_vec(&self) -> Vec<T> {
        self.entries.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn both_bounds_hold() {
        let mut list = Bounded::new(2, 10);
        assert_eq!(list.push("a", 4), 0);
        assert!(list.has_room_for(6));
        assert!(!list.has_room_for(7));
        assert_eq!(list.push("b", 1), 1);
        assert!(!list.has_room_for(0));
        assert_eq!(list.to_vec(), ["a", "b"]);
    }
}
