//! What the limits look like from outside: figures, names, times.

use super::balance::Balance;
use super::cost::{Amounts, Cost};
use super::registry::Rule;
use super::state::{Counts, State};
use super::{Limiter, Refusal, RuleId, SetId};
use crate::clock::Nanos;

/// A budget passed a share of its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The budget.
    pub rule: RuleId,
    /// Its state: see [`Limiter::scope_of`].
    pub state: u32,
    /// In thousandths.
    pub share: u16,
}

/// One limit of one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateStatistics {
    /// Its scope, with the value in the place of `*`.
    pub scope: String,
    /// Units that are spent or held.
    pub used: u64,
    /// Of a budget: what was really spent.
    pub spent: u64,
    /// The most there is: the burst, n, slots, the amount.
    pub most: u64,
    /// Calls that wait.
    pub waiting: u32,
    /// Calls that were granted.
    pub granted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Permits whose calls were never sent.
    pub refunded: u64,
    /// Permits that were lost.
    pub dropped: u64,
    /// A provider said to wait until then.
    pub blocked_until: Option<Nanos>,
    /// How many times slower than usual, after that.
    pub ramp: u32,
    /// When a calendar window or budget begins anew.
    pub resets_at: Option<Nanos>,
}

/// One rule: the sums over its states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleStatistics {
    /// States, one for each value of `*`.
    pub keys: u64,
    /// Values that had to share one.
    pub overflow: u64,
    /// Calls that wait.
    pub waiting: u64,
    /// Calls that were granted.
    pub granted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Permits whose calls were never sent.
    pub refunded: u64,
    /// Permits that were lost.
    pub dropped: u64,
}

/// The whole limiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterStatistics {
    /// Permits that have not ended.
    pub permits: u64,
    /// Calls that wait.
    pub waiting: u64,
    /// Sets in use.
    pub sets: u64,
    /// Limits of scopes.
    pub states: u64,
}

impl Limiter {
    /// The sums of a rule; `None` if it was removed.
    #[must_use]
    pub fn rule_statistics(&self, rule: RuleId) -> Option<RuleStatistics> {
        let entry = self.book.rule(rule)?;
        let mut counts = entry.past;
        let (mut keys, mut waiting) = (0, 0);
        for state in entry.all_states() {
            let state = &self.book.states[state];
            counts.add(state.counts);
            keys += 1;
            waiting += u64::from(state.waiting);
        }
        let Counts {
            granted,
            refused,
            refunded,
            dropped,
        } = counts;
        let overflow = entry.overflowed;
        Some(RuleStatistics {
            keys,
            overflow,
            waiting,
            granted,
            refused,
            refunded,
            dropped,
        })
    }

    /// Each state of a rule, in the order of scopes.
    pub fn state_statistics(
        &self,
        rule: RuleId,
        now: Nanos,
    ) -> impl Iterator<Item = StateStatistics> {
        let states = self.book.rule(rule).into_iter().flat_map(Rule::all_states);
        states.map(move |state| describe_state(&self.book.states[state], now))
    }

    /// The whole.
    #[must_use]
    pub fn statistics(&self) -> LimiterStatistics {
        LimiterStatistics {
            permits: self.holds.count() as u64,
            waiting: u64::from(self.waiters.waiting()),
            sets: self.book.sets.live() as u64,
            states: self.book.states.live() as u64,
        }
    }

    /// The name and the scope of the limit that refused.
    #[must_use]
    pub fn describe(&self, refusal: &Refusal) -> (&str, &str) {
        (self.name_of(refusal.rule), self.scope_of(refusal.state))
    }

    /// The name of a rule; nothing if it is gone.
    #[must_use]
    pub fn name_of(&self, rule: RuleId) -> &str {
        let rule = self
            .book
            .rules
            .get(rule.0)
            .and_then(|rule| rule.spec.as_ref());
        rule.map_or("", |spec| &spec.name)
    }

    /// The scope of a state, with the value in the place of `*`.
    #[must_use]
    pub fn scope_of(&self, state: u32) -> &str {
        self.book.states.get(state).map_or("", |state| &state.scope)
    }

    /// The rule with this name.
    #[must_use]
    pub fn rule_called(&self, name: &str) -> Option<RuleId> {
        self.book.rule_called(name)
    }

    /// When a cost could be paid if nobody else came, and the limit that decides that. The time is
    /// `Nanos::MAX` where it depends on the ends of others; `None`: never.
    #[must_use]
    pub fn payable_at(&self, set: SetId, cost: &Cost, now: Nanos) -> Option<(Nanos, RuleId)> {
        let now = self.now.max(now);
        let amounts = Amounts::new(cost);
        let mut latest: Option<(Nanos, RuleId)> = None;
        for &place in &self.book.sets[set.0].states {
            let state = &self.book.states[place];
            let units = amounts.of(state.counted);
            if state.balance.refuses(units, now).is_some() {
                return None;
            }
            let at = state.payable_at(units, now);
            if latest.is_none_or(|(latest, _)| at > latest) {
                latest = Some((at, RuleId(state.rule)));
            }
        }
        latest
    }

    /// How full the tightest limit of a set is: 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "units have 53 bits")]
    pub fn fill(&self, set: SetId, now: Nanos) -> f64 {
        let now = self.now.max(now);
        let states = self.book.sets[set.0].states.iter();
        let shares = states.map(|&place| {
            let balance = &self.book.states[place].balance;
            match (balance.used(now), balance.most()) {
                (_, 0) => 1.0,
                (used, most) => (used as f64 / most as f64).min(1.0),
            }
        });
        shares.fold(0.0, f64::max)
    }

    /// The same, without taking them: the last are the newest.
    #[must_use]
    pub fn pending_warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Budgets that passed a share since the last time, in order.
    pub fn warnings(&mut self) -> impl Iterator<Item = Warning> {
        self.warnings.drain(..)
    }
}

fn describe_state(state: &State, now: Nanos) -> StateStatistics {
    let Counts {
        granted,
        refused,
        refunded,
        dropped,
    } = state.counts;
    let blocked_until = state.restraint.blocked_until();
    StateStatistics {
        scope: state.scope.to_string(),
        used: state.balance.used(now),
        spent: match &state.balance {
            Balance::Budget(budget) => budget.spent(now),
            _ => 0,
        },
        most: state.balance.most(),
        waiting: state.waiting,
        granted,
        refused,
        refunded,
        dropped,
        blocked_until: (blocked_until > now).then_some(blocked_until),
        ramp: state.restraint.scale(now),
        resets_at: state.balance.resets_at(),
    }
}
