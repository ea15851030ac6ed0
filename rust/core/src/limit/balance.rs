//! What one limit has left: the same verbs for each shape.
//!
//! Ground rules. `payable_at` is a question; `take` does what it is told, even into debt; `refund`
//! undoes what was taken at a given time as far as that still counts. None of them waits, and none
//! looks at claims: that is `pass.rs`.

use super::bucket::Bucket;
use super::budget::Budget;
use super::calendar::Calendar;
use super::lease::Lease;
use super::rule::Shape;
use super::slots::Slots;
use super::window::Window;
use super::{Adaptive, RefusalKind};
use crate::clock::Nanos;

/// One limit of one scope.
#[derive(Debug, Default)]
pub(crate) enum Balance {
    Bucket(Bucket),
    // A ring is large, and most limits have none.
    Window(Box<Window>),
    Calendar(Calendar),
    Slots(Slots),
    Budget(Box<Budget>),
    Lease(Box<Lease>),
    /// What one call may cost, whatever others did.
    Each(u64),
    /// Its rule was removed: it lets everything pass.
    #[default]
    Open,
}

impl Balance {
    pub(crate) fn new(shape: &Shape, now: Nanos) -> Self {
        match *shape {
            Shape::Bucket { n, per, burst } => Self::Bucket(Bucket::new(n, per, burst)),
            Shape::Window { n, per } => Self::Window(Box::new(Window::new(n, per))),
            Shape::Calendar { n, ends } => Self::Calendar(Calendar::new(n, now, ends)),
            Shape::Slots { n, adaptive } => Self::Slots(Slots::new(
                n,
                adaptive.map(|config| Adaptive::new(config, n)),
            )),
            Shape::Budget {
                amount,
                ends,
                ref warn,
                overrun,
            } => Self::Budget(Box::new(Budget::new(amount, now, ends, warn, overrun))),
            Shape::Lease { capacity } => Self::Lease(Box::new(Lease::new(capacity))),
            Shape::Each { most } => Self::Each(most),
        }
    }

