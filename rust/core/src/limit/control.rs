//! What changes a limit from outside: its user, the calendar, a driver of leases.
//!
//! Ground rules. A change keeps what is spent and who waits. A block only moves later. A window that
//! has begun is not begun again. Whatever may let a call go marks its limit.

use super::balance::Balance;
use super::lease::Chunk;
use super::rule::{AddError, Change};
use super::{Limiter, RuleId};
use crate::clock::Nanos;

impl Limiter {
    /// Gives a limit another size, in all its scopes.
    pub fn change(&mut self, rule: RuleId, change: Change, now: Nanos) -> Result<(), AddError> {
        let now = self.tick(now);
        let shape = {
            let spec = self.book.rule(rule).and_then(|rule| rule.spec.as_ref());
            spec.ok_or(AddError::UnknownRule)?.shape.changed(&change)?
        };
        for place in self.states_of(rule) {
            let state = &mut self.book.states[place];
            state.balance.change(&shape, now);
            // What guesses have is measured anew with the next one.
            state.child = None;
            self.mark(place);
        }
        if let Some(spec) = self.book.spec_mut(rule) {
            spec.shape = shape;
        }
        Ok(())
    }

    /// Lets nothing pass a limit before `until`; an earlier time than before changes nothing.
    pub fn block(&mut self, rule: RuleId, until: Nanos) {
        for place in self.states_of(rule) {
            self.book.states[place].restraint.block(until);
            self.restrained(place);
        }
    }

    /// Names the end of the calendar window or period that is open now.
    pub fn roll(&mut self, rule: RuleId, ends: Nanos, now: Nanos) {
        let now = self.tick(now);
        for place in self.states_of(rule) {
            let state = &mut self.book.states[place];
            state.balance.roll(ends, now);
            if let Some(child) = &mut state.child {
                child.roll(ends, now);
            }
            self.mark(place);
        }
        if let Some(spec) = self.book.spec_mut(rule) {
            spec.shape.set_ends(ends);
        }
    }

    /// Limits whose calendar window has ended: each wants a `roll`.
    pub fn rolls_due(&self, now: Nanos) -> impl Iterator<Item = RuleId> {
        let ended = move |ends: Nanos| ends <= now;
        let rules = self.book.live_rules();
        rules
            .filter(move |(_, spec)| spec.shape.ends().is_some_and(ended))
            .map(|(rule, _)| rule)
    }

    /// Hands units to a lease.
    pub fn hand_in(&mut self, state: u32, chunk: Chunk, now: Nanos) {
        let now = self.tick(now);
        if let Balance::Lease(lease) = &mut self.book.states[state].balance {
            lease.hand_in(chunk, now);
            self.mark(state);
        }
    }

    /// Takes back what a lease has not spent and what has not lapsed.
    pub fn hand_back(&mut self, state: u32, now: Nanos) -> u64 {
        let now = self.tick(now);
        match &mut self.book.states[state].balance {
            Balance::Lease(lease) => lease.hand_back(now),
            _ => 0,
        }
    }

    /// Nothing more comes into a lease for now: calls that it cannot pay are refused.
    pub fn set_away(&mut self, state: u32) {
        if let Balance::Lease(lease) = &mut self.book.states[state].balance {
            lease.set_away();
            self.mark(state);
        }
    }

    /// The states of a rule, in the order of their scopes.
    #[must_use]
    pub fn states_of(&self, rule: RuleId) -> Vec<u32> {
        self.book
            .rule(rule)
            .map_or_else(Vec::new, |rule| rule.all_states().collect())
    }
}
