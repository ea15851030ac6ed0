//! The probes of a half-open breaker: rounds of 1, 2, 4 and 8.

use super::Ticket;
use crate::clock::Nanos;

const LAST_ROUND: u32 = 8;

/// Who is probing now. A round goes on until as many probes passed as it has places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probes {
    round: u32,
    passed: u32,
    /// A bit for each place in use, and when its probe fails.
    running: u8,
    deadlines: [Nanos; LAST_ROUND as usize],
}

/// What a probe that passed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// More have to.
    One,
    /// The last round is over.
    All,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            round: 1,
            passed: 0,
            running: 0,
            deadlines: [Nanos::MAX; LAST_ROUND as usize],
        }
    }
}

impl Probes {
    pub(super) const fn running(&self) -> u32 {
        self.running.count_ones()
    }

    /// When a place is sure to be free: zero if one is.
    pub(super) fn free_at(&self) -> Nanos {
        if self.running() + self.passed < self.round {
            return Nanos::ZERO;
        }
        self.first_deadline().unwrap_or(Nanos::ZERO)
    }

    /// Takes a free place.
    pub(super) fn start(&mut self, generation: u32, deadline: Nanos) -> Ticket {
        let place = self.running.trailing_ones().min(LAST_ROUND - 1);
        self.running |= 1 << place;
        self.deadlines[place as usize] = deadline;
        let probe = place as u8;
        Ticket { generation, probe }
    }

    /// Frees the place of a probe; false if the ticket has none.
    pub(super) fn free(&mut self, ticket: Ticket) -> bool {
        let bit = 1_u8.checked_shl(u32::from(ticket.probe)).unwrap_or(0);
        let ran = self.running & bit != 0;
        self.running &= !bit;
        ran
    }

    /// Frees the places of probes whose time is over; the earliest of their deadlines.
    pub(super) fn free_overdue(&mut self, now: Nanos) -> Option<Nanos> {
        let first = self.first_deadline().filter(|deadline| *deadline <= now)?;
        for (place, deadline) in self.deadlines.iter().enumerate() {
            if *deadline <= now {
                self.running &= !(1 << place);
            }
        }
        Some(first)
    }

    pub(super) fn pass(&mut self) -> Passed {
        self.passed += 1;
        if self.passed < self.round {
            return Passed::One;
        }
        if self.round == LAST_ROUND {
            return Passed::All;
        }
        self.round *= 2;
        self.passed = 0;
        Passed::One
    }

    fn first_deadline(&self) -> Option<Nanos> {
        let places = self.deadlines.iter().enumerate();
        places
            .filter(|(place, _)| self.running & (1 << place) != 0)
            .map(|(_, deadline)| *deadline)
            .min()
    }
}
