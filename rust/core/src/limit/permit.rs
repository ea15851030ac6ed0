//! Permits: what an admitted call holds, and the ways in which that ends.
//!
//! Ground rules. A permit ends once, by `settle`, `refund`, `cancel` or `drop_permit`; a second end
//! does nothing. It remembers what it cost and when it was granted: that is enough to give back
//! exactly what still counts, for each limit knows its cells, chunks and windows by their times. A
//! difference that comes too late to be given back is lost; a debt is booked when it is known.

use super::adaptive::End;
use super::adaptive::size_class;
use super::balance::Balance;
use super::cost::{Amounts, Cost};
use super::slots::Ended;
use super::statistics::Warning;
use super::{Limiter, Permit, RuleId, SetId};
use crate::clock::Nanos;
use crate::sched::slab::Slab;

/// What one permit holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hold {
    pub(crate) set: u32,
    live: bool,
    /// It paid the children of its limits too.
    pub(crate) speculative: bool,
    pub(crate) taken: Nanos,
    pub(crate) cost: Cost,
}

impl Hold {
    /// Of a call that has no permit.
    pub(crate) const fn of_run(set: u32, cost: &Cost, taken: Nanos) -> Self {
        Self {
            set,
            live: true,
            speculative: false,
            taken,
            cost: *cost,
        }
    }
}

/// All permits that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Holds(Slab<Hold>);

impl Holds {
    #[inline]
    pub(crate) fn open(&mut self, set: u32, cost: &Cost, taken: Nanos) -> Permit {
        let place = self.0.take();
        let hold = &mut self.0[place];
        (hold.set, hold.live, hold.speculative) = (set, true, false);
        hold.taken = taken;
        hold.cost = *cost;
        Permit(place)
    }

    #[inline]
    pub(crate) fn get(&self, permit: Permit) -> Option<&Hold> {
        self.0.get(permit.0).filter(|hold| hold.live)
    }

    pub(crate) fn get_mut(&mut self, permit: Permit) -> Option<&mut Hold> {
        let live = self.get(permit).is_some();
        live.then(|| &mut self.0[permit.0])
    }

    /// Frees the place of a permit that has ended.
    #[inline]
    fn close(&mut self, permit: Permit) {
        self.0[permit.0].live = false;
        self.0.give(permit.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.live()
    }
}

impl Limiter {
    /// A call has ended, and cost `actual`; `None`: what was reserved. How it ended teaches limits
    /// that adapt.
    #[inline]
    pub fn settle(&mut self, permit: Permit, actual: Option<&Cost>, end: End, now: Nanos) {
        let now = self.tick(now);
        let Some(hold) = self.holds.get(permit) else {
            return;
        };
        // Copied only if it is needed: this is the path of every call.
        let set = hold.set;
        let plain = actual.is_none() && !hold.speculative && !self.watched;
        if !plain || !self.book.sets[set].returning.is_empty() {
            let hold = *hold;
            let actual = actual.unwrap_or(&hold.cost);
            self.book_end(&hold, actual, plain, Some(end), now);
        }
        self.close(permit, set);
    }

    /// A call was never sent: everything goes back, as if it had not been taken.
    pub fn refund(&mut self, permit: Permit, now: Nanos) {
        let now = self.tick(now);
        let Some(&hold) = self.holds.get(permit) else {
            return;
        };
        let amounts = Amounts::new(&hold.cost);
        for index in 0..self.book.sets[hold.set].states.len() {
            let place = self.book.sets[hold.set].states[index];
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            state.balance.refund(units, hold.taken, now);
            if let Some(child) = state.child.as_mut().filter(|_| hold.speculative) {
                child.refund(units, hold.taken, now);
            }
            state.counts.refunded += 1;
            self.mark(place);
        }
        self.close(permit, hold.set);
    }

    /// A call was sent and given up: its requests stay spent, tokens as reported, else as reserved.
    pub fn cancel(&mut self, permit: Permit, actual: Option<&Cost>, now: Nanos) {
        let now = self.tick(now);
        let Some(&hold) = self.holds.get(permit) else {
            return;
        };
        let reported = actual.copied().unwrap_or(hold.cost);
        let actual = Cost {
            requests: hold.cost.requests,
            ..reported
        };
        self.book_end(&hold, &actual, false, None, now);
        self.close(permit, hold.set);
    }

    /// A permit was lost without an end: its slots are free, its units stay spent, and it is counted.
    pub fn drop_permit(&mut self, permit: Permit, now: Nanos) {
        let now = self.tick(now);
        let Some(&hold) = self.holds.get(permit) else {
            return;
        };
        for &place in &self.book.sets[hold.set].states {
            self.book.states[place].counts.dropped += 1;
        }
        self.book_end(&hold, &hold.cost, !hold.speculative, None, now);
        self.close(permit, hold.set);
    }

