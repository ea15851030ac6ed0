//! A binary heap whose entries can be found and moved: the queues of one lane, by some key.

/// Least first. The number is a tie-break that is unique within one ranking.
pub(crate) type Key = (u64, u64);

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    queue: u32,
}

/// Queues in order of a key. Each change tells the caller where queues now stand.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    entries: Vec<Entry>,
}

impl Ranking {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The least queue and its key.
    pub(crate) fn first(&self) -> Option<(u32, Key)> {
        self.entries.first().map(|entry| (entry.queue, entry.key))
    }

    pub(crate) fn insert(&mut self, queue: u32, key: Key, moved: impl FnMut(u32, u32)) {
        self.entries.push(Entry { key, queue });
        self.settle(self.entries.len() - 1, moved);
    }

    pub(crate) fn rekey(&mut self, at: u32, key: Key, moved: impl FnMut(u32, u32)) {
        self.entries[at as usize].key = key;
        self.settle(at as usize, moved);
    }

    pub(crate) fn remove(&mut self, at: u32, moved: impl FnMut(u32, u32)) {
        let at = at as usize;
        self.entries.swap_remove(at);
        if at < self.entries.len() {
            self.settle(at, moved);
        }
    }

    /// Moves the entry at `at` to where its key belongs.
    fn settle(&mut self, mut at: usize, mut moved: impl FnMut(u32, u32)) {
        let entry = self.entries[at];
        while at > 0 && entry.key < self.entries[(at - 1) / 2].key {
            self.put(at, self.entries[(at - 1) / 2], &mut moved);
            at = (at - 1) / 2;
        }
        while let Some(child) = self.lesser_child(at) {
            if entry.key <= self.entries[child].key {
                break;
            }
            self.put(at, self.entries[child], &mut moved);
            at = child;
        }
        self.put(at, entry, &mut moved);
    }

    fn lesser_child(&self, at: usize) -> Option<usize> {
        let left = 2 * at + 1;
        let left_key = self.entries.get(left)?.key;
        let right = self
            .entries
            .get(left + 1)
            .filter(|right| right.key < left_key);
        Some(left + usize::from(right.is_some()))
    }

    fn put(&mut self, at: usize, entry: Entry, moved: &mut impl FnMut(u32, u32)) {
        self.entries[at] = entry;
        moved(entry.queue, u32::try_from(at).unwrap_or(u32::MAX));
    }
}
