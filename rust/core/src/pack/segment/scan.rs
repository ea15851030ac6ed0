//! What a segment holds, found by reading it: after a crash nothing else is known of it.
//!
//! Ground rules. Only what is whole is answered: head, body and their sums. Behind a damaged record
//! the search goes on at the next multiple of 8 that begins a sound one; what was passed over is
//! counted. A torn end, which is what a crash leaves, is all that is behind the last sound record.

use super::{ALIGNMENT, FIXED, HEADER_BYTES, Head, Header, Kind, LABEL, RECORD_MAGIC, SEALED, SUM};
use super::{hash, head_bytes, number_at, record_bytes};
use crate::pack::dictionary::Dictionary;
use crate::pack::parcel::Parcel;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One sound record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What its head says.
    pub head: Head<'a>,
    /// Where it begins in the file.
    pub offset: usize,
    /// Its bytes, with the zeros behind it.
    pub length: usize,
    /// Where its body begins.
    pub body_offset: usize,
    /// Its body.
    pub body: &'a [u8],
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// The segment's header.
    pub header: Header<'a>,
    /// The sound records, in order.
    pub records: Vec<Record<'a>>,
    /// Places where something was passed over.
    pub broken: usize,
    /// Bytes that were passed over.
    pub broken_bytes: usize,
    /// Behind the last sound record: a multiple of 8.
    pub end: usize,
    /// Whether there is anything but zeros behind it.
    pub torn: bool,
}

/// Reads a whole segment. None: its header is damaged, and nothing in it can be believed.
#[must_use]
pub fn scan(segment: &[u8]) -> Option<Scan<'_>> {
    let header = Header::parse(segment)?;
    let mut found = Scan {
        header,
        records: Vec::new(),
        broken: 0,
        broken_bytes: 0,
        end: HEADER_BYTES,
        torn: false,
    };
    while let Some(record) = next(segment, header.nonce, found.end) {
        let passed = record.offset - found.end;
        found.broken += usize::from(passed > 0);
        found.broken_bytes += passed;
        found.end = record.offset + record.length;
        found.records.push(record);
    }
    let behind = segment.get(found.end..).unwrap_or_default();
    found.torn = behind.iter().any(|&byte| byte != 0);
    Some(found)
}

/// The first sound record from `start` on.
fn next(segment: &[u8], nonce: u64, start: usize) -> Option<Record<'_>> {
    let places = (start..segment.len()).step_by(ALIGNMENT);
    places
        .into_iter()
        .find_map(|offset| record(segment, nonce, offset))
}

fn record(segment: &[u8], nonce: u64, offset: usize) -> Option<Record<'_>> {
    let bytes = segment
        .get(offset..)
        .filter(|bytes| bytes.starts_with(&RECORD_MAGIC))?;
    let fixed = bytes.get(..FIXED)?;
    let label_length = usize::from(u16::from_le_bytes([fixed[6], fixed[7]]));
    if label_length > LABEL {
        return None; // never written, and no more than this is hashed at each place
    }
    let head_length = head_bytes(label_length);
    let covered = bytes.get(..head_length - SUM)?;
    let own = number_at(bytes.get(..head_length)?, head_length - SUM);
    if xxh3_64_with_seed(covered, nonce) != own {
        return None;
    }
    let mut id = [0; 16];
    id.copy_from_slice(&fixed[16..32]);
    let head = Head {
        kind: Kind::from_number(fixed[4])?,
        id,
        label: &covered[FIXED..FIXED + label_length],
        sealed: fixed[5] & SEALED != 0,
    };
    let body_length = number_at(fixed, 8);
    let length = usize::try_from(record_bytes(label_length, body_length)).ok()?;
    let behind = bytes.get(..length)?.get(head_length..)?;
    let body = behind.get(..usize::try_from(body_length).ok()?)?;
    let is_whole = is_sound(&head, body, nonce, number_at(fixed, 32));
    let body_offset = offset + head_length;
    is_whole.then_some(Record {
        head,
        offset,
        length,
        body_offset,
        body,
    })
}

fn is_sound(head: &Head<'_>, body: &[u8], nonce: u64, sum: u64) -> bool {
    if head.has_sum() && hash(nonce, &[body]) != sum {
        return false;
    }
    match head.kind {
        _ if head.sealed => true,
        Kind::Dictionary => Dictionary::load(body, false).is_some(),
        Kind::Parcel => {
            let parcel = Parcel::parse(body).ok();
            parcel.is_some_and(|parcel| parcel.length() == body.len() && parcel.check().is_ok())
        }
    }
}
