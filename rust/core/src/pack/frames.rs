//! Packing and unpacking whole values, and parts of them, frame by frame.
//!
//! Ground rules. A frame needs nothing of the others, so a caller with threads hands each to a coder
//! of its own; the verbs here do the same one after the other. A value that is not worth it stays
//! raw: it is borrowed, and nothing was copied.

use super::choose::{self, Choice};
use super::codec::{Codec, Coder, Level};
use super::dictionary::{Dictionary, DictionaryId};
use super::error::Unreadable;
use super::media::Media;
use super::parcel::{FRAME_BYTES, Form, Outline, Parcel, Sheet, frame_length};

/// A value ready for its header: in packed frames, or as it is.
#[derive(Debug)]
pub struct Packed<'a> {
    value: &'a [u8],
    smaller: Smaller,
    dictionary: DictionaryId,
}

/// Packed frames. Most values have one, which then needs no list of its own.
#[derive(Debug)]
enum Smaller {
    No,
    One(Vec<u8>),
    Many(Vec<Vec<u8>>),
}

impl<'a> Packed<'a> {
    /// The value as it is.
    #[must_use]
    pub const fn raw(value: &'a [u8]) -> Self {
        Self {
            value,
            smaller: Smaller::No,
            dictionary: 0,
        }
    }

    /// Frames that were packed without a dictionary, if they are worth it: else the value as it is.
    /// None are given if there was no memory to pack them.
    #[must_use]
    pub fn judge(value: &'a [u8], frames: Option<Vec<Vec<u8>>>) -> Self {
        let length = |frames: &Vec<Vec<u8>>| frames.iter().map(Vec::len).sum();
        match frames.filter(|frames| choose::is_worth(value.len(), length(frames))) {
            None => Self::raw(value),
            Some(frames) => Self {
                value,
                smaller: Smaller::Many(frames),
                dictionary: 0,
            },
        }
    }

    fn judge_one(value: &'a [u8], frame: Option<&[u8]>, with: Option<&Dictionary>) -> Self {
        match frame.filter(|frame| choose::is_worth(value.len(), frame.len())) {
            None => Self::raw(value),
            Some(frame) => Self {
                value,
                smaller: Smaller::One(frame.to_vec()),
                dictionary: with.map_or(0, Dictionary::id),
            },
        }
    }

    /// Whether packing was worth it.
    #[must_use]
    pub const fn is_packed(&self) -> bool {
        !matches!(self.smaller, Smaller::No)
    }

    /// Bytes of the packed frames; None if the value stays as it is.
    #[must_use]
    pub fn packed_length(&self) -> Option<usize> {
        match &self.smaller {
            Smaller::No => None,
            Smaller::One(frame) => Some(frame.len()),
            Smaller::Many(frames) => Some(frames.iter().map(Vec::len).sum()),
        }
    }

    /// Bytes behind the header.
    #[must_use]
    pub fn length(&self) -> usize {
        self.packed_length().unwrap_or(self.value.len())
    }

    /// Shows what follows the header, in order.
    pub fn with_frames<R>(&self, look: impl FnOnce(&[&[u8]]) -> R) -> R {
        match &self.smaller {
            Smaller::No if self.value.len() <= FRAME_BYTES => look(&[self.value]),
            Smaller::No => look(&self.value.chunks(FRAME_BYTES).collect::<Vec<_>>()),
            Smaller::One(frame) => look(&[frame]),
            Smaller::Many(frames) => look(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        }
    }

    /// The header for these frames.
    #[must_use]
    pub fn header(&self, form: Form, media: Media<'_>) -> Vec<u8> {
        let codec = if self.is_packed() {
            Codec::Zstd
        } else {
            Codec::Raw
        };
        let sheet = Sheet {
            codec,
            form,
            media,
            dictionary: self.dictionary,
            raw_length: self.value.len() as u64,
        };
        self.with_frames(|frames| sheet.header(frames))
    }

    /// Writes a header and the frames to where there is exactly room for them.
    pub fn write(&self, header: &[u8], into: &mut [u8]) {
        self.with_frames(|frames| {
            let mut left = into;
            for piece in std::iter::once(&header).chain(frames) {
                let (now, rest) = left.split_at_mut(piece.len().min(left.len()));
                now.copy_from_slice(&piece[..now.len()]);
                left = rest;
            }
        });
    }

    /// The whole parcel. Who writes to a file writes the header and the frames without this copy.
    #[must_use]
    pub fn parcel(&self, form: Form, media: Media<'_>) -> Vec<u8> {
        let header = self.header(form, media);
        let mut parcel = vec![0; header.len() + self.length()];
        self.write(&header, &mut parcel);
        parcel
    }
}

/// Packs a value as chosen, frame after frame.
#[must_use]
pub fn pack<'a>(
    coder: &mut Coder,
    value: &'a [u8],
    choice: Choice,
    with: Option<&Dictionary>,
) -> Packed<'a> {
    if choice.codec == Codec::Raw {
        return Packed::raw(value);
    }
    if value.len() <= FRAME_BYTES {
        let with = with.filter(|_| choice.dictionary);
        let frame = coder.pack(value, choice.level, with);
        return Packed::judge_one(value, frame, with);
    }
    let frames = value.chunks(FRAME_BYTES);
    let frames = frames.map(|raw| pack_frame(coder, raw, choice.level));
    Packed::judge(value, frames.collect())
}

