//! The door to the limits: the scheduler asks, somebody else counts.

use crate::clock::Nanos;

/// What a limiter gave for an admitted call. The scheduler keeps it and hands it back once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permit(pub u32);

impl Permit {
    /// Nothing was taken, so nothing is handed back.
    pub const NONE: Self = Self(u32::MAX);
}

/// The answer of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Every limit of the set has paid.
    Granted(Permit),
    /// Not now, and nothing was taken: `release` readies the call when it is worth asking again.
    Parked,
    /// Never: the call ends rejected.
    Refused,
}

/// Whoever keeps the limits.
pub trait Admit {
    /// Takes `cost` from every limit of `set` at `now`, or from none.
    fn admit(&mut self, set: u32, cost: u64, now: Nanos) -> Admission;
}

/// No limits at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Admit for Unlimited {
    fn admit(&mut self, _set: u32, _cost: u64, _now: Nanos) -> Admission {
        Admission::Granted(Permit::NONE)
    }
}
