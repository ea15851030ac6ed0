//! A calendar window: `n` units until a boundary that the owner of the calendar names.
//!
//! Ground rules. A boundary that has come opens the next window at once, whose end is not known
//! until it is named: then the limit is too strict for a while, never too lenient. A window that has
//! begun is never opened a second time, whatever the wall clock does.

use crate::clock::Nanos;

/// `n` units from `since` to `ends`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calendar {
    n: u64,
    used: u64,
    since: Nanos,
    ends: Nanos,
}

impl Calendar {
    pub(crate) const fn new(n: u64, since: Nanos, ends: Nanos) -> Self {
        Self {
            n,
            used: 0,
            since,
            ends,
        }
    }

    pub(crate) const fn n(&self) -> u64 {
        self.n
    }

    /// When `units`, at most `n`, can be paid.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        if now >= self.ends || self.used.saturating_add(units) <= self.n {
            now
        } else {
            self.ends
        }
    }

    /// With `units` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        let ends = if now >= self.ends {
            Nanos::MAX
        } else {
            self.ends
        };
        at >= ends || self.used(now).saturating_add(units).saturating_add(claim) <= self.n
    }

    /// Spends `units`, whatever is left.
    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        self.turn(now);
        self.used = self.used.saturating_add(units);
    }

    /// Gives back what was taken at `taken`, if that was in this window.
    pub(crate) fn refund(&mut self, units: u64, taken: Nanos, now: Nanos) {
        self.turn(now);
        if taken >= self.since {
            self.used = self.used.saturating_sub(units);
        }
    }

    /// Lowers what is left to `units`.
    pub(crate) fn lower(&mut self, units: u64, now: Nanos) {
        self.turn(now);
        self.used = self.used.max(self.n.saturating_sub(units));
    }

    pub(crate) fn used(&self, now: Nanos) -> u64 {
        if now >= self.ends { 0 } else { self.used }
    }

    pub(crate) fn resets_at(&self) -> Option<Nanos> {
        (self.ends != Nanos::MAX).then_some(self.ends)
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        self.used(now) == 0
    }

    pub(crate) fn change(&mut self, n: u64) {
        self.n = n;
    }

    /// Names the end of the window that is open at `now`.
    pub(crate) fn roll(&mut self, ends: Nanos, now: Nanos) {
        self.turn(now);
        // Later than what was taken in it, so that a permit knows its window by its time.
        self.ends = ends.max(now.saturating_add(Nanos(1)));
    }

    fn turn(&mut self, now: Nanos) {
        if now >= self.ends {
            self.used = 0;
            self.since = self.ends;
            self.ends = Nanos::MAX;
        }
    }
}
