//! Admission: who is next.
//!
//! Ground rules. The meaning of admission is [`Limiter::pass`]. It looks at the front of each set
//! that is waited for, in the order of keys. A front that all its limits can pay, without delaying
//! what an older one claims, is granted, and the next of its set joins. One that must wait holds a
//! claim on each of its limits that nobody older claims. So a small call passes a big one only where
//! it cannot delay it, nothing starves, and a set is in order whatever its calls cost. A new call is
//! asked the same two questions. A call that is held up by a claim whose time has come is looked at
//! again when its limit can pay both. Claims are of the last pass; what could make one void (a forgotten
//! front, a release, a change) marks its limits, and then a pass comes before the next answer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cost::{Amounts, Cost};
use super::crowd::Crowd;
use super::state::Claim;
use super::waiters::{Key, Phase};
use super::{Ask, Limiter, Permit, Refusal, Taken};
use crate::clock::Nanos;
use crate::sched::slab::NIL;

/// The first call of a set, in the order of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Front {
    pub(crate) key: Key,
    pub(crate) set: u32,
}

/// What the passes know.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The number of the last pass: claims of older ones are void.
    pub(crate) pass: u64,
    /// Something changed that a call may wait for.
    pub(crate) marked: bool,
    /// The next time at which a front can be paid.
    pub(crate) wake: Nanos,
    /// Sets with calls that wait, in no order.
    pub(crate) waited_for: Vec<u32>,
    /// Room for the fronts of a pass.
    pub(crate) fronts: BinaryHeap<Reverse<Front>>,
    /// While there are too many fronts to look at all.
    pub(crate) crowd: Option<Box<Crowd>>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            pass: 1,
            marked: false,
            wake: Nanos::MAX,
            waited_for: Vec::new(),
            fronts: BinaryHeap::new(),
            crowd: None,
        }
    }
}

impl Admission {
    /// A front that waits for a limit is looked at again at a time, if there is one.
    fn look_again(&mut self, state: u32, at: Nanos, now: Nanos) {
        if now < at && at < Nanos::MAX {
            self.wake = self.wake.min(at);
            if let Some(crowd) = &mut self.crowd {
                crowd.wake(state, at);
            }
        }
    }
}

/// Whether a call may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pays,
    /// Not before `at`, for the sake of the state `by`; `Nanos::MAX` if nobody knows.
    Waits {
        at: Nanos,
        by: u32,
    },
}

impl Limiter {
    /// Asks for a permit now or later: the answer comes into the outbox of the owner.
    pub fn take(&mut self, ask: &Ask, now: Nanos) -> Taken {
        let now = self.begin(now);
        let key = Key::new(ask.arrival, ask.lane, ask.number);
        let amounts = Amounts::new(&ask.cost);
        if self.precedes(key, ask.set.0) {
            match self.judge(ask.set.0, &amounts, key, now) {
                Verdict::Pays => Taken::Granted(self.grant(ask.set.0, &ask.cost, &amounts, now)),
                Verdict::Waits { at, by } => self.queue(ask, key, Some((at, by)), now),
            }
        } else {
            self.queue(ask, key, None, now)
        }
    }

    /// Asks for a permit now or never.
    #[inline]
    pub(super) fn try_now(
        &mut self,
        set: u32,
        cost: &Cost,
        key: Key,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        let amounts = Amounts::new(cost);
        let verdict = self.judge(set, &amounts, key, now);
        match verdict {
            Verdict::Pays if self.precedes(key, set) => Ok(self.grant(set, cost, &amounts, now)),
            _ => Err(self.refuse_now(set, &amounts, verdict, now)),
        }
    }

    /// Does what is due: grants and refuses calls that wait. Their answers are in the outboxes.
    pub fn poll(&mut self, now: Nanos) {
        self.begin(now);
    }

    /// A poll would do something.
    #[must_use]
    pub fn is_due(&self, now: Nanos) -> bool {
        self.admission.marked || self.admission.wake <= now
    }