    /// A call in flight needs more. False: a budget refuses, and nothing was taken; all other limits
    /// go into debt.
    pub fn extend(&mut self, permit: Permit, more: &Cost, now: Nanos) -> bool {
        let now = self.tick(now);
        let Some(&hold) = self.holds.get(permit) else {
            return false;
        };
        let amounts = Amounts::new(more);
        let states = &self.book.sets[hold.set].states;
        let refused = states.iter().any(|&place| {
            let state = &self.book.states[place];
            !state.balance.may_extend(amounts.of(state.counted), now)
        });
        if refused {
            return false;
        }
        for index in 0..states.len() {
            let place = self.book.sets[hold.set].states[index];
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            state.balance.extend(units, hold.taken, now);
            if let Some(child) = state.child.as_mut().filter(|_| hold.speculative) {
                child.extend(units, hold.taken, now);
            }
            self.mark(place);
        }
        if let Some(hold) = self.holds.get_mut(permit) {
            hold.cost = hold.cost.plus(more);
        }
        true
    }

    /// A guess was right: it no longer counts as one.
    pub fn promote(&mut self, permit: Permit, now: Nanos) {
        let now = self.tick(now);
        let Some(hold) = self.holds.get_mut(permit).filter(|hold| hold.speculative) else {
            return;
        };
        hold.speculative = false;
        let hold = *hold;
        let amounts = Amounts::new(&hold.cost);
        for &place in &self.book.sets[hold.set].states {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if let Some(child) = &mut state.child {
                child.refund(units, hold.taken, now);
            }
        }
    }

    /// Some limit of the set is short of what a call costs only because of these permits: a call
    /// inside of them would wait for itself. So it is with slots, and with what is reserved of budgets.
    #[must_use]
    pub fn is_held_by(&self, set: SetId, cost: &Cost, permits: &[Permit]) -> bool {
        let amounts = Amounts::new(cost);
        self.book.sets[set.0].states.iter().any(|&place| {
            let state = &self.book.states[place];
            let held = permits.iter().filter_map(|permit| {
                let hold = self.holds.get(*permit)?;
                let holds = self.book.sets[hold.set].states.contains(&place);
                holds.then(|| Amounts::new(&hold.cost).of(state.counted))
            });
            match &state.balance {
                Balance::Slots(slots) => {
                    let full = slots.in_use() > 0 && slots.in_use() >= slots.limit();
                    full && held.count() >= slots.in_use() as usize
                }
                Balance::Budget(budget) => {
                    let reserved = budget.reserved();
                    let short = !budget.has(amounts.of(state.counted));
                    short && reserved > 0 && held.sum::<u64>() >= reserved
                }
                _ => false,
            }
        })
    }

    /// Books the difference between what was reserved and what was spent. `plain`: there is none,
    /// and only slots and budgets take notice.
    pub(super) fn book_end(
        &mut self,
        hold: &Hold,
        actual: &Cost,
        plain: bool,
        end: Option<End>,
        now: Nanos,
    ) {
        let size_class = size_class(actual.input_tokens);
        let (reserved, actual) = (Amounts::new(&hold.cost), Amounts::new(actual));
        let mut index = 0;
        loop {
            let set = &self.book.sets[hold.set];
            let states = if plain { &set.returning } else { &set.states };
            let Some(&place) = states.get(index) else {
                return;
            };
            index += 1;
            let state = &mut self.book.states[place];
            let (before, after) = (reserved.of(state.counted), actual.of(state.counted));
            if let (Balance::Slots(slots), Some(end)) = (&mut state.balance, end) {
                let started = hold.taken;
                slots.learn(Ended {
                    end,
                    started,
                    size_class,
                    now,
                });
            }
            if let Some(child) = state.child.as_mut().filter(|_| hold.speculative) {
                child.settle(before, after, hold.taken, now);
            }
            let gave_back = state.balance.settle(before, after, hold.taken, now);
            if state.restrained && end == Some(End::Ok) {
                self.relax(place, now);
            }
            if gave_back {
                self.mark(place);
                self.warn(place);
            }
        }
    }

    /// Tells which shares of a budget were passed.
    pub(super) fn warn(&mut self, place: u32) {
        let state = &mut self.book.states[place];
        let Balance::Budget(budget) = &mut state.balance else {
            return;
        };
        while let Some(share) = budget.next_warning() {
            let rule = RuleId(state.rule);
            self.warnings.push(Warning {
                rule,
                state: place,
                share,
            });
        }
    }

    #[inline]
    fn close(&mut self, permit: Permit, set: u32) {
        self.holds.close(permit);
        let entry = &mut self.book.sets[set];
        entry.permits -= 1;
        if entry.is_unused() {
            self.book.tidy_set(set);
        }
    }
}