    /// When `units` can be paid; `Nanos::MAX` if nobody knows. Ask `refuses` whether it is ever.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        match self {
            Self::Bucket(bucket) => bucket.payable_at(units, now),
            Self::Window(window) => window.payable_at(units, now),
            Self::Calendar(calendar) => calendar.payable_at(units, now),
            Self::Slots(slots) => slots.payable_at(units, now),
            Self::Budget(budget) => budget.payable_at(units, now),
            Self::Lease(lease) => lease.payable_at(units, now),
            Self::Each(most) if units > *most => Nanos::MAX,
            Self::Open | Self::Each(_) => now,
        }
    }

    /// Why waiting cannot help; `None` if it can.
    pub(crate) fn refuses(&self, units: u64, now: Nanos) -> Option<RefusalKind> {
        match self {
            Self::Budget(budget) => budget.refuses(units, now).then_some(RefusalKind::Budget),
            Self::Slots(_) | Self::Open => None,
            Self::Each(most) => (units > *most).then_some(RefusalKind::Budget),
            Self::Lease(lease) if units <= lease.capacity() => {
                (lease.is_away() && lease.left(now) < units).then_some(RefusalKind::Away)
            }
            _ => (units > self.most()).then_some(RefusalKind::Impossible),
        }
    }

    /// With `units` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.still_pays(units, claim, at, now),
            Self::Window(window) => window.still_pays(units, claim, at, now),
            Self::Calendar(calendar) => calendar.still_pays(units, claim, at, now),
            Self::Slots(slots) => slots.still_pays(units, claim, at, now),
            Self::Budget(budget) => budget.still_pays(units, claim, now),
            Self::Lease(lease) => lease.still_pays(units, claim, at, now),
            Self::Open | Self::Each(_) => true,
        }
    }

    /// `units` are free now.
    pub(crate) fn has(&self, units: u64, now: Nanos) -> bool {
        self.payable_at(units, now) <= now
    }

    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        match self {
            Self::Bucket(bucket) => bucket.take(units, now),
            Self::Window(window) => window.take(units, now),
            Self::Calendar(calendar) => calendar.take(units, now),
            Self::Slots(slots) => slots.take(),
            Self::Budget(budget) => budget.take(units, now),
            Self::Lease(lease) => lease.take(units, now),
            Self::Open | Self::Each(_) => {}
        }
    }

    /// Undoes a take: never more than what still counts of it.
    pub(crate) fn refund(&mut self, units: u64, taken: Nanos, now: Nanos) {
        match self {
            Self::Bucket(bucket) => bucket.refund(units, taken),
            Self::Window(window) => window.refund(units, taken),
            Self::Calendar(calendar) => calendar.refund(units, taken, now),
            Self::Slots(slots) => slots.refund(),
            Self::Budget(budget) => budget.settle(units, 0, taken, now),
            Self::Lease(lease) => lease.refund(units, taken, now),
            Self::Open | Self::Each(_) => {}
        }
    }

    /// A permit ends: `actual` was spent where `reserved` had been taken. True if something came
    /// back that others may wait for.
    pub(crate) fn settle(&mut self, reserved: u64, actual: u64, taken: Nanos, now: Nanos) -> bool {
        match self {
            Self::Slots(slots) => slots.refund(),
            Self::Budget(budget) => budget.settle(reserved, actual, taken, now),
            Self::Each(_) => return false,
            _ if actual > reserved => self.take(actual - reserved, now),
            _ if actual < reserved => self.refund(reserved - actual, taken, now),
            _ => return false,
        }
        true
    }

    /// A call in flight may take more: only a budget ever says no.
    pub(crate) fn may_extend(&self, more: u64, now: Nanos) -> bool {
        match self {
            Self::Budget(budget) => budget.may_extend(more, now),
            _ => true,
        }
    }

    /// A call in flight takes more, into debt if it must.
    pub(crate) fn extend(&mut self, more: u64, taken: Nanos, now: Nanos) {
        match self {
            Self::Slots(_) | Self::Each(_) => {}
            Self::Budget(budget) => budget.extend(more, taken, now),
            _ => self.take(more, now),
        }
    }

    /// When a window of the calendar begins anew, if that is known.
    pub(crate) fn resets_at(&self) -> Option<Nanos> {
        match self {
            Self::Calendar(calendar) => calendar.resets_at(),
            Self::Budget(budget) => budget.resets_at(),
            _ => None,
        }
    }

    /// Lowers what is left to what a provider says.
    pub(crate) fn lower(&mut self, units: u64, now: Nanos) {
        match self {
            Self::Bucket(bucket) => bucket.lower(units, now),
            Self::Window(window) => window.lower(units, now),
            Self::Calendar(calendar) => calendar.lower(units, now),
            // A provider does not count these.
            Self::Slots(_) | Self::Budget(_) | Self::Lease(_) | Self::Open | Self::Each(_) => {}
        }
    }

    /// Units of its rate; meaningless without one.
    pub(crate) fn rate(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.rate(),
            _ => self.most(),
        }
    }

    /// What it has is used up by calls, and not only occupied.
    pub(crate) const fn is_spent(&self) -> bool {
        !matches!(self, Self::Slots(_) | Self::Open | Self::Each(_))
    }

    /// A provider may count the same.
    pub(crate) const fn has_rate(&self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Window(_) | Self::Calendar(_))
    }

    /// Takes over the size that a provider names.
    pub(crate) fn resize(&mut self, n: u64, now: Nanos) {
        match self {
            Self::Bucket(bucket) => bucket.resize(n, now),
            Self::Window(window) => window.resize(n),
            Self::Calendar(calendar) => calendar.change(n),
            _ => {}
        }
    }

    /// Takes over another size; what is spent stays spent.
    pub(crate) fn change(&mut self, shape: &Shape, now: Nanos) {
        match (self, shape) {
            (Self::Bucket(bucket), &Shape::Bucket { n, per, burst }) => {
                bucket.change(n, per, burst, now);
            }
            (Self::Window(window), &Shape::Window { n, per }) => window.change(n, per, now),
            (Self::Calendar(calendar), &Shape::Calendar { n, .. }) => calendar.change(n),
            (Self::Slots(slots), &Shape::Slots { n, .. }) => slots.change(n),
            (Self::Budget(budget), &Shape::Budget { amount, .. }) => budget.change(amount),
            (Self::Lease(lease), &Shape::Lease { capacity }) => lease.change(capacity),
            (Self::Each(own), &Shape::Each { most }) => *own = most,
            // A limit keeps the shape of its rule.
            _ => {}
        }
    }

    /// How long so many units take to flow in at the full rate; zero where nothing flows.
    pub(crate) fn span_of(&self, units: u64) -> Nanos {
        match self {
            Self::Bucket(bucket) => bucket.span_of(units),
            Self::Window(window) => window.span_of(units),
            _ => Nanos::ZERO,
        }
    }

    /// Seconds in which one unit flows in; zero where nothing flows.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nanoseconds and units of 53 bits"
    )]
    pub(crate) fn seconds_per_unit(&self) -> f64 {
        let (n, per) = match self {
            Self::Bucket(bucket) => (bucket.rate(), bucket.period()),
            Self::Window(window) => (window.n(), window.per()),
            _ => return 0.0,
        };
        per.0 as f64 / 1e9 / n.max(1) as f64
    }

    /// Names the end of a calendar window.
    pub(crate) fn roll(&mut self, ends: Nanos, now: Nanos) {
        match self {
            Self::Calendar(calendar) => calendar.roll(ends, now),
            Self::Budget(budget) => budget.roll(ends, now),
            _ => {}
        }
    }

    /// The most that one call may cost: the burst, n, the amount.
    pub(crate) fn most(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.burst(),
            Self::Window(window) => window.n(),
            Self::Calendar(calendar) => calendar.n(),
            Self::Slots(slots) => u64::from(slots.limit()),
            Self::Budget(budget) => budget.amount(),
            Self::Lease(lease) => lease.capacity(),
            Self::Open => u64::MAX,
            Self::Each(most) => *most,
        }
    }

    /// Units that are spent or held now.
    pub(crate) fn used(&self, now: Nanos) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.used(now),
            Self::Window(window) => window.used(now),
            Self::Calendar(calendar) => calendar.used(now),
            Self::Slots(slots) => u64::from(slots.in_use()),
            Self::Budget(budget) => budget.used(now),
            Self::Lease(lease) => lease.capacity().saturating_sub(lease.left(now)),
            Self::Open | Self::Each(_) => 0,
        }
    }

    /// Units that a call may still take; of a budget those that are not spent.
    pub(crate) fn remaining(&self, now: Nanos) -> u64 {
        match self {
            Self::Budget(budget) => budget.remaining(now),
            _ => self.most().saturating_sub(self.used(now)),
        }
    }

    /// Forgetting it would change nothing.
    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.is_at_rest(now),
            Self::Window(window) => window.is_at_rest(now),
            Self::Calendar(calendar) => calendar.is_at_rest(now),
            Self::Slots(slots) => slots.is_at_rest(),
            Self::Budget(budget) => budget.is_at_rest(now),
            Self::Lease(lease) => lease.is_at_rest(now),
            Self::Open | Self::Each(_) => true,
        }
    }

    /// The end of a permit gives something back, even if it cost what was reserved.
    pub(crate) const fn returns(&self) -> bool {
        matches!(self, Self::Slots(_) | Self::Budget(_))
    }
}
