//! The limiter written a second time, for the reader: the pass of the design, word for word, over
//! lists that are searched from end to end. It runs a pass before every answer, due or not, and so
//! knows nothing of marks.

mod ratio;
mod shapes;

use std::collections::BTreeMap;

pub use shapes::{Shape, UNKNOWN};

/// (arrival and lane, number).
pub type Key = (u64, u64);

#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub shape: Shape,
    /// It counts tokens, not requests.
    pub tokens: bool,
    pub blocked_until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub requests: u64,
    pub tokens: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    pub key: Key,
    pub set: usize,
    pub cost: Cost,
    pub token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Permit {
    pub set: usize,
    pub cost: Cost,
    pub taken: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Granted(Permit),
    Waiting,
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub struct Claim {
    key: Key,
    units: u64,
    at: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub limits: Vec<Limit>,
    /// The limits of each set.
    pub sets: Vec<Vec<usize>>,
    pub waiting: Vec<Call>,
    pub next_wake: Option<u64>,
    pub claims: BTreeMap<usize, Claim>,
}

impl Model {
    fn units(&self, limit: usize, cost: Cost) -> u64 {
        match self.limits[limit] {
            Limit {
                shape: Shape::Slots { .. },
                ..
            } => 1,
            Limit { tokens: true, .. } => cost.tokens,
            _ => cost.requests,
        }
    }

    fn payable_at(&self, limit: usize, cost: Cost, now: u64) -> u64 {
        let units = self.units(limit, cost);
        let Limit {
            shape,
            blocked_until,
            ..
        } = &self.limits[limit];
        let at = if units == 0 {
            now
        } else {
            shape.payable_at(units, now)
        };
        at.max(*blocked_until)
    }

    fn still_pays(&self, limit: usize, cost: Cost, claim: Claim, now: u64) -> bool {
        let units = self.units(limit, cost);
        units == 0
            || self.limits[limit]
                .shape
                .still_pays(units, claim.units, claim.at, now)
    }

    /// When all limits can pay, and whether the call may go now in spite of older claims.
    fn look(&self, call: &Call, now: u64) -> (u64, bool) {
        let set = &self.sets[call.set];
        let at = set
            .iter()
            .map(|limit| self.payable_at(*limit, call.cost, now))
            .max()
            .unwrap();
        let free = set.iter().all(|limit| {
            let older = self.claims.get(limit).filter(|claim| claim.key < call.key);
            older.is_none_or(|claim| self.still_pays(*limit, call.cost, *claim, now))
        });
        (at, at <= now && free)
    }

    fn refuses(&self, call: &Call) -> bool {
        self.sets[call.set].iter().any(|limit| {
            self.limits[*limit]
                .shape
                .refuses(self.units(*limit, call.cost))
        })
    }

    fn grant(&mut self, call: &Call, now: u64) -> Permit {
        for limit in self.sets[call.set].clone() {
            let units = self.units(limit, call.cost);
            self.limits[limit].shape.take(units, now);
        }
        Permit {
            set: call.set,
            cost: call.cost,
            taken: now,
        }
    }

    fn claim(&mut self, call: &Call, at: u64, now: u64) {
        self.look_again(at, now);
        for limit in self.sets[call.set].clone() {
            let units = self.units(limit, call.cost);
            let claim = Claim {
                key: call.key,
                units,
                at,
            };
            let older = self
                .claims
                .get(&limit)
                .copied()
                .filter(|held| held.key < call.key);
            if units == 0 {
                // It wants nothing of a limit that it costs nothing.
            } else if let Some(older) = older {
                let Limit {
                    shape,
                    blocked_until,
                    ..
                } = &self.limits[limit];
                let both = units + older.units;
                if older.at <= now && both <= shape.most() {
                    let both_at = shape.payable_at(both, now).max(*blocked_until);
                    self.look_again(both_at, now);
                }
            } else {
                self.claims.insert(limit, claim);
            }
        }
    }

    fn look_again(&mut self, at: u64, now: u64) {
        if now < at && at < UNKNOWN {
            self.next_wake = Some(self.next_wake.map_or(at, |wake| wake.min(at)));
        }
    }

    fn front(&self, set: usize) -> Option<Call> {
        let calls = self.waiting.iter().filter(|call| call.set == set);
        calls.min_by_key(|call| call.key).copied()
    }

    /// Grants all that can go, in order; `None` is a refusal.
    pub fn pass(&mut self, now: u64) -> Vec<(u64, Option<Permit>)> {
        self.claims.clear();
        self.next_wake = None;
        let mut answers = Vec::new();
        let mut after = None;
        loop {
            let fronts = (0..self.sets.len()).filter_map(|set| self.front(set));
            let next = fronts
                .filter(|front| Some(front.key) > after)
                .min_by_key(|call| call.key);
            let Some(front) = next else {
                return answers;
            };
            after = Some(front.key);
            let (at, goes) = self.look(&front, now);
            if goes {
                answers.push((front.token, Some(self.grant(&front, now))));
            } else if self.refuses(&front) {
                answers.push((front.token, None));
            } else {
                self.claim(&front, at, now);
                continue;
            }
            self.waiting.retain(|call| call.token != front.token);
        }
    }

    pub fn take(&mut self, call: Call, waits: bool, now: u64) -> Answer {
        let first = self
            .front(call.set)
            .is_none_or(|front| call.key < front.key);
        let (at, goes) = self.look(&call, now);
        if first && goes {
            return Answer::Granted(self.grant(&call, now));
        }
        if !waits || self.refuses(&call) {
            return Answer::Refused;
        }
        self.waiting.push(call);
        if first {
            self.claim(&call, at, now);
        }
        Answer::Waiting
    }

    pub fn end(&mut self, permit: Permit, actual: Option<Cost>, now: u64) {
        for limit in self.sets[permit.set].clone() {
            let before = self.units(limit, permit.cost);
            let after = actual.map(|actual| self.units(limit, actual));
            let shape = &mut self.limits[limit].shape;
            match after {
                Some(after) => shape.settle(before, after, permit.taken, now),
                None => shape.refund(before, permit.taken, now),
            }
        }
    }
}
