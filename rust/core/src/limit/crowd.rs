//! Admission when a great many sets are waited for.
//!
//! Ground rules. Up to `FEW` fronts a pass looks at all of them: see `pass.rs`. Above, it looks only
//! where something happened: at a limit whose time has come or that was marked, at its fronts in the
//! order of keys until `TURN` of them must wait, at the rest a millisecond later. The fronts are kept by limit for
//! that, and the first of each limit keeps the claim, from pass to pass. Whoever goes, or has to
//! wait for another time than was thought, has the limits that it claimed looked at again. So nobody
//! is overtaken by whom it can see; only a call that stands far behind may go some milliseconds
//! later than if all were looked at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Limiter;
use super::cost::Amounts;
use super::pass::Front;
use super::state::Claim;
use super::waiters::Key;
use crate::clock::Nanos;

/// So many fronts are looked at one by one.
const FEW: usize = 256;
/// Fronts of one limit in one pass.
const TURN: usize = 64;
const NEXT_TURN: Nanos = Nanos::from_millis(1);

/// Which fronts to look at, of those that are there.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// The fronts of each limit, in the order of keys.
    fronts: BTreeSet<(u32, Front)>,
    /// Limits to look at from the first front on.
    marked: BTreeSet<u32>,
    /// Limits to look at from behind this front on.
    rest: BTreeMap<u32, Front>,
    /// How far this pass has picked from the first front on, where that was not all.
    turn: BTreeMap<u32, Front>,
    /// When limits are to be looked at, and when which.
    wakes: BTreeSet<(Nanos, u32)>,
    wake_of: BTreeMap<u32, Nanos>,
}

impl Crowd {
    pub(crate) fn mark(&mut self, state: u32) {
        self.marked.insert(state);
    }

    /// Looks at a limit at a time; the earliest counts.
    pub(crate) fn wake(&mut self, state: u32, at: Nanos) {
        let known = self.wake_of.get(&state).copied();
        if known.is_none_or(|known| at < known) {
            if let Some(known) = known {
                self.wakes.remove(&(known, state));
            }
            self.wakes.insert((at, state));
            self.wake_of.insert(state, at);
        }
    }

    /// Marks the limits whose time has come.
    fn expire(&mut self, now: Nanos) {
        while let Some(&(at, state)) = self.wakes.first()
            && at <= now
        {
            self.wakes.pop_first();
            self.wake_of.remove(&state);
            self.marked.insert(state);
        }
    }

    /// What was not picked in this pass is left for the next ones. A walk that is under way goes on:
    /// the first fronts are looked at besides.
    fn end_turn(&mut self) {
        while let Some((state, front)) = self.turn.pop_first() {
            self.rest.entry(state).or_insert(front);
        }
    }

    /// When the next pass is due after one at `now`.
    fn next_wake(&self, now: Nanos) -> Nanos {
        let wake = self.wakes.first().map_or(Nanos::MAX, |(at, _)| *at);
        if self.marked.is_empty() && self.rest.is_empty() {
            wake
        } else {
            wake.min(now.saturating_add(NEXT_TURN))
        }
    }

    /// Fronts of a limit, in order, from the first one or from behind one on.
    fn fronts_of(&self, state: u32, behind: Option<Front>) -> impl Iterator<Item = Front> {
        let first = Front {
            key: Key::default(),
            set: 0,
        };
        let last = Front {
            key: Key::LAST,
            set: u32::MAX,
        };
        let from = behind.map_or(Bound::Included((state, first)), |front| {
            Bound::Excluded((state, front))
        });
        let fronts = self.fronts.range((from, Bound::Included((state, last))));
        fronts.map(|(_, front)| *front)
    }
}

impl Limiter {
    /// There are too many fronts to look at all; begins and ends the time in which they are counted.
    pub(super) fn is_crowded(&mut self) -> bool {
        let fronts = self.admission.waited_for.len();
        match &self.admission.crowd {
            None if fronts > FEW => self.gather_crowd(),
            Some(_) if fronts < FEW / 2 => self.scatter_crowd(),
            _ => {}
        }
        self.admission.crowd.is_some()
    }

    /// The front of a set, if fronts are counted.
    pub(super) fn crowd_front(&self, set: u32) -> Option<Front> {
        self.admission.crowd.as_ref()?;
        self.front(set)
    }

    /// Grants what can go now, of the calls that there is reason to look at.
    pub(super) fn pass_of_crowd(&mut self, now: Nanos) {
        self.admission.marked = false;
        self.pick_fronts(now);
        let mut before = None;
        while let Some(Reverse(front)) = self.admission.fronts.pop() {
            // A front may have been picked for several of its limits.
            let again = before.replace(front) == Some(front);
            if !again && self.front(front.set) == Some(front) && self.look_at(front, now) {
                let next = self.front(front.set).map(Reverse);
                self.admission.fronts.extend(next);
                self.pick_more(front.set, now);
            }
        }
        if let Some(crowd) = &mut self.admission.crowd {
            crowd.end_turn();
            self.admission.wake = crowd.next_wake(now);
        }
    }

