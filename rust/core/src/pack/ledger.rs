//! What is held where, and what leaves memory next.
//!
//! Ground rules. An entry lives as long as it has holders; it is plain (it may move) or opaque (it
//! stays an object). Unpinned plain entries in memory stand on one of two shelves, coldest first:
//! *loose* ones are objects that packing would make smaller, *dense* ones are packed already or do not
//! pack. Above `memory` the coldest loose one is packed, until 80 % would be reached with the moves
//! under way; while dense ones hold more than half of the memory, or nothing is loose, the coldest
//! dense one goes to disk. A value over an eighth of the memory goes to disk at once. Whoever asks
//! `next_move` moves the value without holding anything and reports `moved` or `stuck`; released
//! meanwhile, the entry is gone and the report says so. The bound is `memory` plus what is pinned or
//! opaque: the ledger never drops a value.

mod shelf;

use shelf::{Link, Shelf};

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The tool's own object.
    Object,
    /// A parcel in memory.
    Packed,
    /// A parcel in a segment.
    Disk,
    /// A parcel at a backend.
    Remote,
}

/// An entry. Its number is not reused: a stale one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry(u64);

impl Entry {
    /// For the other side of the border.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// What `to_bits` gave; anything else is a stale entry.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A move that the caller is to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Whom.
    pub entry: Entry,
    /// `Packed` or `Disk`.
    pub to: Place,
}

/// What is held, and what was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStatistics {
    /// Entries.
    pub entries: usize,
    /// Entries with pins.
    pub pinned: usize,
    /// Entries that may not move.
    pub opaque: usize,
    /// Entries whose move is under way.
    pub moving: usize,
    /// Bytes of objects.
    pub object_bytes: u64,
    /// Bytes of parcels in memory.
    pub packed_bytes: u64,
    /// Entries on disk.
    pub on_disk: usize,
    /// Entries at a backend.
    pub remote: usize,
    /// Bytes that memory should hold at most.
    pub memory_bytes: u64,
    /// Moves to parcels so far.
    pub demoted_packed: u64,
    /// Moves to disk so far.
    pub demoted_disk: u64,
    /// Moves back to objects so far.
    pub promoted: u64,
}

#[derive(Clone, Debug)]
struct Held {
    generation: u32,
    /// 0: the slot is free.
    holders: u32,
    pins: u32,
    plain: bool,
    /// Packing makes it smaller, as far as is known.
    packs: bool,
    place: Place,
    bytes: u64,
    moving: Option<Place>,
    shelf: Option<Kind>,
    link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Loose,
    Dense,
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger {
    memory: u64,
    spills: bool,
    slots: Vec<Held>,
    free: Vec<u32>,
    loose: Shelf,
    dense: Shelf,
    dense_bytes: u64,
    /// Bytes of the entries whose move is under way.
    moving_bytes: u64,
    /// Over the memory, and not yet down to 80 % of it.
    draining: bool,
    statistics: LedgerStatistics,
}

impl Ledger {
    /// An empty one. It `spills` if there is a disk to move to.
    #[must_use]
    pub fn new(memory: u64, spills: bool) -> Self {
        Self {
            memory,
            spills,
            slots: Vec::new(),
            free: Vec::new(),
            loose: Shelf::default(),
            dense: Shelf::default(),
            dense_bytes: 0,
            moving_bytes: 0,
            draining: false,
            statistics: LedgerStatistics {
                memory_bytes: memory,
                ..LedgerStatistics::default()
            },
        }
    }

    /// A new object with one holder. Plain ones may move.
    pub fn add(&mut self, bytes: u64, plain: bool) -> Entry {
        let held = Held {
            generation: 0,
            holders: 1,
            pins: 0,
            plain,
            packs: true,
            place: Place::Object,
            bytes,
            moving: None,
            shelf: None,
            link: Link::default(),
        };
        let slot = self.put(held);
        self.count(slot, true);
        self.shelve(slot);
        self.entry(slot)
    }

    /// One more holder. False: the entry is gone.
    pub fn hold(&mut self, entry: Entry) -> bool {
        self.with(entry, |held| held.holders = held.holders.saturating_add(1))
            .is_some()
    }

