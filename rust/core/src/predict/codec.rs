//! Model to bytes and back. Little endian, lengths first, tables in the order of their keys.
//!
//! Ground rules. Equal models give equal bytes. Reading never trusts a length: nothing is reserved for
//! more than the bytes that are left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// A value with a stored form.
pub(crate) trait Stored: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// `None` if the bytes end early or mean nothing.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

macro_rules! stored_numbers {
    ($($kind:ty),*) => {$(
        impl Stored for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                let bytes = take(from, size_of::<Self>())?;
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

stored_numbers!(u8, u32, u64);

impl Stored for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let value = Self::from_le_bytes(take(from, 4)?.try_into().ok()?);
        value.is_finite().then_some(value)
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl Stored for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    // Bounded far below 2^32 by the memory of a predictor.
    u32::try_from(length).unwrap_or(u32::MAX).write(out);
}

fn read_length(from: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::read(from)?)
        .ok()
        .filter(|length| *length <= from.len())
}

impl Stored for Box<str> {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let length = read_length(from)?;
        std::str::from_utf8(take(from, length)?)
            .ok()
            .map(Into::into)
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let length = read_length(from)?;
        (0..length).map(|_| T::read(from)).collect()
    }
}

impl<T: Stored + Copy + Default, const N: usize> Stored for [T; N] {
    fn write(&self, out: &mut Vec<u8>) {
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let mut items = [T::default(); N];
        for item in &mut items {
            *item = T::read(from)?;
        }
        Some(items)
    }
}

impl<K: Stored + Ord, V: Stored> Stored for BTreeMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        write_entries(self.iter(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        read_entries(from)
    }
}

impl<K: Stored + Ord> Stored for BTreeSet<K> {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let length = read_length(from)?;
        (0..length).map(|_| K::read(from)).collect()
    }
}

impl<K: Stored + Ord + Hash, V: Stored> Stored for HashMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        let sorted: BTreeMap<&K, &V> = self.iter().collect();
        write_entries(sorted.into_iter(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        read_entries(from)
    }
}

fn write_entries<'a, K: Stored + 'a, V: Stored + 'a>(
    entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    out: &mut Vec<u8>,
) {
    write_length(entries.len(), out);
    for (key, value) in entries {
        key.write(out);
        value.write(out);
    }
}

fn read_entries<K: Stored, V: Stored, M: FromIterator<(K, V)>>(from: &mut &[u8]) -> Option<M> {
    let length = read_length(from)?;
    (0..length)
        .map(|_| Some((K::read(from)?, V::read(from)?)))
        .collect()
}

/// Gives a struct the stored form of its fields, in this order; others get their default.
macro_rules! stored {
    ($kind:ty { $($field:ident),* } $(default $($other:ident),*)?) => {
        impl $crate::predict::codec::Stored for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)*
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                Some(Self {
                    $($field: $crate::predict::codec::Stored::read(from)?,)*
                    $($($other: Default::default(),)*)?
                })
            }
        }
    };
}
pub(crate) use stored;
