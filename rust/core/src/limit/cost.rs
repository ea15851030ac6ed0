//! What a call costs, in the units that limits count.

/// The most of one unit that a call may cost: what a float of the host still holds exactly.
pub const MOST_UNITS: u64 = (1 << 53) - 1;

/// What a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Calls.
    #[default]
    Requests,
    /// Tokens that a model reads.
    InputTokens,
    /// Tokens that a model writes.
    OutputTokens,
    /// Both.
    TotalTokens,
    /// Millionths of a dollar.
    Microusd,
}

/// The price of one call. A slot comes on top wherever a limit has slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Calls: usually one.
    pub requests: u64,
    /// Tokens that a model reads.
    pub input_tokens: u64,
    /// Tokens that a model writes.
    pub output_tokens: u64,
    /// Millionths of a dollar.
    pub microusd: u64,
}

impl Default for Cost {
    fn default() -> Self {
        Self::ONE
    }
}

impl Cost {
    /// One call that costs nothing else.
    pub const ONE: Self = Self {
        requests: 1,
        input_tokens: 0,
        output_tokens: 0,
        microusd: 0,
    };

    /// Nothing but the slot.
    pub const ZERO: Self = Self {
        requests: 0,
        ..Self::ONE
    };

    /// So many calls.
    #[must_use]
    pub const fn requests(requests: u64) -> Self {
        Self {
            requests,
            ..Self::ONE
        }
    }

    /// What it costs in one unit.
    #[must_use]
    pub const fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::InputTokens => self.input_tokens,
            Unit::OutputTokens => self.output_tokens,
            Unit::TotalTokens => self.input_tokens.saturating_add(self.output_tokens),
            Unit::Microusd => self.microusd,
        }
    }

    /// What so many calls cost that are like this one.
    #[must_use]
    pub const fn times(&self, calls: u32) -> Self {
        let calls = calls as u64;
        Self {
            requests: self.requests.saturating_mul(calls),
            input_tokens: self.input_tokens.saturating_mul(calls),
            output_tokens: self.output_tokens.saturating_mul(calls),
            microusd: self.microusd.saturating_mul(calls),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, more: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
            microusd: self.microusd.saturating_add(more.microusd),
        }
    }
}

/// A price laid out by unit, so that each limit of a set reads its own with one load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts([u64; 8]);

/// The place of a unit in [`Amounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted(u8);

impl Counted {
    /// A slot: each call takes one, whatever else it costs.
    pub(crate) const SLOT: Self = Self(5);

    pub(crate) const fn unit(unit: Unit) -> Self {
        Self(unit as u8)
    }
}

impl Amounts {
    #[inline]
    pub(crate) const fn new(cost: &Cost) -> Self {
        let total = cost.input_tokens.saturating_add(cost.output_tokens);
        Self([
            cost.requests,
            cost.input_tokens,
            cost.output_tokens,
            total,
            cost.microusd,
            1,
            0,
            0,
        ])
    }

    #[inline]
    pub(crate) const fn of(&self, counted: Counted) -> u64 {
        self.0[(counted.0 & 7) as usize]
    }
}
