//! Guesses: calls that nobody has asked for yet.
//!
//! Ground rules. A guess pays each limit and a child of it, which has a tenth of its rate and burst.
//! It goes only if a fifth of each limit is left afterwards and nobody waits for it. A promotion
//! refunds the children: see `permit.rs`.

use super::balance::Balance;
use super::cost::{Amounts, Cost};
use super::waiters::Key;
use super::{Limiter, Permit, Refusal, RefusalKind, SetId};
use crate::clock::Nanos;

/// This part of a limit is not for guesses.
const RESERVE: u64 = 5;

impl Limiter {
    /// A permit of a guess, at once or never.
    #[cold]
    pub(super) fn speculate(
        &mut self,
        set: SetId,
        cost: &Cost,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        let amounts = Amounts::new(cost);
        for index in 0..self.book.sets[set.0].states.len() {
            let place = self.book.sets[set.0].states[index];
            if !self.leaves_enough(place, &amounts, now) {
                return Err(self.refusal(place, RefusalKind::Exceeded, None, now));
            }
        }
        let permit = self.try_now(set.0, cost, Key::LAST, now)?;
        for &place in &self.book.sets[set.0].states {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if let Some(child) = &mut state.child {
                child.take(units, now);
            }
        }
        if let Some(hold) = self.holds.get_mut(permit) {
            hold.speculative = true;
        }
        Ok(permit)
    }

    /// The child pays, and the limit has a fifth left afterwards. Makes the child.
    fn leaves_enough(&mut self, place: u32, amounts: &Amounts, now: Nanos) -> bool {
        let state = &mut self.book.states[place];
        let units = amounts.of(state.counted);
        let reserve = state.balance.most() / RESERVE;
        let spec = self.book.rules[state.rule].spec.as_ref();
        let child = state.child.get_or_insert_with(|| {
            Box::new(spec.map_or(Balance::Open, |spec| Balance::child(&spec.shape, now)))
        });
        let fits = |balance: &Balance, units| {
            balance.refuses(units, now).is_none() && balance.has(units, now)
        };
        units == 0 || (fits(child, units) && fits(&state.balance, units.saturating_add(reserve)))
    }
}
