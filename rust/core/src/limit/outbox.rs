//! Owners and their outboxes: where answers wait to be fetched.
//!
//! Ground rules. An owner is one event loop. What a pass answers goes into the outbox of who asked,
//! in the order of admission. A grant that is forgotten before it was fetched is refunded whole, and
//! so is everything that an owner leaves behind.

use std::collections::VecDeque;

use super::waiters::Phase;
use super::{Grant, Limiter, Owner, Permit};
use crate::clock::Nanos;

/// The places of the waiters that were answered.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    answered: VecDeque<u32>,
    live: bool,
}

impl Limiter {
    /// A new owner; numbers of removed ones are used again.
    pub fn add_owner(&mut self) -> Owner {
        let vacant = self.outboxes.iter().position(|outbox| !outbox.live);
        let place = vacant.unwrap_or_else(|| {
            self.outboxes.push(Outbox::default());
            self.outboxes.len() - 1
        });
        self.outboxes[place].live = true;
        Owner(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Forgets an owner: its calls no longer wait, and grants that it did not fetch are refunded.
    pub fn remove_owner(&mut self, owner: Owner, now: Nanos) {
        for place in 0..self.waiters.places() {
            let record = self.waiters.record(place);
            if record.phase != Phase::Free && record.ask.owner == owner {
                self.forget_place(place, now);
            }
        }
        while self.pop_grant(owner).is_some() {}
        if let Some(outbox) = self.outboxes.get_mut(owner.0 as usize) {
            outbox.live = false;
        }
    }

    /// The next answer of an owner, in the order of admission.
    pub fn pop_grant(&mut self, owner: Owner) -> Option<Grant> {
        loop {
            let place = self
                .outboxes
                .get_mut(owner.0 as usize)?
                .answered
                .pop_front()?;
            let record = *self.waiters.record(place);
            self.waiters.free(place);
            let result = match record.phase {
                Phase::Granted(permit) => Ok(Permit(permit)),
                Phase::Refused(refusal) => Err(refusal),
                _ => continue,
            };
            return Some(Grant {
                token: record.ask.token,
                cost: record.ask.cost,
                result,
                waited: record.answered.saturating_sub(record.asked),
            });
        }
    }

    /// Owners that have something to fetch.
    pub fn owners_with_grants(&self) -> impl Iterator<Item = Owner> {
        let outboxes = (0..).zip(&self.outboxes);
        outboxes
            .filter(|(_, outbox)| !outbox.answered.is_empty())
            .map(|(place, _)| Owner(place))
    }

    /// Puts an answer where its owner fetches it.
    pub(super) fn answer(&mut self, place: u32, phase: Phase, now: Nanos) {
        self.waiters.answer(place, phase, now);
        let owner = self.waiters.record(place).ask.owner;
        if let Some(outbox) = self.outboxes.get_mut(owner.0 as usize) {
            outbox.answered.push_back(place);
        }
    }
}
