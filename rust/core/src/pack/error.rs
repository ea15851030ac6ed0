//! Why a parcel cannot be read: plain data, one variant a cause.

use std::fmt;

/// Why [`crate::pack::Parcel`] gives nothing. No cause leaves a part of a value behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Fewer bytes than the header says, or than a header has.
    TooShort {
        /// Bytes given.
        bytes: usize,
        /// Bytes that must be there.
        needed: usize,
    },
    /// The first bytes are not those of a parcel.
    NotAParcel,
    /// Written by a newer release: an unknown version, codec or flag.
    Newer,
    /// The header's checksum is wrong, or its numbers contradict each other.
    Header,
    /// The value is larger than the reader allows; nothing was allocated.
    TooLarge {
        /// Bytes that the header claims.
        bytes: u64,
        /// Bytes that the reader allows.
        limit: u64,
    },
    /// The payload's checksum is wrong.
    Payload,
    /// A frame cannot be unpacked, or gives more or less than it must.
    Frame {
        /// Its place in the parcel, from 0.
        index: usize,
    },
    /// It was packed with a dictionary that the reader was not given.
    DictionaryMissing {
        /// The dictionary's id.
        id: u32,
    },
    /// The codec is known, but was left out of this build.
    NoCodec,
    /// There is no memory for a context.
    NoMemory,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes, needed } => {
                write!(
                    formatter,
                    "it has {bytes} bytes and needs {needed}: torn off"
                )
            }
            Self::NotAParcel => write!(formatter, "it does not begin as a parcel does"),
            Self::Newer => write!(formatter, "it was written by a newer release"),
            Self::Header => write!(formatter, "its header is damaged"),
            Self::TooLarge { bytes, limit } => {
                write!(formatter, "it claims {bytes} bytes, {limit} are allowed")
            }
            Self::Payload => write!(formatter, "its payload is damaged"),
            Self::Frame { index } => write!(formatter, "its frame {index} is damaged"),
            Self::DictionaryMissing { id } => write!(formatter, "it needs the dictionary {id}"),
            Self::NoCodec => write!(formatter, "it is packed with zstd, which is not built in"),
            Self::NoMemory => write!(formatter, "there is no memory to unpack it"),
        }
    }
}

impl std::error::Error for Unreadable {}
