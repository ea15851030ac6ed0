//! Dictionaries: what the results of one tool have in common, so that small ones pack well.
//!
//! Ground rules. A dictionary holds pieces of the values it was trained on, so it belongs to one
//! tenant and never meets another's values. It is immutable, and its id is made of its hash: whoever
//! has the bytes can tell that they are the right ones. A clash of ids is solved by a salt.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::choose::{DICTIONARY_BELOW, LEAST};
use super::codec::{Coder, Level, Prepared, train as train_bytes};

/// 31 bits; smaller ones are reserved by zstd's registry of dictionaries.
pub type DictionaryId = u32;

/// The first id that is free for private use.
pub const FIRST_ID: DictionaryId = 32_768;
const IDS: u64 = (1 << 31) - FIRST_ID as u64;
/// Tries to find a free id. A reader tries them as well, to see that the bytes belong to the id.
const SALTS: u64 = 16;
/// Larger ones pack no better and take longer to prepare.
const BYTES: usize = 16 << 10;
/// A dictionary that comes from outside; the largest that is prepared.
const MOST_BYTES: usize = 1 << 20;
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
const ID: std::ops::Range<usize> = 4..8;

/// Samples that a dictionary is trained on.
pub const TRAINING: usize = 200;
/// Samples that judge it, which it has not seen.
pub const JUDGING: usize = 50;
/// Against packing without: hundredths of the size.
const WORTH: usize = 90;

/// A dictionary of zstd, prepared for use.
pub struct Dictionary {
    id: DictionaryId,
    bytes: Box<[u8]>,
    prepared: Prepared,
}

impl Dictionary {
    /// A dictionary that somebody stored; None if these are not the bytes that its id was made of.
    /// One that `packs` takes several times the memory of one that only unpacks.
    #[must_use]
    pub fn load(bytes: &[u8], packs: bool) -> Option<Self> {
        let id = u32::from_le_bytes(bytes.get(ID)?.try_into().ok()?);
        let fits = bytes.starts_with(&MAGIC) && bytes.len() <= MOST_BYTES;
        if !fits || !(0..SALTS).any(|salt| id_of(&bytes[ID.end..], salt) == id) {
            return None;
        }
        let prepared = Prepared::new(bytes, packs);
        prepared.is_sound().then(|| Self {
            id,
            bytes: bytes.into(),
            prepared,
        })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DictionaryId {
        self.id
    }

    /// What is to be stored.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it packs as well as unpacks.
    #[must_use]
    pub const fn packs(&self) -> bool {
        self.prepared.packs()
    }

    #[cfg_attr(
        not(feature = "zstd"),
        expect(dead_code, reason = "nothing uses it then")
    )]
    pub(super) const fn prepared(&self) -> &Prepared {
        &self.prepared
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: they are pieces of somebody's results.
        let mut shown = formatter.debug_struct("Dictionary");
        shown
            .field("id", &self.id)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Whether a value of so many bytes is packed with dictionaries, and a sample for one.
#[must_use]
pub const fn is_sample(bytes: usize) -> bool {
    LEAST <= bytes && bytes < DICTIONARY_BELOW
}

/// Trains on the first four fifths of the samples and judges by the rest: None if that is less than
/// a tenth smaller than without. `is_taken` says which ids stand for something else.
pub fn train<S: AsRef<[u8]>>(
    samples: &[S],
    is_taken: impl Fn(DictionaryId) -> bool,
) -> Option<Dictionary> {
    let (training, judging) = samples.split_at(samples.len() * TRAINING / (TRAINING + JUDGING));
    let lengths: Vec<usize> = training
        .iter()
        .map(|sample| sample.as_ref().len())
        .collect();
    let joined: Vec<u8> = training.iter().flat_map(AsRef::as_ref).copied().collect();
    let mut bytes = train_bytes(&joined, &lengths, BYTES)?;
    let content = bytes.get(ID.end..)?;
    let mut ids = (0..SALTS).map(|salt| id_of(content, salt));
    let id = ids.find(|&id| !is_taken(id))?;
    bytes.get_mut(ID)?.copy_from_slice(&id.to_le_bytes());
    let dictionary = Dictionary::load(&bytes, true)?;
    is_worth_it(&dictionary, judging).then_some(dictionary)
}

fn is_worth_it<S: AsRef<[u8]>>(dictionary: &Dictionary, judging: &[S]) -> bool {
    let mut coder = Coder::new();
    let mut total = |with: Option<&Dictionary>| -> Option<usize> {
        let each = judging.iter().map(|sample| {
            coder
                .pack(sample.as_ref(), Level::Fast, with)
                .map(<[u8]>::len)
        });
        each.sum()
    };
    match (total(Some(dictionary)), total(None)) {
        (Some(with), Some(without)) => without > 0 && with * 100 <= without * WORTH,
        _ => false,
    }
}

/// 31 bits of the hash, above what is reserved.
fn id_of(content: &[u8], salt: u64) -> DictionaryId {
    let id = u64::from(FIRST_ID) + xxh3_64_with_seed(content, salt) % IDS;
    u32::try_from(id).unwrap_or(FIRST_ID)
}
