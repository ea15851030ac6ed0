//! Names of things that live in slabs: a place and the generation of whoever lives there.

/// One call, from its submission to its end; after that the id is stale and every verb ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// One batch; stale once its last call, detached ones too, has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(u64);

/// A tool, in the order in which tools were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u32);

/// A service, in the order in which services were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

macro_rules! place_and_generation {
    ($name:ident) => {
        impl $name {
            pub(crate) const fn new(generation: u32, place: u32) -> Self {
                Self(((generation as u64) << 32) | place as u64)
            }

            /// The id as one number, never 0: `generation << 32 | place`.
            #[must_use]
            pub const fn to_bits(self) -> u64 {
                self.0
            }

            /// The id that [`Self::to_bits`] gave; any other number is an id of nothing.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            /// The place alone: an index for a table kept beside the scheduler's own.
            #[must_use]
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the lower half is the place"
            )]
            pub const fn place(self) -> u32 {
                self.0 as u32
            }

            pub(crate) const fn generation(self) -> u32 {
                (self.0 >> 32) as u32
            }
        }
    };
}

place_and_generation!(CallId);
place_and_generation!(BatchId);
