//! Admission: who is next.
//!
//! Ground rules. The meaning of admission is [`Limiter::pass`]. It looks at the front of each set
//! that is waited for, in the order of keys. A front that all its limits can pay, without delaying
//! what an older one claims, is granted, and the next of its set joins. One that must wait holds a
//! claim on each of its limits that nobody older claims. So a small call passes a big one only where
//! it cannot delay it, nothing starves, and a set is in order whatever its calls cost. A new call is
//! asked the same two questions. Claims are of the last pass; what could make one void (a forgotten
//! front, a release, a change) marks its limits, and then a pass comes before the next answer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cost::{Amounts, Cost};
use super::state::Claim;
use super::waiters::{Key, Phase};
use super::{Ask, Limiter, Permit, Refusal, RefusalKind, RuleId, Taken, Waiter};
use crate::clock::Nanos;
use crate::sched::slab::NIL;

/// The first call of a set, in the order of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Front {
    key: Key,
    set: u32,
}

/// What the passes know.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The number of the last pass: claims of older ones are void.
    pass: u64,
    /// Something changed that a call may wait for.
    marked: bool,
    /// The next time at which a front can be paid.
    wake: Nanos,
    /// Sets with calls that wait, in no order.
    waited_for: Vec<u32>,
    /// Room for the fronts of a pass.
    fronts: BinaryHeap<Reverse<Front>>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            pass: 1,
            marked: false,
            wake: Nanos::MAX,
            waited_for: Vec::new(),
            fronts: BinaryHeap::new(),
        }
    }
}

