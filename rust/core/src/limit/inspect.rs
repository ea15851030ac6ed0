//! What callers show of limits: names, sizes, and why a call would not go.

use super::cost::{Amounts, Cost, Unit};
use super::pass::Verdict;
use super::waiters::Key;
use super::{Ask, Limiter, Owner, Refusal, RuleId, SetId};
use crate::clock::Nanos;

impl Limiter {
    /// The rules, in the order in which they were added.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> {
        self.book.live_rules().map(|(rule, _)| rule)
    }

    /// Whether a budget has passed a share that nobody was told of.
    #[must_use]
    pub fn has_warnings(&self) -> bool {
        !self.warnings.is_empty()
    }

    /// Whether an owner has something to fetch.
    #[must_use]
    pub fn has_grants(&self, owner: Owner) -> bool {
        self.owners_with_grants().any(|known| known == owner)
    }

    /// The names of the limits of a set.
    #[must_use]
    pub fn names_of(&self, set: SetId) -> Vec<String> {
        let states = self.book.sets[set.0].states.iter();
        let rules = states.map(|&state| RuleId(self.book.states[state].rule));
        rules.map(|rule| self.name_of(rule).to_owned()).collect()
    }

    /// Counts a refusal no longer: who asked will wait.
    pub fn forgive(&mut self, refusal: &Refusal) {
        let counts = &mut self.book.states[refusal.state].counts;
        counts.refused = counts.refused.saturating_sub(1);
    }

    /// What the limit counts that refused.
    #[must_use]
    pub fn unit_of(&self, refusal: &Refusal) -> Unit {
        let rule = self.book.rule(refusal.rule);
        let spec = rule.and_then(|rule| rule.spec.as_ref());
        spec.map_or(Unit::Requests, |spec| spec.unit)
    }

    /// Calls that wait for the limit that refused.
    #[must_use]
    pub fn waiting_for(&self, refusal: &Refusal) -> u32 {
        let state = self.book.states.get(refusal.state);
        state.map_or(0, |state| state.waiting)
    }

    /// What a refused call asked of the limit that refused it, and the most that it gives at once.
    #[must_use]
    pub fn sizes(&self, refusal: &Refusal, cost: &Cost) -> (u64, u64) {
        let state = self.book.states.get(refusal.state);
        state.map_or((0, 0), |state| {
            let asked = Amounts::new(cost).of(state.counted);
            (asked, state.balance.most())
        })
    }

    /// What a call waits for that was just let wait: the limit, and when that could pay at the
    /// earliest, if it does not depend on others.
    #[must_use]
    pub fn waits_for(&self, ask: &Ask, now: Nanos) -> Option<(RuleId, Option<Nanos>)> {
        let now = self.now.max(now);
        let own = self.binding(ask, now);
        // One that is only behind others of its set waits for what the first of them waits for.
        let (at, by) = own.or_else(|| {
            let front = self.waiters.front(self.book.sets[ask.set.0].line)?;
            self.binding(&self.waiters.record(front).ask, now)
        })?;
        let known = (now < at && at < Nanos::MAX).then_some(at);
        Some((RuleId(self.book.states[by].rule), known))
    }

    fn binding(&self, ask: &Ask, now: Nanos) -> Option<(Nanos, u32)> {
        let key = Key::new(ask.arrival, ask.lane, ask.number);
        match self.judge(ask.set.0, &Amounts::new(&ask.cost), key, now) {
            Verdict::Waits { at, by } => Some((at, by)),
            Verdict::Pays => None,
        }
    }

    /// Why a call could not go now; `None` if it could. Nothing is taken.
    pub fn refusal_now(&mut self, set: SetId, cost: &Cost, now: Nanos) -> Option<Refusal> {
        let now = self.begin(now);
        let amounts = Amounts::new(cost);
        let key = Key::new(now, 0, u64::MAX);
        let verdict = self.judge(set.0, &amounts, key, now);
        let goes = verdict == Verdict::Pays && self.precedes(key, set.0);
        (!goes).then(|| {
            let refusal = self.refuse_now(set.0, &amounts, verdict, now);
            self.forgive(&refusal); // nobody was refused: somebody asked
            refusal
        })
    }
}
