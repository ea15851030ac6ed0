//! What a caller holds between the start and the end of its call.

/// One admitted call. It ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(super) generation: u32,
    /// The place of a probe; [`Ticket::NO_PROBE`] for others.
    pub(super) probe: u8,
}

impl Ticket {
    pub(super) const NO_PROBE: u8 = u8::MAX;

    pub(super) const fn plain(generation: u32) -> Self {
        Self {
            generation,
            probe: Self::NO_PROBE,
        }
    }

    /// The call is one of the few that find out whether the service works again.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe != Self::NO_PROBE
    }

    /// The ticket as one number: `generation << 8 | probe`.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 8) | self.probe as u64
    }

    /// The ticket that [`Self::to_bits`] gave; any other number is a ticket of nothing.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "two fields of one number")]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            generation: (bits >> 8) as u32,
            probe: bits as u8,
        }
    }
}
