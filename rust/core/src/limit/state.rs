//! One limit of one scope: what it has left, what restrains it, who claims it.

use super::balance::Balance;
use super::cost::Counted;
use super::feedback::{Follower, Restraint};
use super::sent::Sent;
use super::speculate::Share;
use super::waiters::Key;
use crate::clock::Nanos;
use crate::sched::slab::NIL;

/// What the oldest call that waits for a limit wants of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The pass in which it was made; void in any other.
    pub(crate) pass: u64,
    pub(crate) key: Key,
    pub(crate) units: u64,
    /// When all limits of the call can pay; `Nanos::MAX` if nobody knows.
    pub(crate) at: Nanos,
}

impl Claim {
    /// It holds up others as the other does: a time that has come is as good as any other such.
    pub(crate) fn is_like(&self, other: &Self, now: Nanos) -> bool {
        let same = self.pass == other.pass && self.key == other.key && self.units == other.units;
        same && (self.at == other.at || self.at.max(other.at) <= now)
    }
}

/// The sum of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) granted: u64,
    pub(crate) refused: u64,
    pub(crate) refunded: u64,
    pub(crate) dropped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.refunded += other.refunded;
        self.dropped += other.dropped;
    }
}

/// One limit of one scope.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) balance: Balance,
    pub(crate) counted: Counted,
    /// A provider stops or slows it: `restraint` must be asked.
    pub(crate) restrained: bool,
    /// Calls that wait for it among others, and how many may.
    pub(crate) waiting: u32,
    pub(crate) max_waiting: u32,
    /// Fronts among them, while these are counted: see `crowd.rs`.
    pub(crate) fronts: u32,
    pub(crate) claim: Claim,
    pub(crate) counts: Counts,
    pub(crate) rule: u32,
    /// Sets that it is in.
    pub(crate) sets: u32,
    /// What guesses have of it, and which share that is.
    pub(crate) child: Option<Box<Balance>>,
    pub(crate) share: Share,
    pub(crate) restraint: Restraint,
    /// While the ramp lasts, nothing may be taken before.
    pub(crate) paced_until: Nanos,
    pub(crate) follower: Follower,
    /// What was granted since when, once a provider has told what remains.
    pub(crate) sent: Option<Box<Sent>>,
    /// Its scope with the values in the places of `*`.
    pub(crate) scope: Box<str>,
}

impl State {
    pub(crate) fn new(rule: u32, counted: Counted, balance: Balance, scope: &str) -> Self {
        Self {
            balance,
            counted,
            rule,
            scope: scope.into(),
            ..Self::default()
        }
    }

    /// It belongs to no rule: its place is free.
    pub(crate) const fn is_vacant(&self) -> bool {
        self.rule == NIL
    }

    /// When `units` can be paid, as far as anybody knows.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        // A call that costs nothing here is not held up by the debts of others.
        let at = if units == 0 {
            now
        } else {
            self.balance.payable_at(units, now)
        };
        if self.restrained {
            at.max(self.restrained_until(now))
        } else {
            at
        }
    }

    /// With `units` taken now, the claim can still be paid at its time.
    #[cold]
    pub(crate) fn still_pays(&self, units: u64, now: Nanos) -> bool {
        let Claim {
            units: claim, at, ..
        } = self.claim;
        let in_step = self.pace(units, now) <= at.max(now);
        in_step && (units == 0 || self.balance.still_pays(units, claim, at, now))
    }

    /// When the limit can pay `units` and a claim that is due: an older call keeps that one waiting.
    /// A claim that is not yet due is looked at in its own time.
    pub(crate) fn payable_with_claim_at(&self, units: u64, now: Nanos) -> Nanos {
        let both = units.saturating_add(self.claim.units);
        if units == 0 || self.claim.at > now || both > self.balance.most() {
            return Nanos::MAX;
        }
        self.payable_at(both, now)
            .max(now.saturating_add(self.ramp_left(now)))
    }

    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        if self.restrained {
            self.paced_until = self.pace(units, now);
        }
        if let Some(sent) = &mut self.sent {
            sent.add(units, now);
        }
        self.counts.granted += 1;
        self.balance.take(units, now);
    }

    /// Forgets a restraint that is over.
    pub(crate) fn relax(&mut self, now: Nanos) {
        self.restraint.clean(now);
        if self.restraint.is_at_rest(now) {
            (self.restrained, self.paced_until) = (false, Nanos::ZERO);
        }
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        let child = self
            .child
            .as_ref()
            .is_none_or(|child| child.is_at_rest(now));
        let restrained = self.restrained && !self.restraint.is_at_rest(now);
        !restrained && child && self.waiting == 0 && self.balance.is_at_rest(now)
    }

    fn restrained_until(&self, now: Nanos) -> Nanos {
        let blocked = self.restraint.blocked_until();
        let at = now.max(blocked);
        if self.restraint.scale(at) > 1 {
            at.max(self.paced_until)
        } else {
            at
        }
    }

    /// When the next call may follow one of `units` now, for the sake of the ramp: a unit takes
    /// `scale` times as long as at the full rate, but no longer than the ramp itself, of which each
    /// step lasts a second.
    fn pace(&self, units: u64, now: Nanos) -> Nanos {
        let scale = self.ramp(now);
        if scale == 1 {
            return self.paced_until;
        }
        let slowed = self
            .balance
            .span_of(units)
            .0
            .saturating_mul(u64::from(scale));
        let latest = now.saturating_add(self.ramp_left(now));
        self.paced_until
            .max(now)
            .saturating_add(Nanos(slowed))
            .min(latest)
    }

    /// The ramp is over within this span: each of its steps lasts a second at most.
    fn ramp_left(&self, now: Nanos) -> Nanos {
        Nanos::from_secs(u64::from(self.ramp(now).ilog2()))
    }

    fn ramp(&self, now: Nanos) -> u32 {
        if self.restrained {
            self.restraint.scale(now)
        } else {
            1
        }
    }
}
