//! Which segment has room, what in it is live, and which file may go.
//!
//! Ground rules. One segment is open and filled from its beginning; a record that does not fit seals
//! it. A sealed one without a live record is removed, and its bytes count against the quota until
//! the caller says that its map is closed. Records larger than a segment get one of their own. A
//! refusal changes nothing. Numbers are not reused.

use std::collections::BTreeMap;

use super::HEADER_BYTES;

/// Live bytes below a quarter: the rest is worth copying to be rid of the file.
const SPARSE: u64 = 4;

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The segment's number.
    pub segment: u32,
    /// Where in its file.
    pub offset: u64,
    /// The file must be made first, of so many bytes; 0: it is there.
    pub new_capacity: u64,
}

/// What is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentStatistics {
    /// Open segments: none or one.
    pub open: usize,
    /// Sealed ones with live records.
    pub sealed: usize,
    /// Those that are empty and not yet removed.
    pub removing: usize,
    /// Records that somebody holds.
    pub live_records: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Bytes of all files.
    pub held_bytes: u64,
    /// What they may be at most.
    pub quota_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    capacity: u64,
    end: u64,
    records: u64,
    live: u64,
    sealed: bool,
}

impl Segment {
    const fn is_removing(&self) -> bool {
        self.sealed && self.records == 0
    }
}

/// All segments of one folder.
#[derive(Debug)]
pub struct Segments {
    segment_bytes: u64,
    quota: u64,
    held: u64,
    /// By number: the last one may be open.
    files: BTreeMap<u32, Segment>,
    open: Option<u32>,
    next: u32,
}

impl Segments {
    /// No file yet. Files have `segment_bytes`, all together at most `quota`.
    #[must_use]
    pub const fn new(segment_bytes: u64, quota: u64) -> Self {
        Self {
            segment_bytes,
            quota,
            held: 0,
            files: BTreeMap::new(),
            open: None,
            next: 0,
        }
    }

    /// Room for a record of so many bytes; None: the quota is reached, and nothing has changed.
    pub fn place(&mut self, bytes: u64) -> Option<Placement> {
        if let Some(placement) = self.append(bytes) {
            return Some(placement);
        }
        let needed = bytes.checked_add(HEADER_BYTES as u64)?;
        let capacity = needed.max(self.segment_bytes);
        if self.held.checked_add(capacity)? > self.quota {
            return None;
        }
        let offset = HEADER_BYTES as u64;
        let is_own = needed > self.segment_bytes;
        let segment = Segment {
            capacity,
            end: offset + bytes,
            records: 1,
            live: bytes,
            sealed: is_own,
        };
        let number = self.insert(segment);
        if !is_own {
            self.seal();
            self.open = Some(number);
        }
        Some(Placement {
            segment: number,
            offset,
            new_capacity: capacity,
        })
    }

    /// A file could not be made: it and what was placed there are forgotten. False: it is unknown.
    pub fn failed(&mut self, segment: u32) -> bool {
        let Some(gone) = self.files.remove(&segment) else {
            return false;
        };
        self.open = self.open.filter(|&open| open != segment);
        self.held -= gone.capacity;
        true
    }

    /// A record is dead; true if its file is to be removed now.
    pub fn free(&mut self, segment: u32, bytes: u64) -> bool {
        let Some(segment) = self.files.get_mut(&segment).filter(|held| held.records > 0) else {
            return false;
        };
        segment.records -= 1;
        segment.live = segment.live.saturating_sub(bytes);
        segment.is_removing()
    }

    /// Seals the open segment; its number.
    pub fn seal(&mut self) -> Option<u32> {
        let number = self.open.take()?;
        if let Some(segment) = self.files.get_mut(&number) {
            segment.sealed = true;
        }
        Some(number)
    }

    /// Sealed segments without a live record: their files are to be removed.
    #[must_use]
    pub fn empty(&self) -> Vec<u32> {
        let all = self.files.iter();
        let empty = all.filter(|(_, held)| held.is_removing());
        empty.map(|(number, _)| *number).collect()
    }

    /// A file is gone with its map: its bytes are free. False: it has live records, or is unknown.
    pub fn removed(&mut self, segment: u32) -> bool {
        self.files.get(&segment).is_some_and(Segment::is_removing) && self.failed(segment)
    }

    /// Sealed segments that are less than a quarter live, the emptiest first.
    #[must_use]
    pub fn sparse(&self) -> Vec<u32> {
        let is_sparse = |held: &Segment| held.live.saturating_mul(SPARSE) < held.capacity;
        let sealed = self
            .files
            .iter()
            .filter(|(_, held)| held.sealed && held.records > 0);
        let mut sparse: Vec<_> = sealed.filter(|(_, held)| is_sparse(held)).collect();
        sparse.sort_by_key(|(number, held)| (held.live, **number));
        sparse.into_iter().map(|(number, _)| *number).collect()
    }

    /// The disk is full: the quota is what is held now. Answers it.
    pub fn lower_quota(&mut self) -> u64 {
        self.quota = self.quota.min(self.held.max(self.segment_bytes));
        self.quota
    }

    /// A sealed file of somebody else, with what is live in it; its number.
    pub fn adopt(&mut self, capacity: u64, live_bytes: u64, records: u64) -> u32 {
        let segment = Segment {
            capacity,
            end: capacity,
            records,
            live: live_bytes,
            sealed: true,
        };
        self.insert(segment)
    }

    /// What is on disk.
    #[must_use]
    pub fn statistics(&self) -> SegmentStatistics {
        let count = |which: fn(&Segment) -> bool| self.files.values().filter(|s| which(s)).count();
        SegmentStatistics {
            open: usize::from(self.open.is_some()),
            sealed: count(|segment| segment.sealed && segment.records > 0),
            removing: count(Segment::is_removing),
            live_records: self.files.values().map(|segment| segment.records).sum(),
            live_bytes: self.files.values().map(|segment| segment.live).sum(),
            held_bytes: self.held,
            quota_bytes: self.quota,
        }
    }

    /// Room behind the last record of the open segment.
    fn append(&mut self, bytes: u64) -> Option<Placement> {
        let number = self.open?;
        let segment = self.files.get_mut(&number)?;
        let offset = segment.end;
        let end = offset
            .checked_add(bytes)
            .filter(|&end| end <= segment.capacity)?;
        segment.end = end;
        segment.records += 1;
        segment.live += bytes;
        Some(Placement {
            segment: number,
            offset,
            new_capacity: 0,
        })
    }

    fn insert(&mut self, segment: Segment) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.held = self.held.saturating_add(segment.capacity);
        self.files.insert(number, segment);
        number
    }
}