    /// The front of a set is another one than `before`: counts it, and hands its claims on.
    pub(super) fn front_moved(&mut self, set: u32, before: Option<Front>) {
        let after = self.crowd_front(set);
        if self.admission.crowd.is_none() || before == after {
            return;
        }
        for index in 0..self.book.sets[set].states.len() {
            let state = self.book.sets[set].states[index];
            if let Some(crowd) = &mut self.admission.crowd {
                let entry = &mut self.book.states[state];
                entry.fronts += u32::from(after.is_some());
                entry.fronts -= u32::from(before.is_some());
                crowd.fronts.extend(after.map(|after| (state, after)));
                if let Some(before) = before {
                    crowd.fronts.remove(&(state, before));
                    if entry.fronts > 0 {
                        crowd.marked.insert(state);
                    }
                }
            }
            self.hand_claim_on(state);
        }
        if before.is_some() {
            let soon = self.now.saturating_add(NEXT_TURN);
            self.admission.wake = self.admission.wake.min(soon);
        }
    }

    /// The first front of a limit that wants something of it has the claim.
    fn hand_claim_on(&mut self, state: u32) {
        let Some(crowd) = &self.admission.crowd else {
            return;
        };
        let counted = self.book.states[state].counted;
        let claim = crowd.fronts_of(state, None).find_map(|Front { key, set }| {
            let place = self.waiters.front(self.book.sets[set].line)?;
            let units = Amounts::new(&self.waiters.record(place).ask.cost).of(counted);
            let at = self.book.sets[set].front_at;
            let pass = self.admission.pass;
            (units > 0).then_some(Claim {
                pass,
                key,
                units,
                at,
            })
        });
        self.book.states[state].claim = claim.unwrap_or_default();
    }

    /// Picks the fronts that there is reason to look at.
    fn pick_fronts(&mut self, now: Nanos) {
        let Some(crowd) = &mut self.admission.crowd else {
            return;
        };
        crowd.expire(now);
        let rest = std::mem::take(&mut crowd.rest);
        let marked = std::mem::take(&mut crowd.marked);
        for (state, behind) in rest {
            self.pick_of(state, Some(behind), now);
        }
        for state in marked {
            self.pick_of(state, None, now);
        }
    }

    /// Picks some fronts of one limit. Of one that can pay nothing only the first, for its time.
    fn pick_of(&mut self, state: u32, behind: Option<Front>, now: Nanos) {
        let spent = self.is_spent(state, now);
        let Some(crowd) = &mut self.admission.crowd else {
            return;
        };
        let most = match behind {
            None if spent => 1,
            Some(_) if spent => return,
            _ => TURN,
        };
        let mut last = None;
        let mut picked = 0;
        for front in crowd.fronts_of(state, behind).take(most) {
            self.admission.fronts.push(Reverse(front));
            (last, picked) = (Some(front), picked + 1);
        }
        if let Some(last) = last.filter(|_| picked == TURN) {
            let cursors = if behind.is_some() {
                &mut crowd.rest
            } else {
                &mut crowd.turn
            };
            cursors.insert(state, last);
        }
    }

    /// A front of this set has gone: the turns of its limits are one longer.
    fn pick_more(&mut self, set: u32, now: Nanos) {
        for index in 0..self.book.sets[set].states.len() {
            let state = self.book.sets[set].states[index];
            let crowd = self.admission.crowd.as_ref();
            let Some(behind) = crowd.and_then(|crowd| crowd.turn.get(&state).copied()) else {
                continue;
            };
            let spent = self.is_spent(state, now);
            let Some(crowd) = &mut self.admission.crowd else {
                return;
            };
            let next = crowd
                .fronts_of(state, Some(behind))
                .next()
                .filter(|_| !spent);
            match next {
                Some(next) => crowd.turn.insert(state, next),
                None => crowd.turn.remove(&state),
            };
            self.admission.fronts.extend(next.map(Reverse));
        }
    }

    /// A limit can pay nothing; it is looked at again when it can, if that is known.
    fn is_spent(&mut self, state: u32, now: Nanos) -> bool {
        let at = self.book.states[state].payable_at(1, now);
        if let Some(crowd) = &mut self.admission.crowd
            && now < at
            && at < Nanos::MAX
        {
            crowd.wake(state, at);
        }
        now < at
    }

    /// Counts all fronts, to look at each once.
    fn gather_crowd(&mut self) {
        let mut crowd = Box::<Crowd>::default();
        let mut counts = BTreeMap::new();
        for front in self
            .admission
            .waited_for
            .iter()
            .filter_map(|set| self.front(*set))
        {
            for &state in &self.book.sets[front.set].states {
                crowd.fronts.insert((state, front));
                *counts.entry(state).or_insert(0) += 1;
            }
        }
        crowd.marked.extend(counts.keys());
        self.admission.crowd = Some(crowd);
        // Claims of limits that nobody waits for any more are void.
        self.admission.pass += 1;
        for (state, fronts) in counts {
            self.book.states[state].fronts = fronts;
            self.hand_claim_on(state);
        }
    }

    /// Few are left: the plain pass looks at all of them.
    fn scatter_crowd(&mut self) {
        let crowd = self.admission.crowd.take();
        for (state, _) in crowd.into_iter().flat_map(|crowd| crowd.fronts) {
            self.book.states[state].fronts = 0;
        }
    }
}
