//! Lines: who may wait, how calls enter and leave, and the words of a refusal.
//!
//! Ground rules. A call that waiting cannot help is refused before it waits, or when that turns out.
//! It is refused too if even the first of its set goes after its deadline, or if too many wait, for
//! one of its limits or for all. To forget a call is to take it out of its line, whoever else waits.

use super::cost::Amounts;
use super::pass::{Front, Verdict};
use super::waiters::{Key, Phase};
use super::{Ask, Limiter, Permit, Refusal, RefusalKind, RuleId, Taken, Waiter};
use crate::clock::Nanos;
use crate::sched::slab::NIL;

impl Limiter {
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

    /// Lets a call wait, or says why it must not. `verdict` is of a call that is first in its set.
    #[cold]
    pub(super) fn queue(
        &mut self,
        ask: &Ask,
        key: Key,
        verdict: Option<(Nanos, u32)>,
        now: Nanos,
    ) -> Taken {
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
            self.claim(Front { key, set }, &amounts, (at, by), now);
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

    pub(super) fn front(&self, set: u32) -> Option<Front> {
        let place = self.waiters.front(self.book.sets[set].line)?;
        let key = self.waiters.record(place).key;
        Some(Front { key, set })
    }

    fn enter(&mut self, ask: &Ask, key: Key, now: Nanos) -> u32 {
        let set = ask.set.0;
        let before = self.crowd_front(set);
        let entry = &mut self.book.sets[set];
        if entry.line == NIL {
            entry.place = u32::try_from(self.admission.waited_for.len()).unwrap_or(NIL);
            self.admission.waited_for.push(set);
        }
        for &place in &entry.states {
            self.book.states[place].waiting += 1;
        }
        let place = self.waiters.enter(&mut entry.line, *ask, key, now);
        self.front_moved(set, before);
        place
    }

    /// Takes a call out of the line of its set.
    pub(super) fn leave(&mut self, set: u32, place: u32) {
        let before = self.crowd_front(set);
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
        self.front_moved(set, before);
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