impl Admission {
    /// Something may have changed for calls that wait, if there are any.
    pub(crate) fn mark_all(&mut self, waited_for: bool) {
        self.marked |= waited_for;
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
            self.pass(now);
        }
        now
    }

    /// Calls that wait for this state may go now: the next poll looks.
    #[inline]
    pub(super) fn mark(&mut self, state: u32) {
        self.admission.marked |= self.book.states[state].waiting > 0;
    }

    /// Grants all that can go now, in order.
    #[cold]
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
    fn look_at(&mut self, front: Front, now: Nanos) -> bool {
        let Front { key, set } = front;
        let Some(place) = self.waiters.front(self.book.sets[set].line) else {
            return false;
        };
        let cost = self.waiters.record(place).ask.cost;
        let amounts = Amounts::new(&cost);
        let at = match self.judge(set, &amounts, key, now) {
            Verdict::Pays => {
                let permit = self.grant(set, &cost, &amounts, now);
                self.leave(set, place);
                self.answer(place, Phase::Granted(permit.0), now);
                return true;
            }
            Verdict::Waits { at, .. } => at,
        };
        if let Some(refusal) = self.hopeless(set, &amounts, now) {
            self.leave(set, place);
            self.answer(place, Phase::Refused(refusal), now);
            self.book.tidy_set(set);
            return true;
        }
        self.claim(front, &amounts, at, now);
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

    /// Why waiting cannot help a call.
    pub(super) fn hopeless(&mut self, set: u32, amounts: &Amounts, now: Nanos) -> Option<Refusal> {
        let states = &self.book.sets[set].states;
        let (place, kind) = states.iter().find_map(|&place| {
            let state = &self.book.states[place];
            let kind = state.balance.refuses(amounts.of(state.counted), now)?;
            Some((place, kind))
        })?;
        let retry_at = self.book.states[place].balance.resets_at();
        let retry_at = retry_at.filter(|_| kind == RefusalKind::Budget);
        Some(self.refusal(place, kind, retry_at, now))
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
    fn claim(&mut self, front: Front, amounts: &Amounts, at: Nanos, now: Nanos) {
        let Front { key, set } = front;
        let pass = self.admission.pass;
        let entry = &mut self.book.sets[set];
        entry.front_at = at;
        for &place in &entry.states {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            let claimed = state.claim.pass == pass && state.claim.key < key;
            // It wants nothing of a limit that it costs nothing.
            if units > 0 && !claimed {
                state.claim = Claim {
                    pass,
                    key,
                    units,
                    at,
                };
            }
        }
        if now < at {
            self.admission.wake = self.admission.wake.min(at);
        }
    }

    /// Lets a call wait, or says why it must not. `verdict` is of a call that is first in its set.
    #[cold]
    fn queue(&mut self, ask: &Ask, key: Key, verdict: Option<(Nanos, u32)>, now: Nanos) -> Taken {
        let set = ask.set.0;
        let amounts = Amounts::new(&ask.cost);
        let (at, by) = verdict.unwrap_or((self.book.sets[set].front_at, NIL));
        if let Some(refusal) = self.hopeless(set, &amounts, now) {
            return Taken::Refused(refusal);
        }
        if let Some(refusal) = self.turned_away(ask, at, by, now) {
            return Taken::Refused(refusal);
        }
        let place = self.enter(ask, key, now);
        if verdict.is_some() {
            self.claim(Front { key, set }, &amounts, at, now);
        }
        Taken::Waiting(Waiter(self.waiters.handle(place)))
    }

    /// Why a call may not wait although waiting would help.
    fn turned_away(&mut self, ask: &Ask, at: Nanos, by: u32, now: Nanos) -> Option<Refusal> {
        let states = &self.book.sets[ask.set.0].states;
        let binding = if by == NIL { *states.first()? } else { by };
        let known = Some(at)
            .filter(|at| *at != Nanos::MAX)
            .map(|at| at.max(now));
        if ask
            .deadline
            .is_some_and(|deadline| known.unwrap_or(now) > deadline)
        {
            return Some(self.refusal(binding, RefusalKind::Deadline, known, now));
        }
        let full = states.iter().copied().find(|&place| {
            let state = &self.book.states[place];
            state.waiting >= state.max_waiting
        });
        let brim = self.waiters.waiting() >= self.config.max_waiting || self.waiters.is_full();
        let full = full.or(brim.then_some(binding))?;
        Some(self.refusal(full, RefusalKind::QueueFull, known, now))
    }

    /// The answer to a call that may not wait.
    #[cold]
    pub(super) fn refuse_now(
        &mut self,
        set: u32,
        amounts: &Amounts,
        verdict: Verdict,
        now: Nanos,
    ) -> Refusal {
        if let Some(refusal) = self.hopeless(set, amounts, now) {
            return refusal;
        }
        let entry = &self.book.sets[set];
        let (at, by) = match verdict {
            Verdict::Waits { at, by } => (at, by),
            // Behind a call of its own set.
            Verdict::Pays => (entry.front_at, entry.states.first().copied().unwrap_or(NIL)),
        };
        let retry_at = (at != Nanos::MAX).then_some(at.max(now));
        self.refusal(by, RefusalKind::Exceeded, retry_at, now)
    }

    pub(super) fn refusal(
        &mut self,
        place: u32,
        kind: RefusalKind,
        retry_at: Option<Nanos>,
        now: Nanos,
    ) -> Refusal {
        let state = &mut self.book.states[place];
        state.counts.refused += 1;
        Refusal {
            rule: RuleId(state.rule),
            state: place,
            kind,
            retry_at,
            remaining: state.balance.remaining(now),
        }
    }

    /// No call of the set is before this one.
    #[inline]
    pub(super) fn precedes(&self, key: Key, set: u32) -> bool {
        self.book.sets[set].line == NIL || self.front(set).is_none_or(|front| key < front.key)
    }

    fn front(&self, set: u32) -> Option<Front> {
        let place = self.waiters.front(self.book.sets[set].line)?;
        let key = self.waiters.record(place).key;
        Some(Front { key, set })
    }

    fn enter(&mut self, ask: &Ask, key: Key, now: Nanos) -> u32 {
        let entry = &mut self.book.sets[ask.set.0];
        if entry.line == NIL {
            entry.place = u32::try_from(self.admission.waited_for.len()).unwrap_or(NIL);
            self.admission.waited_for.push(ask.set.0);
        }
        for &place in &entry.states {
            self.book.states[place].waiting += 1;
        }
        self.waiters.enter(&mut entry.line, *ask, key, now)
    }

    /// Takes a call out of the line of its set.
    fn leave(&mut self, set: u32, place: u32) {
        let entry = &mut self.book.sets[set];
        self.waiters.leave(&mut entry.line, place);
        for &place in &entry.states {
            self.book.states[place].waiting -= 1;
        }
        if entry.line == NIL {
            let place = entry.place;
            self.admission.waited_for.swap_remove(place as usize);
            if let Some(&moved) = self.admission.waited_for.get(place as usize) {
                self.book.sets[moved].place = place;
            }
        }
    }

    /// A call waits no longer, or gives back the grant that it did not fetch.
    pub fn forget(&mut self, waiter: Waiter, now: Nanos) {
        if let Some(place) = self.waiters.place(waiter.0) {
            self.forget_place(place, now);
        }
    }

    pub(super) fn forget_place(&mut self, place: u32, now: Nanos) {
        let now = self.tick(now);
        let record = *self.waiters.record(place);
        let set = record.ask.set.0;
        match record.phase {
            Phase::Waiting => {
                if self.waiters.front(self.book.sets[set].line) == Some(place) {
                    // Its claims are void, and the next of its set may cost less.
                    self.admission.marked = true;
                }
                self.leave(set, place);
                self.waiters.free(place);
                self.book.tidy_set(set);
            }
            Phase::Granted(permit) => {
                self.waiters.answer(place, Phase::Forgotten, now);
                self.refund(Permit(permit), now);
            }
            Phase::Refused(_) => self.waiters.answer(place, Phase::Forgotten, now),
            Phase::Free | Phase::Forgotten => {}
        }
    }
}
