//! Slots: how many calls may be in flight at once.
//!
//! Ground rules. A slot is taken with the permit and comes back with its end, whatever the end. A
//! smaller number stops no running call; none at all pauses. With an adaptive limit the number given
//! by the user stays the ceiling.

use super::adaptive::{Adaptive, End};
use crate::clock::Nanos;

/// A claim that is known to be further away does not keep slots free.
const NEAR: Nanos = Nanos::from_secs(1);

/// A call that has ended, as an adaptive limit wants to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) started: Nanos,
    pub(crate) size_class: u8,
    pub(crate) now: Nanos,
}

/// `n` calls at once, or fewer while the service is slow.
#[derive(Debug)]
pub(crate) struct Slots {
    n: u32,
    in_use: u32,
    adaptive: Option<Adaptive>,
}

impl Slots {
    pub(crate) const fn new(n: u32, adaptive: Option<Adaptive>) -> Self {
        Self {
            n,
            in_use: 0,
            adaptive,
        }
    }

    /// How many calls may be in flight now. Where that adapts, `n` is only where it began; 0 pauses.
    pub(crate) fn limit(&self) -> u32 {
        match &self.adaptive {
            Some(adaptive) if self.n > 0 => adaptive.limit(),
            _ => self.n,
        }
    }

    pub(crate) const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Now, or when a slot comes back: nobody knows when.
    #[inline]
    pub(crate) fn payable_at(&self, slots: u64, now: Nanos) -> Nanos {
        if self.has(slots) { now } else { Nanos::MAX }
    }

    /// With `slots` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, slots: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        let far = at != Nanos::MAX && at > now.saturating_add(NEAR);
        far || self.has(slots.saturating_add(claim))
    }

    #[inline]
    pub(crate) fn take(&mut self) {
        self.in_use = self.in_use.saturating_add(1);
    }

    #[inline]
    pub(crate) fn refund(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// Teaches an adaptive limit. The slot of the call is still counted.
    pub(crate) fn learn(&mut self, ended: Ended) {
        if let Some(adaptive) = &mut self.adaptive {
            let latency = ended.now.saturating_sub(ended.started);
            adaptive.record(
                ended.end,
                ended.started,
                latency,
                self.in_use,
                ended.size_class,
                ended.now,
            );
        }
    }

    pub(crate) const fn is_at_rest(&self) -> bool {
        self.in_use == 0
    }

    pub(crate) const fn change(&mut self, n: u32) {
        self.n = n;
    }

    fn has(&self, slots: u64) -> bool {
        u64::from(self.in_use).saturating_add(slots) <= u64::from(self.limit())
    }
}
