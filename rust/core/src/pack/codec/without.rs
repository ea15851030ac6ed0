//! A build without zstd: everything stays raw, and a packed parcel says what is missing.

use super::Level;
use crate::pack::dictionary::Dictionary;
use crate::pack::error::Unreadable;

/// Packs nothing.
#[derive(Debug, Default)]
pub struct Coder;

impl Coder {
    /// There is nothing to make.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// Never: the value stays raw.
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "as with zstd"
    )]
    pub fn pack(
        &mut self,
        _raw: &[u8],
        _level: Level,
        _with: Option<&Dictionary>,
    ) -> Option<&[u8]> {
        None
    }

    /// Never.
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "as with zstd"
    )]
    pub fn unpack(
        &mut self,
        _index: usize,
        _packed: &[u8],
        _into: &mut [u8],
        _with: Option<&Dictionary>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::NoCodec)
    }
}

/// Nothing can be prepared.
pub(in crate::pack) struct Prepared;

impl Prepared {
    pub(in crate::pack) const fn new(_bytes: &[u8], _packs: bool) -> Self {
        Self
    }

    /// The bytes may be kept and passed on.
    #[expect(clippy::unused_self, reason = "as with zstd")]
    pub(in crate::pack) const fn is_sound(&self) -> bool {
        true
    }

    #[expect(clippy::unused_self, reason = "as with zstd")]
    pub(in crate::pack) const fn packs(&self) -> bool {
        false
    }
}

/// No training without zstd.
pub(in crate::pack) const fn train(
    _joined: &[u8],
    _lengths: &[usize],
    _bytes: usize,
) -> Option<Vec<u8>> {
    None
}