    /// One holder less; true if that was the last one, and the entry is gone.
    pub fn release(&mut self, entry: Entry) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        let held = &mut self.slots[slot as usize];
        if held.holders > 1 {
            held.holders -= 1;
            return false;
        }
        self.unshelve(slot);
        self.end_move(slot);
        self.count(slot, false);
        let held = &mut self.slots[slot as usize];
        held.holders = 0;
        held.generation = held.generation.wrapping_add(1);
        self.free.push(slot);
        true
    }

    /// One more pin: it does not move. A move under way is finished.
    pub fn pin(&mut self, entry: Entry) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        self.unshelve(slot);
        let held = &mut self.slots[slot as usize];
        held.pins = held.pins.saturating_add(1);
        self.statistics.pinned += usize::from(held.pins == 1);
        true
    }

    /// One pin less. Whoever had it used the value.
    pub fn unpin(&mut self, entry: Entry) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        let held = &mut self.slots[slot as usize];
        if held.pins == 0 {
            return false;
        }
        held.pins -= 1;
        self.statistics.pinned -= usize::from(held.pins == 0);
        self.shelve(slot);
        true
    }

    /// It was used: it is the warmest of its shelf now.
    pub fn touch(&mut self, entry: Entry) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        self.unshelve(slot);
        self.shelve(slot);
        true
    }

    /// Where a value is; None if its entry is gone.
    #[must_use]
    pub fn place(&self, entry: Entry) -> Option<Place> {
        self.slot(entry).map(|slot| self.slots[slot as usize].place)
    }

    /// Whether there is a disk to move to.
    pub const fn set_spills(&mut self, spills: bool) {
        self.spills = spills;
    }

    /// Whom to demote now, if anyone: until `moved` or `stuck` it is under way.
    pub fn next_move(&mut self) -> Option<Move> {
        let (slot, to) = self.next()?;
        self.unshelve(slot);
        let held = &mut self.slots[slot as usize];
        held.moving = Some(to);
        self.moving_bytes += held.bytes;
        self.statistics.moving += 1;
        Some(Move {
            entry: self.entry(slot),
            to,
        })
    }

    /// A value is somewhere else now, with so many bytes in memory. False: it was released meanwhile,
    /// and what was made of it is the caller's to free.
    pub fn moved(&mut self, entry: Entry, place: Place, bytes: u64) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        self.unshelve(slot);
        self.end_move(slot);
        self.count(slot, false);
        let held = &mut self.slots[slot as usize];
        let before = held.place;
        (held.place, held.bytes) = (place, bytes);
        self.count(slot, true);
        self.count_move(before, place);
        self.shelve(slot);
        true
    }

    /// A value could not be moved: it was not worth packing, or the disk did not take it. False: it
    /// was released meanwhile.
    pub fn stuck(&mut self, entry: Entry) -> bool {
        let Some(slot) = self.slot(entry) else {
            return false;
        };
        let held = &mut self.slots[slot as usize];
        held.packs &= held.moving != Some(Place::Packed);
        self.end_move(slot);
        self.unshelve(slot);
        self.shelve(slot);
        true
    }

    /// Over the memory, and nothing can be done about it: new values should wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_bytes() > self.memory && self.statistics.moving == 0 && self.candidate().is_none()
    }

    /// What is held, and what was moved.
    #[must_use]
    pub const fn statistics(&self) -> LedgerStatistics {
        self.statistics
    }

    /// Bytes of memory that all entries take now.
    #[must_use]
    pub const fn held_bytes(&self) -> u64 {
        self.statistics.object_bytes + self.statistics.packed_bytes
    }

    fn next(&mut self) -> Option<(u32, Place)> {
        let resident = self.held_bytes();
        self.draining = resident
            > if self.draining {
                self.memory / 5 * 4
            } else {
                self.memory
            };
        let after_moves = resident.saturating_sub(self.moving_bytes);
        if !self.draining || after_moves <= self.memory / 5 * 4 {
            return None;
        }
        self.candidate()
    }

    fn candidate(&self) -> Option<(u32, Place)> {
        let dense = self.dense.coldest().filter(|_| self.spills);
        let dense = dense.map(|slot| (slot, Place::Disk));
        let loose = self.loose.coldest().map(|slot| (slot, self.way_out(slot)));
        if self.dense_bytes > self.memory / 2 {
            dense.or(loose)
        } else {
            loose.or(dense)
        }
    }

    /// Packing a large value would need the memory that is missing.
    fn way_out(&self, slot: u32) -> Place {
        let is_large = self.slots[slot as usize].bytes > self.memory / 8;
        if is_large && self.spills {
            Place::Disk
        } else {
            Place::Packed
        }
    }

    fn put(&mut self, held: Held) -> u32 {
        if let Some(slot) = self.free.pop() {
            let generation = self.slots[slot as usize].generation;
            self.slots[slot as usize] = Held { generation, ..held };
            return slot;
        }
        self.slots.push(held);
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    fn entry(&self, slot: u32) -> Entry {
        Entry(u64::from(self.slots[slot as usize].generation) << 32 | u64::from(slot))
    }

    fn slot(&self, entry: Entry) -> Option<u32> {
        let slot = u32::try_from(entry.0 & u64::from(u32::MAX)).ok()?;
        let held = self.slots.get(slot as usize)?;
        (held.holders > 0 && u64::from(held.generation) == entry.0 >> 32).then_some(slot)
    }

    fn with(&mut self, entry: Entry, change: impl FnOnce(&mut Held)) -> Option<()> {
        let slot = self.slot(entry)?;
        change(&mut self.slots[slot as usize]);
        Some(())
    }

    /// Puts an entry that may move at the warm end of its shelf.
    fn shelve(&mut self, slot: u32) {
        let held = &self.slots[slot as usize];
        let in_memory = matches!(held.place, Place::Object | Place::Packed);
        if held.shelf.is_some()
            || held.moving.is_some()
            || held.pins > 0
            || !held.plain
            || !in_memory
        {
            return;
        }
        let is_loose = held.place == Place::Object && held.packs;
        let kind = if is_loose { Kind::Loose } else { Kind::Dense };
        self.slots[slot as usize].shelf = Some(kind);
        match kind {
            Kind::Loose => self.loose.push(&mut self.slots, slot),
            Kind::Dense => {
                self.dense_bytes += self.slots[slot as usize].bytes;
                self.dense.push(&mut self.slots, slot);
            }
        }
    }

    fn unshelve(&mut self, slot: u32) {
        match self.slots[slot as usize].shelf.take() {
            Some(Kind::Loose) => self.loose.remove(&mut self.slots, slot),
            Some(Kind::Dense) => {
                self.dense_bytes -= self.slots[slot as usize].bytes;
                self.dense.remove(&mut self.slots, slot);
            }
            None => {}
        }
    }

    fn end_move(&mut self, slot: u32) {
        let held = &mut self.slots[slot as usize];
        if held.moving.take().is_some() {
            self.moving_bytes -= held.bytes;
            self.statistics.moving -= 1;
        }
    }

    /// Counts an entry in or out.
    fn count(&mut self, slot: u32, comes: bool) {
        let held = &self.slots[slot as usize];
        let counts = &mut self.statistics;
        let step = |count: &mut usize| *count = if comes { *count + 1 } else { *count - 1 };
        let bytes = |sum: &mut u64| {
            *sum = if comes {
                *sum + held.bytes
            } else {
                *sum - held.bytes
            }
        };
        step(&mut counts.entries);
        if !held.plain {
            step(&mut counts.opaque);
        }
        if held.pins > 0 {
            step(&mut counts.pinned);
        }
        match held.place {
            Place::Object => bytes(&mut counts.object_bytes),
            Place::Packed => bytes(&mut counts.packed_bytes),
            Place::Disk => step(&mut counts.on_disk),
            Place::Remote => step(&mut counts.remote),
        }
    }

    const fn count_move(&mut self, from: Place, to: Place) {
        match (from, to) {
            (Place::Object, Place::Object) | (_, Place::Remote) => {}
            (_, Place::Object) => self.statistics.promoted += 1,
            (_, Place::Packed) => self.statistics.demoted_packed += 1,
            (_, Place::Disk) => self.statistics.demoted_disk += 1,
        }
    }
}
