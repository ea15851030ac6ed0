//! The parcel: a header, then the value in frames of 1 MiB. Little endian.
//!
//! ```text
//!  0  magic "PkPc"      4  version      5  codec      6  flags      7  media type
//!  8  dictionary id    12  number of frames          16  raw length
//! 24  xxh3-64 of the payload                         32  packed length of each frame
//!     with more than one frame: the lower half of the xxh3-64 of each
//!     a media type of number 255: its length (one byte) and its letters
//!     zeros to the next 4 above a multiple of 8, then crc32 of all that is above
//!     payload: the frames, one after the other; a packed one is a plain zstd frame
//! ```
//!
//! Ground rules. A parcel that begins at a multiple of 8 has its payload at one, so a map of a file
//! gives aligned values. Reading checks the header before it believes a number, and the payload
//! before it unpacks a byte; it allocates nothing itself. Each frame but the last holds exactly
//! 1 MiB, so a range is found without unpacking what is before it, and checked by its own frames'
//! sums. An older reader refuses what it does not know; a newer one reads all older versions.

use std::ops::Range;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::codec::Codec;
use super::error::Unreadable;
use super::media::{MAX_LENGTH, Media, SPELLED};

/// Raw bytes of each frame but the last.
pub const FRAME_BYTES: usize = 1 << 20;
/// The first bytes of every parcel.
pub const MAGIC: [u8; 4] = *b"PkPc";
/// The version that is written.
pub const VERSION: u8 = 1;
/// Parcels begin at multiples of it where they share a file.
pub const ALIGNMENT: usize = 8;

const FIXED: usize = 32;
const CRC: usize = 4;
/// A number of the frame table.
const ENTRY: usize = 4;

/// What the bytes of a value stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Themselves.
    #[default]
    Bytes,
    /// A text, in UTF-8.
    Text,
    /// An object, as JSON.
    Json,
}

impl Form {
    const fn bits(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Text => 1,
            Self::Json => 2,
        }
    }

    const fn from_flags(flags: u8) -> Result<Self, Unreadable> {
        match flags {
            0 => Ok(Self::Bytes),
            1 => Ok(Self::Text),
            2 => Ok(Self::Json),
            _ => Err(Unreadable::Newer),
        }
    }
}

/// What a header says of its value, apart from the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet<'a> {
    /// How the frames are packed.
    pub codec: Codec,
    /// What the bytes stand for.
    pub form: Form,
    /// Their media type.
    pub media: Media<'a>,
    /// The dictionary that the frames need; 0 is none.
    pub dictionary: u32,
    /// Bytes of the value.
    pub raw_length: u64,
}

impl Sheet<'_> {
    /// The header of a parcel with these frames, to be written before them.
    #[must_use]
    pub fn header(&self, frames: &[&[u8]]) -> Vec<u8> {
        let length = header_length(frames.len(), self.media);
        let mut header = Vec::with_capacity(length);
        header.extend_from_slice(&MAGIC);
        let flags = self.form.bits();
        header.extend_from_slice(&[VERSION, self.codec.id(), flags, self.media.code()]);
        header.extend_from_slice(&self.dictionary.to_le_bytes());
        header.extend_from_slice(&number(frames.len()).to_le_bytes());
        header.extend_from_slice(&self.raw_length.to_le_bytes());
        header.extend_from_slice(&hash(frames).to_le_bytes());
        for frame in frames {
            header.extend_from_slice(&number(frame.len()).to_le_bytes());
        }
        if frames.len() > 1 {
            for frame in frames {
                header.extend_from_slice(&frame_sum(frame).to_le_bytes());
            }
        }
        if self.media.code() == SPELLED {
            header.push(u8::try_from(self.media.as_str().len()).unwrap_or(u8::MAX));
            header.extend_from_slice(self.media.as_str().as_bytes());
        }
        header.resize(length - CRC, 0);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        header
    }
}

/// A header that is sound, of a parcel whose bytes are all there.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    sheet: Sheet<'a>,
    sum: u64,
    lengths: &'a [u8],
    /// Empty if there is one frame: the payload's own sum covers it.
    sums: &'a [u8],
    header_length: usize,
    payload_length: usize,
}

impl<'a> Outline<'a> {
    /// Reads the header from a parcel's beginning; all in all there are `total` bytes. Those behind the
    /// parcel are left alone: [`Outline::length`] says where it ends.
    pub fn parse(beginning: &'a [u8], total: usize) -> Result<Self, Unreadable> {
        let fixed = take(beginning, FIXED)?;
        if fixed[..4] != MAGIC {
            return Err(Unreadable::NotAParcel);
        }
        if fixed[4] != VERSION {
            return Err(Unreadable::Newer);
        }
        let count = count_of(u32_at(fixed, 12), beginning.len())?;
        let (header_length, media) = measure(beginning, fixed[7], count)?;
        let header = take(beginning, header_length)?;
        let (covered, crc) = header.split_at(header_length - CRC);
        if crc32fast::hash(covered) != u32_at(crc, 0) {
            return Err(Unreadable::Header);
        }
        let sheet = Sheet {
            codec: Codec::from_id(fixed[5]).ok_or(Unreadable::Newer)?,
            form: Form::from_flags(fixed[6])?,
            media,
            dictionary: u32_at(fixed, 8),
            raw_length: u64_at(fixed, 16),
        };
        let table = &header[FIXED..FIXED + table_length(count)];
        let (lengths, sums) = table.split_at(count * ENTRY);
        let outline = Self {
            sheet,
            sum: u64_at(fixed, 24),
            lengths,
            sums,
            header_length,
            payload_length: check_lengths(&sheet, lengths)?,
        };
        let needed = outline.length();
        let short = Unreadable::TooShort {
            bytes: total,
            needed,
        };
        if needed > total {
            Err(short)
        } else {
            Ok(outline)
        }
    }

