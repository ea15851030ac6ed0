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
use super::parcel::{FRAME_BYTES, Form, Parcel, Sheet, frame_length};

/// A value ready for its header: in packed frames, or as it is.
#[derive(Debug)]
pub struct Packed<'a> {
    value: &'a [u8],
    smaller: Option<Vec<Vec<u8>>>,
    dictionary: DictionaryId,
}

impl<'a> Packed<'a> {
    /// The value as it is.
    #[must_use]
    pub const fn raw(value: &'a [u8]) -> Self {
        Self {
            value,
            smaller: None,
            dictionary: 0,
        }
    }

    /// Frames that were packed with `with`, if they are worth it: else the value as it is. None are
    /// given if there was no memory to pack them.
    #[must_use]
    pub fn judge(value: &'a [u8], frames: Option<Vec<Vec<u8>>>, with: Option<&Dictionary>) -> Self {
        let size = |frames: &Vec<Vec<u8>>| frames.iter().map(Vec::len).sum();
        match frames.filter(|frames| choose::is_worth(value.len(), size(frames))) {
            None => Self::raw(value),
            smaller => Self {
                value,
                smaller,
                dictionary: with.map_or(0, Dictionary::id),
            },
        }
    }

    /// Whether packing was worth it.
    #[must_use]
    pub const fn is_packed(&self) -> bool {
        self.smaller.is_some()
    }

    /// What follows the header, in order.
    #[must_use]
    pub fn frames(&self) -> Vec<&[u8]> {
        match &self.smaller {
            Some(frames) => frames.iter().map(Vec::as_slice).collect(),
            None if self.value.is_empty() => vec![&[]],
            None => self.value.chunks(FRAME_BYTES).collect(),
        }
    }

    /// The header for `frames()`.
    #[must_use]
    pub fn header(&self, form: Form, media: Media<'_>) -> Vec<u8> {
        let codec = if self.is_packed() {
            Codec::Zstd
        } else {
            Codec::Raw
        };
        let (dictionary, raw_length) = (self.dictionary, self.value.len() as u64);
        Sheet {
            codec,
            form,
            media,
            dictionary,
            raw_length,
        }
        .header(&self.frames())
    }

    /// Bytes of the packed frames; None if the value stays as it is.
    #[must_use]
    pub fn packed_length(&self) -> Option<usize> {
        let frames = self.smaller.as_ref()?;
        Some(frames.iter().map(Vec::len).sum())
    }

    /// Bytes behind the header.
    #[must_use]
    pub fn length(&self) -> usize {
        self.packed_length().unwrap_or(self.value.len())
    }

    /// Writes a header and the frames to where there is exactly room for them.
    pub fn write(&self, header: &[u8], into: &mut [u8]) {
        let mut left = into;
        for piece in std::iter::once(header).chain(self.frames()) {
            let (now, rest) = left.split_at_mut(piece.len().min(left.len()));
            now.copy_from_slice(&piece[..now.len()]);
            left = rest;
        }
    }

    /// The whole parcel. Who writes to a file writes the header and the frames without this copy.
    #[must_use]
    pub fn parcel(&self, form: Form, media: Media<'_>) -> Vec<u8> {
        let mut parcel = self.header(form, media);
        self.frames()
            .iter()
            .for_each(|frame| parcel.extend_from_slice(frame));
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
    let with = with.filter(|_| choice.dictionary);
    let frames = value
        .chunks(FRAME_BYTES)
        .map(|raw| pack_frame(coder, raw, choice.level, with));
    Packed::judge(value, frames.collect(), with)
}

/// Packs one frame.
#[must_use]
pub fn pack_frame(
    coder: &mut Coder,
    raw: &[u8],
    level: Level,
    with: Option<&Dictionary>,
) -> Option<Vec<u8>> {
    coder.pack(raw, level, with).map(<[u8]>::to_vec)
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
    match parcel.sheet().codec {
        Codec::Raw if packed.len() == into.len() => into.copy_from_slice(packed),
        Codec::Raw => return Err(Unreadable::Frame { index }),
        Codec::Zstd => coder.unpack(index, packed, into, needed(parcel, with)?)?,
    }
    Ok(())
}

/// The dictionary of the parcel, which must be the given one.
pub fn needed<'a>(
    parcel: &Parcel<'_>,
    with: Option<&'a Dictionary>,
) -> Result<Option<&'a Dictionary>, Unreadable> {
    let id = parcel.sheet().dictionary;
    match with.filter(|dictionary| dictionary.id() == id) {
        _ if id == 0 => Ok(None),
        None => Err(Unreadable::DictionaryMissing { id }),
        some => Ok(some),
    }
}

/// How many bytes `read` gives: fewer than asked for where the value ends.
#[must_use]
pub fn readable(parcel: &Parcel<'_>, offset: u64, length: usize) -> usize {
    let behind = parcel.sheet().raw_length.saturating_sub(offset);
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
    let mut left = into;
    let mut place = usize::try_from(offset).map_err(|_| Unreadable::Header)?;
    let first = place / FRAME_BYTES;
    for (index, packed) in parcel.frames().enumerate().skip(first) {
        if left.is_empty() {
            return Ok(());
        }
        let start = place % FRAME_BYTES;
        let whole = frame_length(parcel.sheet().raw_length, index);
        let taken = whole.saturating_sub(start).min(left.len());
        let (now, rest) = left.split_at_mut(taken);
        parcel.check_frame(index, packed)?;
        if taken == whole {
            unpack_frame(coder, parcel, index, packed, now, with)?;
        } else {
            read_frame(coder, parcel, (index, packed), start, now, with)?;
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
    parcel: &Parcel<'_>,
    (index, packed): (usize, &[u8]),
    start: usize,
    into: &mut [u8],
    with: Option<&Dictionary>,
) -> Result<(), Unreadable> {
    let range = start..start + into.len();
    if parcel.sheet().codec == Codec::Raw {
        into.copy_from_slice(packed.get(range).ok_or(Unreadable::Frame { index })?);
        return Ok(());
    }
    let mut whole = vec![0; frame_length(parcel.sheet().raw_length, index)];
    unpack_frame(coder, parcel, index, packed, &mut whole, with)?;
    into.copy_from_slice(&whole[range]);
    Ok(())
}