/// Packs one of many frames.
#[must_use]
pub fn pack_frame(coder: &mut Coder, raw: &[u8], level: Level) -> Option<Vec<u8>> {
    coder.pack(raw, level, None).map(<[u8]>::to_vec)
}

/// Unpacks everything into `into`, which has exactly the value's length.
pub fn unpack(
    coder: &mut Coder,
    parcel: &Parcel<'_>,
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    parcel.check()?;
    let frames = parcel.frames().zip(into.chunks_mut(FRAME_BYTES));
    for (index, (packed, into)) in frames.enumerate() {
        unpack_frame(coder, parcel, index, packed, into, with)?;
    }
    Ok(())
}

/// Unpacks one frame, whose sum the caller has checked.
pub fn unpack_frame(
    coder: &mut Coder,
    parcel: &Parcel<'_>,
    index: usize,
    packed: &[u8],
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    unpack_one(coder, parcel.sheet(), (index, packed), into, with)
}

fn unpack_one(
    coder: &mut Coder,
    sheet: &Sheet<'_>,
    (index, packed): (usize, &[u8]),
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    match sheet.codec {
        Codec::Raw if packed.len() == into.len() => into.copy_from_slice(packed),
        Codec::Raw => return Err(Unreadable::Frame { index }),
        Codec::Zstd => coder.unpack(index, packed, into, needed_by(sheet, with)?)?,
    }
    Ok(())
}

/// The dictionary of the parcel, which must be the given one.
pub fn needed<'a>(
    parcel: &Parcel<'_>,
    with: Option<&'a Dictionary>,
) -> Result<Option<&'a Dictionary>, Unreadable> {
    needed_by(parcel.sheet(), with)
}

fn needed_by<'a>(
    sheet: &Sheet<'_>,
    with: Option<&'a Dictionary>,
) -> Result<Option<&'a Dictionary>, Unreadable> {
    let id = sheet.dictionary;
    match with.filter(|dictionary| dictionary.id() == id) {
        _ if id == 0 => Ok(None),
        None => Err(Unreadable::DictionaryMissing { id }),
        some => Ok(some),
    }
}

/// How many bytes `read` gives: fewer than asked for where the value ends.
#[must_use]
pub fn readable(parcel: &Parcel<'_>, offset: u64, length: usize) -> usize {
    readable_of(parcel.sheet(), offset, length)
}

/// The same for a parcel of which only the header is there.
#[must_use]
pub fn readable_of(sheet: &Sheet<'_>, offset: u64, length: usize) -> usize {
    let behind = sheet.raw_length.saturating_sub(offset);
    usize::try_from(behind).map_or(length, |behind| behind.min(length))
}

/// Fills `into` with the value's bytes from `offset` on, of which there must be as many
/// ([`readable`]). Only the frames that hold them are checked and unpacked.
pub fn read(
    coder: &mut Coder,
    parcel: &Parcel<'_>,
    offset: u64,
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    let outline = parcel.outline();
    let span = outline.span(offset, into.len());
    let start = span.bytes.start - outline.header_length();
    read_part(
        coder,
        outline,
        &parcel.payload()[start..],
        offset,
        into,
        with,
    )
}

/// The same from a part of the parcel: the bytes that [`Outline::span`] names for this range.
pub fn read_part(
    coder: &mut Coder,
    outline: &Outline<'_>,
    part: &[u8],
    offset: u64,
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    let span = outline.span(offset, into.len());
    let mut left = into;
    let mut place = usize::try_from(offset).map_err(|_| Unreadable::Header)?;
    for (index, packed) in outline.frames_in(&span, part)? {
        let start = place % FRAME_BYTES;
        let whole = frame_length(outline.sheet().raw_length, index);
        let taken = whole.saturating_sub(start).min(left.len());
        let (now, rest) = left.split_at_mut(taken);
        outline.check_frame(index, packed)?;
        if taken == whole {
            unpack_one(coder, outline.sheet(), (index, packed), now, with)?;
        } else {
            read_frame(coder, outline.sheet(), (index, packed), start, now, with)?;
        }
        (left, place) = (rest, place + taken);
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(Unreadable::Header)
    }
}

/// A part of one frame. Packed ones are unpacked whole: a frame has no way in but its beginning.
fn read_frame(
    coder: &mut Coder,
    sheet: &Sheet<'_>,
    (index, packed): (usize, &[u8]),
    start: usize,
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    let range = start..start + into.len();
    if sheet.codec == Codec::Raw {
        into.copy_from_slice(packed.get(range).ok_or(Unreadable::Frame { index })?);
        return Ok(());
    }
    let mut whole = vec![0; frame_length(sheet.raw_length, index)];
    unpack_one(coder, sheet, (index, packed), &mut whole, with)?;
    into.copy_from_slice(&whole[range]);
    Ok(())
}
