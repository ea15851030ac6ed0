//! How scarce the limits of a call are: what weighs a guess against the calls that it would delay.
//!
//! Ground rules. Nothing is taken. What a limit has left is a share of the most that it ever has; one
//! that a provider blocks has nothing. Slots do not flow: they are rooms, as the gates of the scheduler
//! are.

use super::balance::Balance;
use super::cost::{Amounts, Cost};
use super::state::State;
use super::{Limiter, Permit, SetId};
use crate::clock::Nanos;
use crate::sched::Room;

/// The scarcest limit that a call pays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strain {
    /// What the call takes of it.
    pub units: u64,
    /// Seconds in which one unit flows in; 0 where nothing flows.
    pub seconds_per_unit: f64,
    /// What it has left of its most, 0 to 1.
    pub left: f64,
}

impl Limiter {
    /// The limit of a set that has least left, among those that a call pays; `None` if it pays none.
    #[must_use]
    pub fn strain(&self, set: SetId, cost: &Cost, now: Nanos) -> Option<Strain> {
        let now = self.now.max(now);
        let amounts = Amounts::new(cost);
        let states = self.book.sets[set.0].states.iter();
        let strains = states.filter_map(|&place| {
            let state = &self.book.states[place];
            let units = amounts.of(state.counted);
            (units > 0 && state.balance.is_spent()).then(|| Strain {
                units,
                seconds_per_unit: state.balance.seconds_per_unit(),
                left: left(state, now),
            })
        });
        strains.min_by(|one, other| one.left.total_cmp(&other.left))
    }

    /// The places that a set of limits has for calls at once.
    pub fn rooms(&self, set: SetId) -> impl Iterator<Item = Room> {
        let states = self.book.sets[set.0].states.iter();
        states.filter_map(|&place| {
            let state = &self.book.states[place];
            let Balance::Slots(slots) = &state.balance else {
                return None;
            };
            let guesses = match state.child.as_deref() {
                Some(Balance::Slots(child)) => child.in_use(),
                _ => 0,
            };
            Some(Room {
                bound: slots.limit(),
                used: slots.in_use(),
                guesses,
            })
        })
    }

    /// Whether calls of a set wait for a place that this permit holds.
    #[must_use]
    pub fn wants_place(&self, set: SetId, permit: Permit) -> bool {
        let Some(holder) = self.holds.get(permit) else {
            return false;
        };
        let held = &self.book.sets[holder.set].states;
        let own = &self.book.sets[set.0].states;
        own.iter().any(|place| {
            let balance = &self.book.states[*place].balance;
            let is_full =
                matches!(balance, Balance::Slots(slots) if slots.in_use() >= slots.limit());
            is_full && held.contains(place)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "units have 53 bits")]
fn left(state: &State, now: Nanos) -> f64 {
    let is_blocked = state.payable_at(0, now) > now;
    let most = state.balance.most();
    if is_blocked || most == 0 {
        return 0.0;
    }
    state.balance.remaining(now) as f64 / most as f64
}
