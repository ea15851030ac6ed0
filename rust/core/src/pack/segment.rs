//! Spill files: the layout of a segment and of its records. No file is opened here.
//!
//! ```text
//! segment   0 magic "PkSg"   4 version   5 length of the key's name   6 zeros   8 capacity
//!          16 nonce         24 created, ms since 1970                 32 key's name
//!          60 crc32 of all that is above                              64 records
//! record    0 magic "PkRc"   4 kind      5 flags      6 length of the label     8 body length
//!          16 id (16 bytes) 32 body's sum            40 label, zeros to a multiple of 8
//!             xxh3-64 of all that is above, seeded with the nonce
//!             body, zeros to the next multiple of 8
//! ```
//!
//! Ground rules. Records are written once, one after the other, into a file of zeros, and never
//! changed. A record's head is believed only with the sum that the segment's nonce makes: a tool's
//! result that contains a record, or a block of a file that was removed, is none. A plain parcel is
//! covered by its own checksums; other bodies by the record's. Little endian.

mod live;
mod scan;

use xxhash_rust::xxh3::{Xxh3Builder, xxh3_64_with_seed};

pub use live::{Placement, SegmentStatistics, Segments};
pub use scan::{Record, Scan, scan};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 64;
/// Records begin at multiples of it.
pub const ALIGNMENT: usize = 8;
/// Letters of a key's name.
pub const KEY_NAME: usize = 28;
/// Bytes of a record's label.
pub const LABEL: usize = 1_000;

const MAGIC: [u8; 4] = *b"PkSg";
const RECORD_MAGIC: [u8; 4] = *b"PkRc";
const VERSION: u8 = 1;
const CRC_AT: usize = 60;
const NAME_AT: usize = 32;
const FIXED: usize = 40;
const SUM: usize = 8;
const SEALED: u8 = 1;

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Bytes of the whole file.
    pub capacity: u64,
    /// Random: it makes this file's records known from all others.
    pub nonce: u64,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// The key that sealed the bodies; empty: they are not sealed.
    pub key_name: &'a str,
}

impl<'a> Header<'a> {
    /// The first bytes of the file. None: the key's name is no ASCII of at most 28 letters.
    #[must_use]
    pub fn render(&self) -> Option<[u8; HEADER_BYTES]> {
        let name = self.key_name.as_bytes();
        if name.len() > KEY_NAME || !name.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&[VERSION, u8::try_from(name.len()).ok()?]);
        header[8..16].copy_from_slice(&self.capacity.to_le_bytes());
        header[16..24].copy_from_slice(&self.nonce.to_le_bytes());
        header[24..32].copy_from_slice(&self.created_ms.to_le_bytes());
        header[NAME_AT..NAME_AT + name.len()].copy_from_slice(name);
        let crc = crc32fast::hash(&header[..CRC_AT]);
        header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        Some(header)
    }

    /// Reads what `render` wrote; None if it is damaged, foreign or newer.
    #[must_use]
    pub fn parse(segment: &'a [u8]) -> Option<Self> {
        let header = segment.get(..HEADER_BYTES)?;
        let sound = header.starts_with(&MAGIC)
            && header[4] == VERSION
            && header[CRC_AT..] == crc32fast::hash(&header[..CRC_AT]).to_le_bytes();
        if !sound {
            return None;
        }
        let name = header.get(NAME_AT..NAME_AT + usize::from(header[5]))?;
        Some(Self {
            capacity: number_at(header, 8),
            nonce: number_at(header, 16),
            created_ms: number_at(header, 24),
            key_name: std::str::from_utf8(name).ok()?,
        })
    }
}

/// What a record's body is. Numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A parcel.
    Parcel,
    /// A dictionary that parcels of this segment need.
    Dictionary,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Parcel => 1,
            Self::Dictionary => 2,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Parcel),
            2 => Some(Self::Dictionary),
            _ => None,
        }
    }
}

/// What a record's head says, apart from its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// What the body is.
    pub kind: Kind,
    /// Whose it is, in 128 bits.
    pub id: [u8; 16],
    /// The owner's own words.
    pub label: &'a [u8],
    /// Whether the body is encrypted.
    pub sealed: bool,
}

impl Head<'_> {
    /// The bytes before the body, whose pieces these are. None: the label is longer than 1,000 bytes.
    #[must_use]
    pub fn render(&self, nonce: u64, body: &[&[u8]]) -> Option<Vec<u8>> {
        if self.label.len() > LABEL {
            return None;
        }
        let length: usize = body.iter().map(|piece| piece.len()).sum();
        let sum = if self.has_sum() { hash(nonce, body) } else { 0 };
        let mut head = Vec::with_capacity(head_bytes(self.label.len()));
        head.extend_from_slice(&RECORD_MAGIC);
        head.extend_from_slice(&[self.kind.number(), if self.sealed { SEALED } else { 0 }]);
        head.extend_from_slice(&u16::try_from(self.label.len()).ok()?.to_le_bytes());
        head.extend_from_slice(&(length as u64).to_le_bytes());
        head.extend_from_slice(&self.id);
        head.extend_from_slice(&sum.to_le_bytes());
        head.extend_from_slice(self.label);
        head.resize(head_bytes(self.label.len()) - SUM, 0);
        let own = xxh3_64_with_seed(&head, nonce);
        head.extend_from_slice(&own.to_le_bytes());
        Some(head)
    }

    /// A plain parcel has checksums of its own.
    fn has_sum(&self) -> bool {
        self.sealed || self.kind != Kind::Parcel
    }
}

/// Bytes of a record in its file, with the zeros behind it. Saturates: no such file exists.
#[must_use]
pub fn record_bytes(label: usize, body: u64) -> u64 {
    let body = body.checked_next_multiple_of(ALIGNMENT as u64);
    let head = head_bytes(label) as u64;
    body.map_or(u64::MAX, |body| body.saturating_add(head))
}

const fn head_bytes(label: usize) -> usize {
    FIXED + label.next_multiple_of(ALIGNMENT) + SUM
}

fn hash(nonce: u64, body: &[&[u8]]) -> u64 {
    let mut all = Xxh3Builder::new().with_seed(nonce).build();
    for piece in body {
        all.update(piece);
    }
    all.digest()
}

fn number_at(bytes: &[u8], place: usize) -> u64 {
    let number = bytes.get(place..).and_then(<[u8]>::first_chunk);
    number.copied().map_or(0, u64::from_le_bytes)
}
