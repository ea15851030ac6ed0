//! A budget: what is spent and what is reserved stay within an amount.
//!
//! Ground rules. A permit reserves its cost; its end turns that into what was really spent. A cost
//! above what is not yet spent is refused at once, for waiting cannot help; one that only others'
//! reservations keep out waits for their ends. In a new period nothing is spent nor reserved: what a
//! call of an older period spends above its reservation counts in the new one, what it leaves over
//! is gone. A warning is given once a period for each share.

use crate::clock::Nanos;

/// What happens when a call in flight needs more than its budget has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overrun {
    /// It goes on, and the budget is in debt.
    #[default]
    Finish,
    /// It is told no, and should stop.
    Cancel,
}

/// `spent + reserved <= amount`, until `ends` if there is an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    amount: u64,
    spent: u64,
    reserved: u64,
    since: Nanos,
    /// `Nanos::MAX`: never, or not named yet.
    ends: Nanos,
    overrun: Overrun,
    /// Shares of the amount in thousandths, ascending, and how many of them were passed.
    warn: Box<[u16]>,
    warned: usize,
}

impl Budget {
    pub(crate) fn new(
        amount: u64,
        since: Nanos,
        ends: Option<Nanos>,
        warn: &[u16],
        overrun: Overrun,
    ) -> Self {
        let mut warn: Box<[u16]> = warn.into();
        warn.sort_unstable();
        Self {
            amount,
            spent: 0,
            reserved: 0,
            since,
            ends: ends.unwrap_or(Nanos::MAX),
            overrun,
            warn,
            warned: 0,
        }
    }

    pub(crate) const fn amount(&self) -> u64 {
        self.amount
    }

    /// Now, or when others have ended: nobody knows when.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        if self.used(now).saturating_add(units) <= self.amount {
            now
        } else if units <= self.amount {
            // A new period is the latest time at which it can be paid.
            self.ends
        } else {
            Nanos::MAX
        }
    }

    /// What calls in flight hold of this period.
    pub(crate) const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// So much is neither spent nor held.
    pub(crate) const fn has(&self, units: u64) -> bool {
        self.spent
            .saturating_add(self.reserved)
            .saturating_add(units)
            <= self.amount
    }

    /// What waiting can never pay within this period.
    pub(crate) fn refuses(&self, units: u64, now: Nanos) -> bool {
        units > self.remaining(now)
    }

    /// With `units` taken now, `claim` can still be paid: what others hold may never come back.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, now: Nanos) -> bool {
        self.used(now).saturating_add(units).saturating_add(claim) <= self.amount
    }

    /// Reserves `units`, whatever is left.
    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        self.turn(now);
        self.reserved = self.reserved.saturating_add(units);
    }

    /// A call in flight may reserve more, if need be as a debt.
    pub(crate) fn may_extend(&self, more: u64, now: Nanos) -> bool {
        let fits = self.used(now).saturating_add(more) <= self.amount;
        fits || self.overrun == Overrun::Finish
    }

    /// Reserves more for a call that reserved at `taken`. What was reserved in an older period is
    /// not in the books of this one, so there the difference is booked as spent.
    pub(crate) fn extend(&mut self, more: u64, taken: Nanos, now: Nanos) {
        self.turn(now);
        if taken >= self.since {
            self.reserved = self.reserved.saturating_add(more);
        } else {
            self.spent = self.spent.saturating_add(more);
        }
    }

    /// Turns what was reserved at `taken` into what was spent.
    pub(crate) fn settle(&mut self, reserved: u64, actual: u64, taken: Nanos, now: Nanos) {
        self.turn(now);
        if taken >= self.since {
            self.reserved = self.reserved.saturating_sub(reserved);
            self.spent = self.spent.saturating_add(actual);
        } else {
            self.spent = self.spent.saturating_add(actual.saturating_sub(reserved));
        }
    }

    /// The next share that was passed and not yet told.
    pub(crate) fn next_warning(&mut self) -> Option<u16> {
        let share = *self.warn.get(self.warned)?;
        let passed = u128::from(self.spent) * 1_000 >= u128::from(self.amount) * u128::from(share);
        passed.then(|| {
            self.warned += 1;
            share
        })
    }

    pub(crate) fn used(&self, now: Nanos) -> u64 {
        if now >= self.ends {
            0
        } else {
            self.spent.saturating_add(self.reserved)
        }
    }

    /// What is not spent; others may have reserved it.
    pub(crate) fn remaining(&self, now: Nanos) -> u64 {
        let spent = if now >= self.ends { 0 } else { self.spent };
        self.amount.saturating_sub(spent)
    }

    pub(crate) fn spent(&self, now: Nanos) -> u64 {
        if now >= self.ends { 0 } else { self.spent }
    }

    /// When it is whole again.
    pub(crate) fn resets_at(&self) -> Option<Nanos> {
        (self.ends != Nanos::MAX).then_some(self.ends)
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        self.used(now) == 0
    }

    pub(crate) fn change(&mut self, amount: u64) {
        self.amount = amount;
        let told =
            |share: &u16| u128::from(self.spent) * 1_000 >= u128::from(amount) * u128::from(*share);
        // A larger amount may be used up to a share a second time, a smaller one warns anew.
        self.warned = self
            .warned
            .min(self.warn.iter().take_while(|share| told(share)).count());
    }

    /// Names the end of the period that is open at `now`.
    pub(crate) fn roll(&mut self, ends: Nanos, now: Nanos) {
        self.turn(now);
        // Later than what was taken in it, so that a permit knows its window by its time.
        self.ends = ends.max(now.saturating_add(Nanos(1)));
    }

    fn turn(&mut self, now: Nanos) {
        if now >= self.ends {
            (self.spent, self.reserved, self.warned) = (0, 0, 0);
            self.since = self.ends;
            self.ends = Nanos::MAX;
        }
    }
}
