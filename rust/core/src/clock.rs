//! Time as a value. The core never reads a clock: whoever calls a verb brings the time.

use std::cell::Cell;

/// A point in time, or a span of it, in nanoseconds of one monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The start of time, and the empty span.
    pub const ZERO: Self = Self(0);
    /// A time that never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// So many microseconds; the largest span if that does not fit.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// So many milliseconds; the largest span if that does not fit.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// So many seconds; the largest span if that does not fit.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Later by `span`; stops at [`Nanos::MAX`].
    #[must_use]
    pub const fn saturating_add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span since `earlier`; zero if that is not earlier.
    #[must_use]
    pub const fn saturating_sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// In seconds, for people and for Python.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits of nanoseconds are 104 days"
    )]
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Where the time comes from, for code that must ask for it.
pub trait Clock {
    /// The time now; never earlier than an answer before.
    fn now(&self) -> Nanos;
}

/// A clock that moves only when told: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Cell<Nanos>,
}

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, span: Nanos) {
        self.now.set(self.now.get().saturating_add(span));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        self.now.get()
    }
}
