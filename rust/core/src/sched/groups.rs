//! Groups: whom work is charged to, so that the least served goes first.

use std::collections::BTreeMap;

use super::slab::{NIL, Slab};

/// Those who share one account: a session, a tenant, or one batch alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    key: Option<u64>,
    /// Nanoseconds of work, and a little for each start.
    pub(crate) attained: u64,
    /// Groups of equal service are served in this order.
    pub(crate) seq: u64,
    batches: u32,
    /// The first of its queues, in whatever order and lane they are.
    pub(crate) queues: u32,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            key: None,
            attained: 0,
            seq: 0,
            batches: 0,
            queues: NIL,
        }
    }
}

/// All groups that have a batch. A group is forgotten with its last batch, and so is its account.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    slab: Slab<Group>,
    by_key: BTreeMap<u64, u32>,
    next_seq: u64,
    live: u32,
}

impl Groups {
    /// The group of one more batch.
    pub(crate) fn join(&mut self, key: Option<u64>) -> u32 {
        let known = key.and_then(|key| self.by_key.get(&key).copied());
        let group = known.unwrap_or_else(|| self.open(key));
        self.slab[group].batches += 1;
        group
    }

    /// One batch less.
    pub(crate) fn leave(&mut self, group: u32) {
        let entry = &mut self.slab[group];
        entry.batches -= 1;
        if entry.batches == 0 {
            if let Some(key) = entry.key {
                self.by_key.remove(&key);
            }
            self.slab.give(group);
            self.live -= 1;
        }
    }

    pub(crate) const fn live(&self) -> u32 {
        self.live
    }

    pub(crate) fn trim(&mut self, keep: usize) {
        self.slab.trim(keep);
    }

    fn open(&mut self, key: Option<u64>) -> u32 {
        let group = self.slab.take();
        self.slab[group] = Group {
            key,
            seq: self.next_seq,
            ..Group::default()
        };
        self.next_seq += 1;
        self.live += 1;
        if let Some(key) = key {
            self.by_key.insert(key, group);
        }
        group
    }
}

impl std::ops::Index<u32> for Groups {
    type Output = Group;

    fn index(&self, group: u32) -> &Group {
        &self.slab[group]
    }
}

impl std::ops::IndexMut<u32> for Groups {
    fn index_mut(&mut self, group: u32) -> &mut Group {
        &mut self.slab[group]
    }
}