    /// When a poll will do something, if nothing is changed before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Nanos> {
        if self.admission.marked {
            return Some(self.now);
        }
        (self.admission.wake != Nanos::MAX).then_some(self.admission.wake)
    }

    /// The time never runs back, and a pass that is due comes before any answer.
    #[inline]
    pub(super) fn begin(&mut self, now: Nanos) -> Nanos {
        let now = self.tick(now);
        if self.is_due(now) {
            self.look(now);
        }
        now
    }

    /// Calls that wait for this state may go now: the next poll looks.
    #[inline]
    pub(super) fn mark(&mut self, state: u32) {
        if self.book.states[state].waiting > 0 {
            self.admission.marked = true;
            if let Some(crowd) = &mut self.admission.crowd {
                crowd.mark(state);
            }
        }
    }

    #[cold]
    fn look(&mut self, now: Nanos) {
        if self.is_crowded() {
            self.pass_of_crowd(now);
        } else {
            self.pass(now);
        }
    }

    /// Grants all that can go now, in order.
    fn pass(&mut self, now: Nanos) {
        self.admission.pass += 1;
        (self.admission.marked, self.admission.wake) = (false, Nanos::MAX);
        let mut fronts = std::mem::take(&mut self.admission.fronts);
        let waited_for = self.admission.waited_for.iter();
        fronts.extend(waited_for.filter_map(|set| self.front(*set)).map(Reverse));
        while let Some(Reverse(front)) = fronts.pop() {
            if self.look_at(front, now) {
                fronts.extend(self.front(front.set).map(Reverse));
            }
        }
        self.admission.fronts = fronts;
    }

    /// Answers a front if there is an answer; else it claims its limits.
    pub(super) fn look_at(&mut self, front: Front, now: Nanos) -> bool {
        let Front { key, set } = front;
        let Some(place) = self.waiters.front(self.book.sets[set].line) else {
            return false;
        };
        let cost = self.waiters.record(place).ask.cost;
        let amounts = Amounts::new(&cost);
        let Verdict::Waits { at, by } = self.judge(set, &amounts, key, now) else {
            let permit = self.grant(set, &cost, &amounts, now);
            self.leave(set, place);
            self.answer(place, Phase::Granted(permit.0), now);
            return true;
        };
        if let Some(refusal) = self.hopeless(set, &amounts, now) {
            self.leave(set, place);
            self.answer(place, Phase::Refused(refusal), now);
            self.book.tidy_set(set);
            return true;
        }
        self.claim(front, &amounts, (at, by), now);
        false
    }

    /// The two questions: can all limits pay now, and can they pay older claims nevertheless?
    #[inline]
    pub(super) fn judge(&self, set: u32, amounts: &Amounts, key: Key, now: Nanos) -> Verdict {
        let (mut at, mut by, mut holds_up) = (now, NIL, NIL);
        for &place in &self.book.sets[set].states {
            let state = &self.book.states[place];
            let units = amounts.of(state.counted);
            let payable_at = state.payable_at(units, now);
            if payable_at > at {
                (at, by) = (payable_at, place);
            }
            let claimed = state.claim.pass == self.admission.pass && state.claim.key < key;
            if claimed && holds_up == NIL && !state.still_pays(units, now) {
                holds_up = place;
            }
        }
        match (by, holds_up) {
            (NIL, NIL) => Verdict::Pays,
            (NIL, _) => Verdict::Waits { at, by: holds_up },
            _ => Verdict::Waits { at, by },
        }
    }

    /// Takes from all limits of a set.
    #[inline]
    pub(super) fn grant(&mut self, set: u32, cost: &Cost, amounts: &Amounts, now: Nanos) -> Permit {
        let entry = &mut self.book.sets[set];
        for &place in &entry.states {
            let state = &mut self.book.states[place];
            state.take(amounts.of(state.counted), now);
        }
        entry.permits += 1;
        self.holds.open(set, cost, now)
    }

    /// Holds the limits of a front for it, where nobody older does.
    pub(super) fn claim(
        &mut self,
        front: Front,
        amounts: &Amounts,
        (at, by): (Nanos, u32),
        now: Nanos,
    ) {
        let Front { key, set } = front;
        let pass = self.admission.pass;
        self.admission.look_again(by, at, now);
        let entry = &mut self.book.sets[set];
        entry.front_at = at;
        for &place in &entry.states {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if state.claim.pass == pass && state.claim.key < key {
                let both_at = state.payable_with_claim_at(units, now);
                self.admission.look_again(place, both_at, now);
            } else if units > 0 {
                // It wants nothing of a limit that it costs nothing.
                let claim = Claim {
                    pass,
                    key,
                    units,
                    at,
                };
                let before = std::mem::replace(&mut state.claim, claim);
                if let Some(crowd) = &mut self.admission.crowd
                    && state.fronts > 1
                    && !claim.is_like(&before, now)
                {
                    // Younger calls may fare better with the new claim.
                    crowd.mark(place);
                }
            }
        }
    }
}
