//! The codecs: raw, and zstd if it is built in.

#[cfg(feature = "zstd")]
mod zstd;
#[cfg(not(feature = "zstd"))]
#[path = "codec/without.rs"]
mod zstd;

pub use zstd::Coder;
pub(super) use zstd::{Prepared, train};

/// How the frames of a parcel are packed. Numbers are part of the format; 3 is kept for lz4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As they are.
    Raw,
    /// Plain zstd frames.
    Zstd,
}

impl Codec {
    pub(super) const fn id(self) -> u8 {
        match self {
            Self::Raw => 1,
            Self::Zstd => 2,
        }
    }

    pub(super) const fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::Raw),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Time against size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// zstd-1.
    Fast,
    /// zstd-3: half the speed, a tenth smaller.
    Small,
}

impl Level {
    #[cfg_attr(
        not(feature = "zstd"),
        expect(dead_code, reason = "only zstd has levels")
    )]
    const fn number(self) -> i32 {
        match self {
            Self::Fast => 1,
            Self::Small => 3,
        }
    }
}
