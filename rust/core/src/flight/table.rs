//! Entries by key, and those that hold a value in the order of their last use.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::{Index, IndexMut};

use xxhash_rust::xxh3::Xxh3;

use super::entry::{Entry, EntryId, Progress};
use super::numbers::Numbers;

const NIL: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Place {
    entry: Entry,
    key: u128,
    generation: u32,
    is_live: bool,
    /// Neighbours among those that hold a value: used longer ago, and later.
    older: u32,
    newer: u32,
}

#[derive(Debug)]
pub(super) struct Table {
    index: HashMap<u128, u32, BuildHasherDefault<Numbers>>,
    places: Vec<Place>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    live: u32,
    /// Values that are held.
    pub(super) held: u32,
    /// What they take.
    pub(super) bytes: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            index: HashMap::default(),
            places: Vec::new(),
            free: Vec::new(),
            oldest: NIL,
            newest: NIL,
            live: 0,
            held: 0,
            bytes: 0,
        }
    }
}

impl Index<u32> for Table {
    type Output = Entry;

    fn index(&self, place: u32) -> &Entry {
        &self.places[place as usize].entry
    }
}

impl IndexMut<u32> for Table {
    fn index_mut(&mut self, place: u32) -> &mut Entry {
        &mut self.places[place as usize].entry
    }
}

impl Table {
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    pub(super) fn at(&self, key: u128) -> Option<u32> {
        self.index.get(&key).copied()
    }

    pub(super) fn id(&self, place: u32) -> EntryId {
        let generation = self.places[place as usize].generation;
        EntryId(u64::from(generation) << 32 | u64::from(place))
    }

    pub(super) fn find(&self, id: EntryId) -> Option<u32> {
        let place = u32::try_from(id.0 & u64::from(u32::MAX)).ok()?;
        let known = self.places.get(place as usize)?;
        (known.is_live && self.id(place) == id).then_some(place)
    }

    /// All places in use.
    pub(super) fn places(&self) -> Vec<u32> {
        let places = (0..).zip(&self.places);
        let live = places.filter(|(_, place)| place.is_live);
        live.map(|(at, _)| at).collect()
    }

    /// Who was used longest ago, of those that hold a value.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NIL).then_some(self.oldest)
    }

    pub(super) fn insert(&mut self, key: u128, entry: Entry) -> u32 {
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).unwrap_or(NIL)
        });
        let place = &mut self.places[at as usize];
        (place.older, place.newer) = (NIL, NIL);
        (place.entry, place.key, place.is_live) = (entry, key, true);
        self.index.insert(key, at);
        self.live += 1;
        at
    }

    /// The run of an entry is over, and its value is held.
    pub(super) fn hold(&mut self, at: u32, bytes: u64) {
        let entry = &mut self[at];
        (entry.progress, entry.bytes) = (Progress::Done, bytes);
        self.held += 1;
        self.bytes += bytes;
        self.link(at);
    }

    /// The value of an entry is used now.
    pub(super) fn touch(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    /// Takes an entry out of the index, not out of the table.
    pub(super) fn hide(&mut self, at: u32) {
        let key = self.places[at as usize].key;
        if self.index.get(&key) == Some(&at) {
            self.index.remove(&key);
        }
    }

    pub(super) fn remove(&mut self, at: u32) {
        self.hide(at);
        if self[at].progress == Progress::Done {
            self.unlink(at);
            self.held -= 1;
            self.bytes -= self[at].bytes;
        }
        let place = &mut self.places[at as usize];
        (place.entry, place.is_live) = (Entry::default(), false);
        place.generation = place.generation.wrapping_add(1);
        self.live -= 1;
        self.free.push(at);
    }

    fn link(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        let place = &mut self.places[at as usize];
        (place.older, place.newer) = (before, NIL);
        if before == NIL {
            self.oldest = at;
        } else {
            self.places[before as usize].newer = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Place { older, newer, .. } = self.places[at as usize];
        if older == NIL {
            self.oldest = newer;
        } else {
            self.places[older as usize].newer = newer;
        }
        if newer == NIL {
            self.newest = older;
        } else {
            self.places[newer as usize].older = older;
        }
    }
}

/// Who, what tool and what arguments, as one number.
pub(super) fn key_of(whose: u64, tool: u32, form: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&whose.to_le_bytes());
    hash.update(&tool.to_le_bytes());
    hash.update(form);
    hash.digest128()
}
