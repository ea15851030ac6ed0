//! What a provider answered, booked into our limits.
//!
//! Ground rules. An answer is about the limits that name a service, a tool or a model, if the set
//! has any: our own limits of tenants are none of its business. A refusal restrains all of those.
//! A figure is about one of them: the one whose size is nearest to what the answer names. Figures
//! only lower a balance, and the answer to an older call than the newest answered one is skipped.

use super::feedback::{Feedback, Reading, lowered};
use super::scope::Part;
use super::{Limiter, Permit, SetId, Unit};
use crate::clock::Nanos;

/// Which call an answer of a provider was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The call that holds this permit.
    Permit(Permit),
    /// Any call of this set.
    Set(SetId),
}

const UNITS: [Unit; 5] = [
    Unit::Requests,
    Unit::InputTokens,
    Unit::OutputTokens,
    Unit::TotalTokens,
    Unit::Microusd,
];

impl Limiter {
    /// Takes in what a provider answered. `jitter_permille`, 0 to 1,000, spreads those who were
    /// refused together.
    pub fn observe(&mut self, to: Observed, feedback: &Feedback, jitter_permille: u32, now: Nanos) {
        let now = self.tick(now);
        let set = match to {
            Observed::Set(set) => set.0,
            Observed::Permit(permit) => match self.holds.get(permit) {
                Some(hold) => hold.set,
                None => return,
            },
        };
        let places = self.answered_by_provider(set);
        if feedback.is_refusal() {
            for &place in &places {
                let restraint = &mut self.book.states[place].restraint;
                restraint.refused(feedback.retry_after, feedback.sent_at, jitter_permille, now);
                self.restrained(place);
            }
        }
        for (unit, reading) in UNITS.into_iter().zip(&feedback.readings) {
            if let Some(place) = self.meant(&places, unit, reading) {
                self.book_reading(place, feedback, unit as usize, now);
            }
        }
    }

    /// A state has a restraint that must be asked from now on.
    pub(super) fn restrained(&mut self, place: u32) {
        self.book.states[place].restrained = true;
        self.watched = true;
        // Claims may now be later than was thought.
        self.mark(place);
    }

    /// Forgets the restraint of a state if it is over.
    pub(super) fn relax(&mut self, place: u32, now: Nanos) {
        let state = &mut self.book.states[place];
        state.relax(now);
        if !state.restrained {
            self.watched = self
                .book
                .states
                .items()
                .iter()
                .any(|state| state.restrained);
        }
    }

    fn book_reading(&mut self, place: u32, feedback: &Feedback, unit: usize, now: Nanos) {
        let state = &mut self.book.states[place];
        let reading = feedback.readings[unit];
        if !state.follower.is_news(feedback.sent_at) {
            return;
        }
        let granted = state.sent.get_or_insert_default().since(feedback.sent_at);
        if let Some(remaining) = reading.remaining {
            let left = state.balance.remaining(now);
            let lower = lowered(left, remaining, granted);
            if lower < left {
                state.balance.lower(lower, now);
            }
        }
        let follow = self.book.rules[state.rule]
            .spec
            .as_ref()
            .map(|spec| spec.follow);
        if let (Some(theirs), Some(follow)) = (reading.limit, follow) {
            let resized = state.follower.heard(state.balance.rate(), theirs, follow);
            if let Some(n) = resized {
                state.balance.resize(n, now);
            }
        }
        if let Some(span) = feedback.empty_for(unit) {
            state.restraint.block(now.saturating_add(span));
            self.restrained(place);
        }
        self.mark(place);
    }

    /// The limit that a reading is about.
    fn meant(&self, places: &[u32], unit: Unit, reading: &Reading) -> Option<u32> {
        if *reading == Reading::default() {
            return None;
        }
        let counts = |place: &&u32| {
            let state = &self.book.states[**place];
            state.balance.has_rate() && state.counted == super::cost::Counted::unit(unit)
        };
        let named = reading
            .limit
            .filter(|limit| *limit > 0)
            .or(reading.remaining);
        let distance = |place: &&u32| {
            let ours = u128::from(self.book.states[**place].balance.rate());
            let theirs = named.map_or(ours, u128::from).max(1);
            // In thousandths, so that 90 and 100 are as near as 900 and 1,000.
            ours.max(theirs) * 1_000 / ours.min(theirs).max(1)
        };
        places.iter().filter(counts).min_by_key(distance).copied()
    }

    /// The limits of a set that an answer of a provider is about.
    fn answered_by_provider(&self, set: u32) -> Vec<u32> {
        let states = &self.book.sets[set].states;
        let about = |place: &&u32| {
            let rule = self.book.states[**place].rule;
            let spec = self.book.rules[rule].spec.as_ref();
            spec.is_some_and(|spec| {
                let named = |part| matches!(part, Part::Service | Part::Tool | Part::Model);
                spec.shape.is_enforced_by_provider()
                    && spec.scope.parts().any(|(part, _)| named(part))
            })
        };
        let named: Vec<u32> = states.iter().filter(about).copied().collect();
        if named.is_empty() {
            states.to_vec()
        } else {
            named
        }
    }
}
