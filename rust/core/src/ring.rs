//! The event log of one stream: what happened, in order, for any number of readers.
//!
//! Ground rules. A record has a number, counted from 1 without holes; its place tells it, so it is
//! stored nowhere. A reader is a cursor that its owner keeps: the log knows nobody who reads it, so
//! a slow one costs nothing. At its bound the log forgets the oldest record and folds it into the
//! [`Table`], so that the table and the records that are left always add up to the whole story. A
//! cursor behind the oldest record is told which numbers it missed, and goes on from a snapshot: the
//! table, with the records folded in up to the newest. Payloads are the owner's (`P`): what the log
//! lets go of is kept until [`Ring::take_forgotten`], because dropping it may run anybody's code.

mod record;
mod slots;
mod source;
mod table;

use std::collections::VecDeque;

pub use record::{Fact, Kind, Record};
use slots::Slots;
pub use source::{Flush, Passed, Source};
pub use table::{CallState, Row, Table, Told};

use crate::clock::Nanos;

/// A snapshot serves those who need one for so many records; then the next one makes a new one.
const SNAPSHOT_RECORDS: u64 = 256;

/// The bounds of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Records kept, at least 1.
    pub history: usize,
    /// Bytes of payload kept, as the owner counts them; the newest record is kept whatever it has.
    pub payload_bytes: usize,
    /// Whether forgotten records are folded into a table; a log of many batches has none.
    pub folds: bool,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            history: 65_536,
            payload_bytes: 16 << 20,
            folds: true,
        }
    }
}

/// What a cursor finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The records from number `first` to `last`, both included.
    Records {
        /// The number that follows the cursor.
        first: u64,
        /// At least `first`.
        last: u64,
    },
    /// The records from number `from` to `to` are forgotten.
    Gap {
        /// The number that follows the cursor.
        from: u64,
        /// The newest that is forgotten.
        to: u64,
    },
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will follow.
    End,
}

/// Where a reader that missed records goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// The one as of this number still serves.
    Kept(u64),
    /// One as of this number is to be made: [`Ring::fold`].
    Make(u64),
}

/// There is no such position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition {
    /// The newest record, 0 if there is none.
    pub newest: u64,
}

/// A log.
#[derive(Debug)]
pub struct Ring<P> {
    config: RingConfig,
    records: VecDeque<Record>,
    /// The number of the first of `records`, if there is one.
    oldest: u64,
    slots: Slots<P>,
    payload_bytes: usize,
    table: Table<P>,
    snapshot: Option<u64>,
    forgotten: Vec<P>,
    ended: Option<Nanos>,
}

impl<P> Ring<P> {
    /// An empty log. It allocates with the first record.
    #[must_use]
    pub fn new(config: RingConfig) -> Self {
        Self {
            config,
            records: VecDeque::new(),
            oldest: 1,
            slots: Slots::new(),
            payload_bytes: 0,
            table: Table::new(),
            snapshot: None,
            forgotten: Vec::new(),
            ended: None,
        }
    }

    /// Appends a fact without a payload; returns its number.
    #[inline]
    pub fn append(&mut self, fact: Fact) -> u64 {
        self.push(Record::of(fact))
    }

    /// Appends a fact with a payload, which takes so many bytes.
    pub fn append_with(&mut self, fact: Fact, payload: P, bytes: u32) -> u64 {
        let mut record = Record::of(fact);
        record.slot = self.slots.put(payload);
        record.bytes = bytes;
        self.payload_bytes += bytes as usize;
        self.push(record)
    }

    #[inline]
    fn push(&mut self, record: Record) -> u64 {
        if record.kind == Kind::BatchEnded && self.config.folds {
            self.ended = Some(record.time);
        }
        self.records.push_back(record);
        if self.records.len() > self.config.history
            || self.payload_bytes > self.config.payload_bytes
        {
            self.trim();
        }
        self.newest()
    }

    /// Puts an object in the place of a record's payload, for `more` bytes; returns what was there,
    /// or the object itself if the record is forgotten.
    pub fn attach(&mut self, seq: u64, payload: P, more: u32) -> Option<P> {
        let Some(record) = self.place(seq).and_then(|at| self.records.get_mut(at)) else {
            return Some(payload);
        };
        let more = more.min(u32::MAX - record.bytes);
        record.bytes += more;
        self.payload_bytes += more as usize;
        let before = self.slots.replace(&mut record.slot, payload);
        if self.payload_bytes > self.config.payload_bytes {
            self.trim();
        }
        before
    }

    /// Forgets the oldest records until the payloads take at most so many bytes.
    pub fn shrink(&mut self, payload_bytes: usize) {
        while self.payload_bytes > payload_bytes && self.records.len() > 1 {
            self.forget_oldest();
        }
    }

