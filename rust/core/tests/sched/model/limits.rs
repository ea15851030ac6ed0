//! The limiter, what calls ask of it, and what they give back.

use std::collections::{BTreeMap, VecDeque};

use penstock_core::clock::Nanos;
use penstock_core::sched::{Admission, GateKind, Permit, Status, Waiter, Why};

use super::gates::GUESS;
use super::{Model, State, in_flight};

/// How many calls may hold each set; a set beyond these can never be paid.
const PLACES: [u32; 2] = [2, 1];

/// What a call asks, by number instead of by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub call: usize,
    pub set: u32,
    pub lane: u8,
    pub arrival: Nanos,
    pub deadline: Option<Nanos>,
}

/// What the limiter gets back, by number instead of by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Settled {
        permit: u32,
        call: usize,
        status: Status,
        started: Nanos,
    },
    Refunded(u32),
    Forgotten(u32),
}

/// What a call that waited is told: its permit, or that it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub call: usize,
    pub permit: Option<u32>,
}

/// Two sets of a few places. Calls wait for them in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limiter {
    /// The set of each permit.
    holders: BTreeMap<u32, u32>,
    /// Set and waiter of each call that waits, by arrival.
    waiters: BTreeMap<(Nanos, usize), (u32, u32)>,
    /// Decided, but perhaps not told yet.
    answers: VecDeque<Answer>,
    /// Permits and waiters that were ever given.
    given: u32,
}

impl Limiter {
    pub fn admit(&mut self, ask: &Ask) -> Admission {
        if ask.set as usize >= PLACES.len() {
            return Admission::Refused;
        }
        let behind = self.waiters.values().any(|(set, _)| *set == ask.set);
        if !behind && self.is_free(ask.set) {
            return Admission::Granted(Permit(self.grant(ask.set)));
        }
        self.given += 1;
        let waiter = (ask.set, self.given);
        self.waiters.insert((ask.arrival, ask.call), waiter);
        Admission::Parked(Waiter(self.given))
    }

    pub fn is_held_by(&self, set: u32, permits: &[u32]) -> bool {
        let mut holders = self.holders.iter().filter(|(_, held)| **held == set);
        !self.is_free(set) && holders.all(|(permit, _)| permits.contains(permit))
    }

    pub fn wants_place(&self, set: u32, permit: u32) -> bool {
        !self.is_free(set) && self.holders.get(&permit) == Some(&set)
    }

    /// A waiter that is not found was answered just now: its call will not take the answer.
    pub fn take_back(&mut self, returned: &Returned) {
        match *returned {
            Returned::Settled { permit, .. } | Returned::Refunded(permit) => {
                let held = self.holders.remove(&permit);
                assert!(held.is_some(), "each permit comes back once");
            }
            Returned::Forgotten(gone) => self.waiters.retain(|_, (_, waiter)| *waiter != gone),
        }
    }

    /// Grants what is free.
    pub fn decide(&mut self) {
        for ((arrival, call), (set, _)) in self.waiters.clone() {
            if self.is_free(set) {
                self.waiters.remove(&(arrival, call));
                let permit = Some(self.grant(set));
                self.answers.push_back(Answer { call, permit });
            }
        }
    }

    /// Refuses some call that waits.
    pub fn refuse(&mut self, pick: usize) {
        let at = pick % self.waiters.len().max(1);
        if let Some((arrival, call)) = self.waiters.keys().nth(at).copied() {
            self.waiters.remove(&(arrival, call));
            self.answers.push_back(Answer { call, permit: None });
        }
    }

    pub fn next_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// Nobody holds or waits for anything.
    pub fn is_at_rest(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty() && self.answers.is_empty()
    }

    fn is_free(&self, set: u32) -> bool {
        let held = self.holders.values().filter(|held| **held == set);
        held.count() < PLACES[set as usize] as usize
    }

    fn grant(&mut self, set: u32) -> u32 {
        self.given += 1;
        self.holders.insert(self.given, set);
        self.given
    }
}

impl Model {
    /// Whether a call has no limits, or a permit. If not it waits, or has ended.
    pub fn passes_limits(&mut self, call: usize) -> bool {
        let Some(set) = self.calls[call].limits else {
            return true;
        };
        if self.calls[call].permit.is_some() {
            return true;
        }
        let ask = self.ask_of(call, set);
        self.asks.push(ask);
        match self.limiter.admit(&ask) {
            Admission::Granted(permit) => self.calls[call].permit = Some(permit.0),
            Admission::Refused => self.reject(call, Why::Refused),
            Admission::Parked(waiter) => self.wait_for_limits(call, set, waiter.0),
        }
        self.calls[call].permit.is_some()
    }

    pub fn granted(&mut self, call: usize, permit: u32) -> bool {
        let waits = self.calls[call].state == State::AtLimits;
        if waits {
            let entry = &mut self.calls[call];
            (entry.state, entry.waiter, entry.permit) = (State::Ready, None, Some(permit));
        }
        waits
    }

    pub fn refused(&mut self, call: usize) {
        if self.calls[call].state == State::AtLimits {
            self.calls[call].waiter = None;
            self.reject(call, Why::Refused);
        }
    }

    /// What a call that has not started holds of the limiter goes back.
    pub fn give_back(&mut self, call: usize) {
        let entry = &mut self.calls[call];
        let waiter = entry.waiter.take().map(Returned::Forgotten);
        let permit = entry.permit.take().map(Returned::Refunded);
        self.returned.extend(waiter.or(permit));
    }

    /// The code of a call has ended; that of one that was rejected has not run.
    pub fn settle(&mut self, call: usize, status: Status) {
        if status == Status::Rejected {
            self.give_back(call);
        }
        let entry = &mut self.calls[call];
        let started = entry.stamp;
        let settled = entry.permit.take().map(|permit| Returned::Settled {
            permit,
            call,
            status,
            started,
        });
        self.returned.extend(settled);
    }

    fn ask_of(&self, call: usize, set: u32) -> Ask {
        let entry = &self.calls[call];
        let is_attempt = self.tools[entry.tool].is_attempt;
        let of = self.ancestors(call).take(usize::from(is_attempt));
        let dues = std::iter::once(call).chain(of).flat_map(|call| {
            let entry = &self.calls[call];
            let timers = [entry.timer, self.batches[entry.batch].timer];
            timers.map(|key| self.timers.due(key))
        });
        Ask {
            call,
            set,
            lane: entry.priority,
            arrival: entry.stamp,
            deadline: dues.flatten().min(),
        }
    }

    fn wait_for_limits(&mut self, call: usize, set: u32, waiter: u32) {
        self.calls[call].waiter = Some(waiter);
        self.calls[call].state = State::AtLimits;
        self.pass_on(call, |_| false);
        let permits: Vec<u32> = self
            .ancestors(call)
            .filter(|parent| in_flight(self.calls[*parent].state))
            .filter_map(|parent| self.calls[parent].permit)
            .collect();
        if !permits.is_empty() && self.limiter.is_held_by(set, &permits) {
            let gate = GateKind::Limits;
            self.reject(call, Why::WouldDeadlock { gate });
        } else if self.calls[call].priority != GUESS {
            let permit = |guess: usize| self.calls[guess].permit;
            let holds = |guess| permit(guess).is_some_and(|it| self.limiter.wants_place(set, it));
            self.make_room(self.cheapest(holds));
        }
    }
}
