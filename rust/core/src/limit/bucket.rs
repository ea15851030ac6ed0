//! A token bucket, exact for any rate.
//!
//! Ground rules: the caller brings the time; nothing here reads a clock, waits or allocates. What is
//! spent is one number, `paid_until`, in token-nanoseconds: a unit costs `period` of them and time
//! passes at `rate` a nanosecond, so no rate is ever rounded. A full bucket has `paid_until <= now`.
//! A debt moves `paid_until` beyond what the burst allows, and later calls wait for it. What flowed
//! in again cannot be given back a second time: a refund of what was taken before the bucket was
//! last full changes nothing.

use crate::clock::Nanos;

/// `rate` units each `period`, at most `burst` at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    rate: u64,
    period: u64,
    burst: u64,
    paid_until: i128,
    full_at: Nanos,
}

impl Bucket {
    pub(crate) fn new(rate: u64, period: Nanos, burst: u64) -> Self {
        Self {
            rate,
            period: period.0,
            burst,
            paid_until: i128::MIN,
            full_at: Nanos::ZERO,
        }
    }

    pub(crate) const fn rate(&self) -> u64 {
        self.rate
    }

    pub(crate) const fn period(&self) -> Nanos {
        Nanos(self.period)
    }

    pub(crate) const fn burst(&self) -> u64 {
        self.burst
    }

    /// When `units`, at most the burst, can be paid.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        let clock = self.scale(now);
        let payable_at = self.paid_until.max(clock) + self.price(units) - self.price(self.burst);
        if payable_at <= clock {
            now
        } else {
            self.unscale_up(payable_at)
        }
    }

    /// With `units` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        let at = self.scale(at.max(now));
        let paid_until = self.paid_until.max(self.scale(now)) + self.price(units);
        paid_until.max(at) + self.price(claim) - self.price(self.burst) <= at
    }

    /// Spends `units`, into debt if it must.
    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        let clock = self.scale(now);
        if self.paid_until <= clock {
            self.paid_until = clock;
            self.full_at = now;
        }
        self.paid_until += self.price(units);
    }

    /// Gives back what was taken at `taken`.
    pub(crate) fn refund(&mut self, units: u64, taken: Nanos) {
        if taken >= self.full_at {
            self.paid_until -= self.price(units);
        }
    }

    /// Lowers what is left to `units`.
    pub(crate) fn lower(&mut self, units: u64, now: Nanos) {
        let spent = self.price(self.burst.saturating_sub(units));
        self.paid_until = self.paid_until.max(self.scale(now) + spent);
    }

    /// How long so many units take to flow in, rounded up.
    pub(crate) fn span_of(&self, units: u64) -> Nanos {
        self.unscale_up(self.price(units))
    }

    /// Units spent and not yet flowed in again, rounded up.
    pub(crate) fn used(&self, now: Nanos) -> u64 {
        let debt = (self.paid_until.max(self.scale(now)) - self.scale(now)).unsigned_abs();
        let units = debt.div_ceil(u128::from(self.period.max(1)));
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        self.paid_until <= self.scale(now)
    }

    /// Takes over another rate. What is spent stays spent: a debt of so many units is kept.
    pub(crate) fn change(&mut self, rate: u64, period: Nanos, burst: u64, now: Nanos) {
        let debt = self.paid_until.max(self.scale(now)) - self.scale(now);
        let old = i128::from(self.period.max(1));
        let (whole, part) = (debt / old, debt % old);
        let new = i128::from(period.0);
        // In two steps, for the product of a large debt and a period may not fit; rounded up.
        let debt = whole * new + (part * new + old - 1) / old;
        (self.rate, self.period, self.burst) = (rate, period.0, burst);
        self.paid_until = self.scale(now) + debt;
    }

    /// Takes over another rate in the same period, and no more at once than that.
    pub(crate) fn resize(&mut self, rate: u64, now: Nanos) {
        self.change(rate, Nanos(self.period), self.burst.min(rate), now);
    }

    #[inline]
    const fn price(&self, units: u64) -> i128 {
        (units as u128 * self.period as u128).cast_signed()
    }

    #[inline]
    const fn scale(&self, now: Nanos) -> i128 {
        (now.0 as u128 * self.rate as u128).cast_signed()
    }

    /// The first nanosecond at which a scaled time has come.
    fn unscale_up(&self, scaled: i128) -> Nanos {
        let nanos = scaled.unsigned_abs().div_ceil(u128::from(self.rate.max(1)));
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
