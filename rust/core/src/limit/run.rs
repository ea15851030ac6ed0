//! A run: what many alike calls take at once, because they start one right after the other.
//!
//! Ground rules. A run is taken like one call that costs as much as all of them, and only where
//! nobody waits, nothing restrains a limit, and no limit of the set wants to hear of ends (slots). So
//! its calls hold no permits. It lives for one turn of its owner: what is left then goes back, and
//! until then others see less than there is, never more. An answer of a provider, or what a call
//! really cost, is booked for the set instead of a permit.

use super::cost::{Amounts, Cost};
use super::permit::Hold;
use super::{Limiter, SetId};
use crate::clock::Nanos;
use crate::sched::slab::NIL;

/// Calls that may start without asking again.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    set: SetId,
    cost: Cost,
    left: u32,
    taken: Nanos,
}

impl Run {
    /// Its limits.
    #[must_use]
    pub fn set(&self) -> SetId {
        self.set
    }

    /// Lets one more call start; false if the run is used up.
    #[inline]
    pub fn use_one(&mut self) -> bool {
        let any = self.left > 0;
        self.left -= u32::from(any);
        any
    }
}

impl Limiter {
    /// Takes for as many calls as can be paid, at most `most`; `None`, and nothing is taken, if each
    /// must ask for itself.
    pub fn begin_run(&mut self, set: SetId, cost: &Cost, most: u32, now: Nanos) -> Option<Run> {
        let now = self.begin(now);
        let entry = &self.book.sets[set.0];
        let states = || entry.states.iter().map(|&place| &self.book.states[place]);
        let waited_for = entry.line != NIL || states().any(|state| state.waiting > 0);
        let heard = states().any(|state| state.restrained || state.sent.is_some());
        if !entry.returning.is_empty() || waited_for || heard {
            return None;
        }
        let pays = |calls: u32| {
            let amounts = Amounts::new(&cost.times(calls));
            let unpaid = |state: &super::state::State| {
                state.payable_at(amounts.of(state.counted), now) > now
                    || state
                        .balance
                        .refuses(amounts.of(state.counted), now)
                        .is_some()
            };
            !states().any(unpaid)
        };
        let calls = [most, most / 4, most / 16]
            .into_iter()
            .find(|calls| *calls > 1 && pays(*calls))?;
        let amounts = Amounts::new(&cost.times(calls));
        for index in 0..self.book.sets[set.0].states.len() {
            let state = self.book.sets[set.0].states[index];
            let state = &mut self.book.states[state];
            state.balance.take(amounts.of(state.counted), now);
            state.counts.granted += u64::from(calls);
        }
        Some(Run {
            set,
            cost: *cost,
            left: calls,
            taken: now,
        })
    }

    /// Gives back what a run did not use, as if it had not been taken.
    pub fn end_run(&mut self, run: Run, now: Nanos) {
        let now = self.tick(now);
        if run.left == 0 {
            return;
        }
        let amounts = Amounts::new(&run.cost.times(run.left));
        for index in 0..self.book.sets[run.set.0].states.len() {
            let place = self.book.sets[run.set.0].states[index];
            let state = &mut self.book.states[place];
            state
                .balance
                .refund(amounts.of(state.counted), run.taken, now);
            state.counts.granted -= u64::from(run.left);
            self.mark(place);
        }
    }

    /// Books what a call without a permit really cost.
    pub fn book(&mut self, set: SetId, reserved: &Cost, actual: &Cost, taken: Nanos, now: Nanos) {
        let now = self.tick(now);
        let hold = Hold::of_run(set.0, reserved, taken);
        self.book_end(&hold, actual, false, None, now);
    }
}