    fn trim(&mut self) {
        while self.records.len() > 1
            && (self.records.len() > self.config.history.max(1)
                || self.payload_bytes > self.config.payload_bytes)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(record) = self.records.pop_front() else {
            return;
        };
        self.oldest += 1;
        self.payload_bytes -= record.bytes as usize;
        let payload = self.slots.take(record.slot);
        if self.config.folds {
            self.table.apply(&record, payload, &mut self.forgotten);
        } else {
            self.forgotten.extend(payload);
        }
    }

    /// Makes room for so many more records at once, as far as the history goes.
    pub fn reserve(&mut self, records: usize) {
        let room = self.config.history.saturating_add(1) - self.records.len();
        self.records.reserve_exact(records.min(room));
    }

    /// Counts more bytes to a record, if it is kept.
    pub fn charge(&mut self, seq: u64, more: u32) {
        let Some(record) = self.place(seq).and_then(|at| self.records.get_mut(at)) else {
            return;
        };
        let more = more.min(u32::MAX - record.bytes);
        record.bytes += more;
        self.payload_bytes += more as usize;
        if self.payload_bytes > self.config.payload_bytes {
            self.trim();
        }
    }

    /// Forgets everything and one number more, which stands for what was never written: who comes
    /// back later is told of a gap.
    pub fn interrupt(&mut self) {
        self.expire();
        self.oldest += 1;
    }

    /// Forgets everything: whoever comes now finds the stream expired.
    pub fn expire(&mut self) {
        self.oldest = self.newest() + 1;
        self.records = VecDeque::new();
        self.payload_bytes = 0;
        self.snapshot = None;
        let table = std::mem::take(&mut self.table);
        self.forgotten.extend(table.into_payloads());
        self.forgotten
            .extend(std::mem::take(&mut self.slots).into_payloads());
    }

    /// Whether there is something to take.
    #[inline]
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        !self.forgotten.is_empty()
    }

    /// Payloads that the log has let go of, to be dropped where that may run code.
    pub fn take_forgotten(&mut self) -> Vec<P> {
        std::mem::take(&mut self.forgotten)
    }

    /// The number of the newest record; 0 if there was none.
    #[inline]
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.oldest + self.records.len() as u64 - 1
    }

    /// The number of the oldest record that is kept; the next one's if none is.
    #[must_use]
    pub const fn oldest(&self) -> u64 {
        self.oldest
    }

    /// When the last record was written, if nothing can follow it.
    #[must_use]
    pub const fn ended(&self) -> Option<Nanos> {
        self.ended
    }

    /// Bytes that the log holds: its records, and what the payloads take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.payload_bytes
    }

    /// The position of a reader who knows everything up to `after`; None: everything so far.
    pub fn position(&self, after: Option<u64>) -> Result<u64, NoPosition> {
        let newest = self.newest();
        let after = after.unwrap_or(newest);
        if after > newest {
            return Err(NoPosition { newest });
        }
        Ok(after)
    }

    /// What follows `after`, at most `limit` records of it.
    #[must_use]
    pub fn look(&self, after: u64, limit: u64) -> Look {
        let (first, newest) = (after.saturating_add(1), self.newest());
        if first < self.oldest {
            let to = self.oldest - 1;
            return Look::Gap { from: first, to };
        }
        if first <= newest {
            let last = newest.min(after.saturating_add(limit.max(1)));
            return Look::Records { first, last };
        }
        if self.ended.is_some() {
            Look::End
        } else {
            Look::Nothing
        }
    }

    /// A record and its payload, unless it is forgotten or still to come.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<(&Record, Option<&P>)> {
        let record = self.records.get(self.place(seq)?)?;
        Some((record, self.slots.get(record.slot)))
    }

    fn place(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.oldest)?).ok()
    }

    /// Which snapshot somebody takes who missed records. One that is to be made counts as made.
    pub fn snapshot(&mut self) -> Snapshot {
        let newest = self.newest();
        match self.snapshot {
            Some(made) if made + 1 >= self.oldest && newest - made < SNAPSHOT_RECORDS => {
                Snapshot::Kept(made)
            }
            _ => {
                self.snapshot = Some(newest);
                Snapshot::Make(newest)
            }
        }
    }

    /// What all records up to the newest add up to.
    #[must_use]
    pub fn fold(&self) -> Table<&P> {
        let mut table = self.table.as_refs();
        let mut passed = Vec::new();
        for record in &self.records {
            table.apply(record, self.slots.get(record.slot), &mut passed);
            passed.clear();
        }
        table
    }

    /// Every payload that the log holds: for the garbage collector.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        let held = self.slots.iter().chain(self.table.payloads());
        held.chain(&self.forgotten)
    }
}
