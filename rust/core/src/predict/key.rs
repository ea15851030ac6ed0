//! The key of a call: its tool and its canonical arguments.
//!
//! Ground rules. Keys are sorted at every depth, integral floats are integers, white space is gone;
//! defaults of a schema and Unicode normal form are the caller's, who knows the schema. A key is 128
//! bits of xxh3 and a hit is confirmed on the bytes; arguments are never matched in part.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::json::Json;

/// Identifies a call's tool and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

/// Why arguments have no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// They are not JSON, or not an object.
    NotAnObject,
    /// They hold a number that a double cannot hold: another one would have the same key.
    Number,
}

/// The canonical arguments of a call, and their key.
///
/// # Errors
/// [`KeyError`]: such a call is never guessed, cached or joined.
pub fn canonical(tool: &str, arguments: &[u8]) -> Result<(Box<str>, Key), KeyError> {
    let parsed = Json::parse(arguments).map_err(|_| KeyError::NotAnObject)?;
    if !matches!(parsed, Json::Map(_)) {
        return Err(KeyError::NotAnObject);
    }
    let text = parsed.canonical().ok_or(KeyError::Number)?;
    let key = key_of(tool, &text);
    Ok((text.into(), key))
}

/// The key of arguments that are canonical already.
pub(crate) fn key_of(tool: &str, arguments: &str) -> Key {
    let mut hash = Xxh3::new();
    hash.update(&(tool.len() as u64).to_le_bytes()); // or ("a", "b1") would equal ("ab", "1")
    hash.update(tool.as_bytes());
    hash.update(arguments.as_bytes());
    Key(hash.digest128())
}

/// A name as a number. The same in every process, so that counts can be merged.
pub(crate) fn name_of(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// Several numbers as one; the order matters.
pub(crate) fn combine(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, part| {
        mixed(hash ^ mixed(*part))
    })
}

/// The finalizer of splitmix64: every bit of the input moves every bit of the output.
const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A table whose keys are hashes already: they are not hashed again.
pub(crate) type Table<V> = HashMap<u64, V, BuildHasherDefault<Plain>>;

/// A set of hashes.
pub(crate) type Marks = HashSet<u64, BuildHasherDefault<Plain>>;

/// Takes a hash for what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