    /// What the header says.
    #[must_use]
    pub const fn sheet(&self) -> &Sheet<'a> {
        &self.sheet
    }

    /// Bytes of the whole parcel.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.header_length.saturating_add(self.payload_length)
    }

    /// Where the payload begins: a multiple of 8.
    #[must_use]
    pub const fn header_length(&self) -> usize {
        self.header_length
    }

    /// How many frames there are, at least one.
    #[must_use]
    pub const fn frame_count(&self) -> usize {
        self.lengths.len() / ENTRY
    }

    /// The frames that hold `length` bytes of the value from `offset` on.
    #[must_use]
    pub fn span(&self, offset: u64, length: usize) -> Span {
        let value = usize::try_from(self.sheet.raw_length).unwrap_or(usize::MAX);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(value);
        let end = start.saturating_add(length).min(value);
        let first = (start / FRAME_BYTES).min(self.frame_count());
        let last = if start == end {
            first
        } else {
            end.div_ceil(FRAME_BYTES)
        };
        let before: usize = self.lengths_of(0..first).sum();
        let held: usize = self.lengths_of(first..last).sum();
        let begin = self.header_length.saturating_add(before);
        Span {
            frames: first..last,
            bytes: begin..begin.saturating_add(held),
        }
    }

    /// Whether one frame is what was written. The only frame of a parcel is its payload.
    pub fn check_frame(&self, index: usize, packed: &[u8]) -> Result<(), Unreadable> {
        if self.sums.is_empty() {
            return if xxh3_64(packed) == self.sum {
                Ok(())
            } else {
                Err(Unreadable::Payload)
            };
        }
        if frame_sum(packed) == u32_at(self.sums, index * ENTRY) {
            Ok(())
        } else {
            Err(Unreadable::Frame { index })
        }
    }

    /// Packed lengths of some frames; `parse` has added all of them up.
    fn lengths_of(&self, frames: Range<usize>) -> impl Iterator<Item = usize> + use<'a> {
        let lengths = self.lengths.chunks_exact(ENTRY);
        lengths
            .skip(frames.start)
            .take(frames.len())
            .map(|length| usize::try_from(u32_at(length, 0)).unwrap_or(usize::MAX))
    }
}

/// Some frames of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which.
    pub frames: Range<usize>,
    /// Where in the parcel they lie.
    pub bytes: Range<usize>,
}

/// A parcel: its outline and its payload.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    outline: Outline<'a>,
    payload: &'a [u8],
}

impl<'a> Parcel<'a> {
    /// Reads the header, as [`Outline::parse`] does. The payload is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let outline = Outline::parse(bytes, bytes.len())?;
        let payload = take(bytes, outline.length())?;
        Ok(Self {
            outline,
            payload: &payload[outline.header_length..],
        })
    }

    /// What the header says.
    #[must_use]
    pub const fn sheet(&self) -> &Sheet<'a> {
        self.outline.sheet()
    }

    /// Bytes of the value, if `limit` allows as many and this machine can count them.
    pub fn raw_length(&self, limit: u64) -> Result<usize, Unreadable> {
        let bytes = self.sheet().raw_length;
        let too_large = Unreadable::TooLarge { bytes, limit };
        if bytes > limit {
            return Err(too_large);
        }
        usize::try_from(bytes).map_err(|_| too_large)
    }

    /// Bytes of the whole parcel.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.outline.length()
    }

    /// Where the payload begins: a multiple of 8.
    #[must_use]
    pub const fn header_length(&self) -> usize {
        self.outline.header_length()
    }

    /// The packed bytes of all frames.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How many frames there are, at least one.
    #[must_use]
    pub const fn frame_count(&self) -> usize {
        self.outline.frame_count()
    }

    /// Whether the payload is what was written.
    pub fn check(&self) -> Result<(), Unreadable> {
        if xxh3_64(self.payload) == self.outline.sum {
            Ok(())
        } else {
            Err(Unreadable::Payload)
        }
    }

    /// Whether one frame is what was written. The only frame of a parcel is its payload.
    pub fn check_frame(&self, index: usize, packed: &[u8]) -> Result<(), Unreadable> {
        self.outline.check_frame(index, packed)
    }

    /// The packed bytes of each frame, in order; not yet checked.
    pub fn frames(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lengths = self.outline.lengths_of(0..self.frame_count());
        split(self.payload, lengths)
    }

    /// What the header says, with the frames.
    #[must_use]
    pub const fn outline(&self) -> &Outline<'a> {
        &self.outline
    }
}

