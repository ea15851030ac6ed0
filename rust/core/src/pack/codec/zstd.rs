//! One thread's zstd contexts, and what a dictionary becomes for them.
//!
//! Ground rules. A context belongs to whoever holds `&mut Coder`: two threads have two coders. It is
//! made when first used and kept, because making one halves the speed at 1 KB. Packing goes to the
//! coder's own space, unpacking to the caller's, which has exactly the room that the frame must
//! fill: a frame that lies about its size finds no memory to write to.

use std::fmt;
use std::io;

use zstd::dict::from_continuous;
use zstd::zstd_safe::{CCtx, CDict, DCtx, DDict, compress_bound};

use super::Level;
use crate::pack::dictionary::Dictionary;
use crate::pack::error::Unreadable;

/// Packs and unpacks one frame at a time.
#[derive(Default)]
pub struct Coder {
    packing: Option<CCtx<'static>>,
    unpacking: Option<DCtx<'static>>,
    space: Vec<u8>,
}

impl Coder {
    /// Contexts are made when they are needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The packed frame, until the next verb; None if there is no memory for it.
    pub fn pack(&mut self, raw: &[u8], level: Level, with: Option<&Dictionary>) -> Option<&[u8]> {
        let bound = compress_bound(raw.len());
        if self.space.len() < bound {
            self.space.resize(bound, 0);
        }
        if self.packing.is_none() {
            self.packing = CCtx::try_create();
        }
        let context = self.packing.as_mut()?;
        let space = self.space.as_mut_slice();
        let packed = match with {
            Some(dictionary) => {
                context.compress_using_cdict(space, raw, dictionary.prepared().packing()?)
            }
            None => context.compress(space, raw, level.number()),
        };
        packed.ok().and_then(|length| self.space.get(..length))
    }

    /// Unpacks a frame that must fill `into` exactly. `index` is its place, for the error.
    pub fn unpack(
        &mut self,
        index: usize,
        packed: &[u8],
        into: &mut [u8],
        with: Option<&Dictionary>,
    ) -> Result<(), Unreadable> {
        if self.unpacking.is_none() {
            self.unpacking = DCtx::try_create();
        }
        let context = self.unpacking.as_mut().ok_or(Unreadable::NoMemory)?;
        let unpacked = match with {
            Some(dictionary) => {
                let prepared = dictionary.prepared().unpacking();
                let prepared = prepared.ok_or(Unreadable::NoMemory)?;
                context.decompress_using_ddict(into, packed, prepared)
            }
            None => context.decompress(into, packed),
        };
        match unpacked {
            Ok(length) if length == into.len() => Ok(()),
            _ => Err(Unreadable::Frame { index }),
        }
    }
}

impl fmt::Debug for Coder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Coder");
        shown
            .field("space", &self.space.len())
            .finish_non_exhaustive()
    }
}

/// A dictionary digested for both directions: immutable, shared by the coders of all threads.
pub(in crate::pack) struct Prepared {
    fast: Option<CDict<'static>>,
    unpacking: Option<DDict<'static>>,
}

impl Prepared {
    /// For unpacking only, or also for packing: the latter takes several times the memory.
    pub(in crate::pack) fn new(bytes: &[u8], packs: bool) -> Self {
        let fast = packs.then(|| CDict::try_create(bytes, Level::Fast.number()));
        Self {
            fast: fast.flatten(),
            unpacking: DDict::try_create(bytes),
        }
    }

    /// Whether it can be used at all: zstd understands it.
    pub(in crate::pack) const fn is_sound(&self) -> bool {
        self.unpacking.is_some()
    }

    /// Whether it packs as well.
    pub(in crate::pack) const fn packs(&self) -> bool {
        self.fast.is_some()
    }

    /// Small values are packed at one level: above 8 KiB there is no dictionary.
    const fn packing(&self) -> Option<&CDict<'static>> {
        self.fast.as_ref()
    }

    const fn unpacking(&self) -> Option<&DDict<'static>> {
        self.unpacking.as_ref()
    }
}

/// A dictionary of at most `bytes`; None if the samples have too little in common.
pub(in crate::pack) fn train(joined: &[u8], lengths: &[usize], bytes: usize) -> Option<Vec<u8>> {
    let trained: io::Result<Vec<u8>> = from_continuous(joined, lengths, bytes);
    trained.ok()
}
