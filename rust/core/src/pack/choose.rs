//! How a value is packed, by its size and what it is packed for: one table.

use super::codec::{Codec, Level};

/// What a value is packed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The store, the cache, the journal.
    #[default]
    Keep,
    /// Another process, at once.
    Wire,
    /// A segment that is hardly ever read: smaller at the cost of time.
    Cold,
}

/// How to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The codec.
    pub codec: Codec,
    /// Its level; without meaning for raw.
    pub level: Level,
    /// Whether the tool's dictionary is used if there is one.
    pub dictionary: bool,
}

/// From this size on a value is worth packing, and a sample for a dictionary.
pub const LEAST: usize = 512;
/// From this size on a dictionary no longer gains anything.
pub const DICTIONARY_BELOW: usize = 8 << 10;
/// A value is kept raw if it is not smaller by this: hundredths.
const LEAST_GAIN: usize = 115;

/// Below so many bytes, this is the choice. Measured on JSON of tools (the decision on zstd).
const ROWS: [(usize, Choice); 2] = [
    (
        LEAST,
        Choice {
            codec: Codec::Raw,
            level: Level::Fast,
            dictionary: false,
        },
    ),
    (
        DICTIONARY_BELOW,
        Choice {
            codec: Codec::Zstd,
            level: Level::Fast,
            dictionary: true,
        },
    ),
];
const LARGER: Choice = Choice {
    codec: Codec::Zstd,
    level: Level::Fast,
    dictionary: false,
};

/// The choice for a value of so many bytes.
#[must_use]
pub fn choose(bytes: usize, purpose: Purpose) -> Choice {
    let row = ROWS.iter().find(|(below, _)| bytes < *below);
    let choice = row.map_or(LARGER, |(_, choice)| *choice);
    match purpose {
        Purpose::Cold => Choice {
            level: Level::Small,
            ..choice
        },
        Purpose::Keep | Purpose::Wire => choice,
    }
}

/// Whether a value of `raw` bytes is better kept packed.
#[must_use]
pub const fn is_worth(raw: usize, packed: usize) -> bool {
    packed.saturating_mul(LEAST_GAIN) <= raw.saturating_mul(100)
}