impl<'a> Outline<'a> {
    /// The frames of a span, of which `part` has the bytes; not yet checked.
    pub fn frames_in<'b>(
        &self,
        span: &Span,
        part: &'b [u8],
    ) -> Result<impl Iterator<Item = (usize, &'b [u8])> + use<'a, 'b>, Unreadable> {
        let part = take(part, span.bytes.len())?;
        let frames = split(part, self.lengths_of(span.frames.clone()));
        Ok(span.frames.clone().zip(frames))
    }
}

/// Cuts `bytes` into pieces of these lengths, which add up to theirs.
fn split(bytes: &[u8], lengths: impl Iterator<Item = usize>) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    lengths.map(move |length| {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        rest = behind;
        piece
    })
}

/// Raw bytes of one frame of a value: all but the last are full.
pub(super) fn frame_length(raw_length: u64, index: usize) -> usize {
    let before = (index as u64).saturating_mul(FRAME_BYTES as u64);
    let behind = raw_length.saturating_sub(before);
    usize::try_from(behind).map_or(FRAME_BYTES, |behind| behind.min(FRAME_BYTES))
}

/// How many frames a value of so many bytes has.
#[must_use]
pub const fn frames_of(raw_length: u64) -> u64 {
    let frames = raw_length.div_ceil(FRAME_BYTES as u64);
    if frames == 0 { 1 } else { frames }
}

/// The number of frames, if a table of as many fits into what was given: no number is larger later.
fn count_of(claimed: u32, bytes: usize) -> Result<usize, Unreadable> {
    let count = usize::try_from(claimed).unwrap_or(usize::MAX);
    if count > bytes / ENTRY {
        return Err(Unreadable::TooShort {
            bytes,
            needed: count.saturating_mul(ENTRY),
        });
    }
    Ok(count)
}

/// The header's length and the media type, before anything but the magic was checked.
fn measure(bytes: &[u8], code: u8, count: usize) -> Result<(usize, Media<'_>), Unreadable> {
    let table_end = FIXED + table_length(count);
    if code != SPELLED {
        let media = Media::known(code).ok_or(Unreadable::Newer)?;
        return Ok((header_length(count, media), media));
    }
    let length = usize::from(take(bytes, table_end + 1)?[table_end]);
    if length > MAX_LENGTH {
        return Err(Unreadable::Header);
    }
    let letters = &take(bytes, table_end + 1 + length)?[table_end + 1..];
    let text = std::str::from_utf8(letters).map_err(|_| Unreadable::Header)?;
    let media = Media::parse(text).ok_or(Unreadable::Header)?;
    if media.code() != SPELLED {
        return Err(Unreadable::Header); // one media type is written in one way
    }
    Ok((header_length(count, media), media))
}

/// Whether the numbers fit each other; the payload's length.
fn check_lengths(sheet: &Sheet<'_>, lengths: &[u8]) -> Result<usize, Unreadable> {
    let count = lengths.len() / ENTRY;
    if count as u64 != frames_of(sheet.raw_length) {
        return Err(Unreadable::Header);
    }
    let all = lengths.chunks_exact(ENTRY).map(|length| u32_at(length, 0));
    let payload: u64 = all.clone().map(u64::from).sum();
    if sheet.codec != Codec::Raw && sheet.raw_length == 0 {
        return Err(Unreadable::Header); // nothing would be unpacked, so nothing would be checked
    }
    if sheet.codec == Codec::Raw {
        let full = (0..count).map(|index| number(frame_length(sheet.raw_length, index)));
        if sheet.dictionary != 0 || !all.eq(full) {
            return Err(Unreadable::Header);
        }
    }
    usize::try_from(payload).map_err(|_| Unreadable::Header)
}

/// Where the payload begins.
fn header_length(frames: usize, media: Media<'_>) -> usize {
    let spelled = if media.code() == SPELLED {
        1 + media.as_str().len()
    } else {
        0
    };
    (FIXED + table_length(frames) + spelled + CRC).next_multiple_of(ALIGNMENT)
}

const fn table_length(frames: usize) -> usize {
    let rows = if frames > 1 { 2 } else { 1 };
    frames * rows * ENTRY
}

fn hash(frames: &[&[u8]]) -> u64 {
    if let [frame] = frames {
        return xxh3_64(frame);
    }
    let mut all = Xxh3Default::new();
    for frame in frames {
        all.update(frame);
    }
    all.digest()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is kept"
)]
fn frame_sum(frame: &[u8]) -> u32 {
    xxh3_64(frame) as u32
}

/// Lengths and counts are bounded by frames of 1 MiB; a value of 4 PiB does not exist.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn take(bytes: &[u8], needed: usize) -> Result<&[u8], Unreadable> {
    let short = Unreadable::TooShort {
        bytes: bytes.len(),
        needed,
    };
    bytes.get(..needed).ok_or(short)
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    bytes[place..]
        .first_chunk()
        .copied()
        .map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    bytes[place..]
        .first_chunk()
        .copied()
        .map_or(0, u64::from_le_bytes)
}
