//! Rules, their states, and the sets of states that calls must pass.
//!
//! Ground rules. A rule without `*` has one state, made with it; a state of `*` is made at first use
//! and dropped only by a sweep, at rest and in no set. With `max_keys` of those, new values share
//! one state of the same shape: the overflow, too strict for them but never too lenient. A set has
//! no state of its own: it lives while somebody pins it, holds a permit of it or waits for it.

use std::collections::BTreeMap;

use super::balance::Balance;
use super::rule::{AddError, RuleSpec};
use super::scope::Who;
use super::state::{Counts, State};
use super::{RuleId, SetId, TooManyLimits};
use crate::clock::Nanos;
use crate::sched::slab::{NIL, Slab};

/// Limits that one call may have to pass.
pub const MOST_LIMITS: usize = 16;
/// A sweep that found the table full is not repeated sooner.
const SWEEP_EVERY: Nanos = Nanos::from_secs(1);

/// One rule and its states by their scopes.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) spec: Option<RuleSpec>,
    pub(crate) states: BTreeMap<Box<str>, u32>,
    /// The state of all values for which there was no place.
    pub(crate) overflow: Option<u32>,
    /// Values that came to share it.
    pub(crate) overflowed: u64,
    /// What happened in states that are dropped.
    pub(crate) past: Counts,
    pub(crate) removed: bool,
}

impl Rule {
    /// All its states, in the order of their scopes, the overflow last.
    pub(crate) fn all_states(&self) -> impl Iterator<Item = u32> {
        self.states.values().copied().chain(self.overflow)
    }
}

/// The limits that calls of one kind must pass.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) states: Box<[u32]>,
    /// Where its calls wait; `NIL` while none does.
    pub(crate) line: u32,
    /// Its place among the sets that are waited for.
    pub(crate) place: u32,
    /// When its front could be paid, when that was last looked at.
    pub(crate) front_at: Nanos,
    pub(crate) permits: u32,
    pub(crate) pins: u32,
    /// Those of its states to which the end of a permit gives something back, whatever it cost.
    pub(crate) returning: Box<[u32]>,
}

impl Default for Set {
    fn default() -> Self {
        Self {
            states: Box::default(),
            line: NIL,
            place: NIL,
            front_at: Nanos::ZERO,
            permits: 0,
            pins: 0,
            returning: Box::default(),
        }
    }
}

impl Set {
    pub(crate) const fn is_unused(&self) -> bool {
        self.pins == 0 && self.permits == 0 && self.line == NIL
    }
}

/// All rules, states and sets.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) rules: Slab<Rule>,
    pub(crate) states: Slab<State>,
    pub(crate) sets: Slab<Set>,
    names: BTreeMap<String, u32>,
    interned: BTreeMap<Box<[u32]>, u32>,
    /// States of `*`.
    keys: u32,
    max_keys: u32,
    swept: Option<Nanos>,
}

impl Registry {
    pub(crate) fn new(max_keys: u32) -> Self {
        Self {
            max_keys,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, spec: RuleSpec, now: Nanos) -> Result<RuleId, AddError> {
        spec.shape.check()?;
        if self.names.contains_key(&spec.name) {
            return Err(AddError::DuplicateName { name: spec.name });
        }
        let rule = self.rules.take();
        self.names.insert(spec.name.clone(), rule);
        let alone = (!spec.scope.is_wild()).then(|| spec.scope.to_string());
        self.rules[rule] = Rule {
            spec: Some(spec),
            ..Rule::default()
        };
        if let Some(scope) = alone {
            let state = self.add_state(rule, &scope, now);
            self.rules[rule].states.insert(scope.into(), state);
        }
        Ok(RuleId(rule))
    }

    /// A rule that is there and was not removed.
    pub(crate) fn rule(&self, rule: RuleId) -> Option<&Rule> {
        self.rules
            .get(rule.0)
            .filter(|rule| rule.spec.is_some() && !rule.removed)
    }

    pub(crate) fn spec_mut(&mut self, rule: RuleId) -> Option<&mut RuleSpec> {
        self.rule(rule)?;
        self.rules[rule.0].spec.as_mut()
    }

    pub(crate) fn rule_called(&self, name: &str) -> Option<RuleId> {
        self.names.get(name).copied().map(RuleId)
    }

    /// Live rules, in the order of their places.
    pub(crate) fn live_rules(&self) -> impl Iterator<Item = (RuleId, &RuleSpec)> {
        let rules = (0..).zip(self.rules.items());
        rules
            .filter(|(_, rule)| !rule.removed)
            .filter_map(|(place, rule)| rule.spec.as_ref().map(|spec| (RuleId(place), spec)))
    }

    /// Takes a rule out of use. Its states let everything pass until the last set with them is gone.
    pub(crate) fn retire(&mut self, rule: RuleId) {
        let entry = &mut self.rules[rule.0];
        entry.removed = true;
        if let Some(spec) = &entry.spec {
            self.names.remove(&spec.name);
        }
        let states: Vec<u32> = entry.all_states().collect();
        for state in states {
            let entry = &mut self.states[state];
            entry.balance = Balance::Open;
            (entry.child, entry.restrained) = (None, false);
            if entry.sets == 0 {
                self.drop_state(state);
            }
        }
        self.free_rule(rule.0);
    }

    /// The set of all limits that speak of a call, pinned once more.
    pub(crate) fn resolve(
        &mut self,
        who: &Who<'_>,
        now: Nanos,
    ) -> Result<Option<SetId>, TooManyLimits> {
        let matching = self
            .live_rules()
            .filter(|(_, spec)| spec.scope.matches(who));
        let rules: Vec<u32> = matching.map(|(rule, _)| rule.0).collect();
        if rules.len() > MOST_LIMITS {
            return Err(TooManyLimits {
                limits: rules.len(),
            });
        }
        if rules.is_empty() {
            return Ok(None);
        }
        let states: Box<[u32]> = rules
            .into_iter()
            .map(|rule| self.state_for(rule, who, now))
            .collect();
        let set = self.intern(states);
        self.sets[set].pins += 1;
        Ok(Some(SetId(set)))
    }

    /// Lets go of a set if nobody needs it any more.
    pub(crate) fn tidy_set(&mut self, set: u32) {
        if !self.sets[set].is_unused() || self.sets[set].states.is_empty() {
            return;
        }
        let states = std::mem::take(&mut self.sets[set].states);
        self.interned.remove(&states);
        self.sets.give(set);
        for state in states {
            self.states[state].sets -= 1;
            let rule = self.states[state].rule;
            if self.states[state].sets == 0 && self.rules[rule].removed {
                self.drop_state(state);
                self.free_rule(rule);
            }
        }
    }

    fn intern(&mut self, states: Box<[u32]>) -> u32 {
        if let Some(&set) = self.interned.get(&states) {
            return set;
        }
        for &state in &states {
            self.states[state].sets += 1;
        }
        let returns = |state: &u32| self.states[*state].balance.returns();
        let returning = states.iter().copied().filter(returns).collect();
        let set = self.sets.take();
        self.interned.insert(states.clone(), set);
        self.sets[set] = Set {
            states,
            returning,
            ..Set::default()
        };
        set
    }

    /// The state of a rule for one call, made if need be.
    fn state_for(&mut self, rule: u32, who: &Who<'_>, now: Nanos) -> u32 {
        let Some(spec) = &self.rules[rule].spec else {
            return NIL;
        };
        let (scope, wild) = (spec.scope.filled(who), spec.scope.is_wild());
        if let Some(&state) = self.rules[rule].states.get(scope.as_str()) {
            return state;
        }
        if wild && !self.has_room(now) {
            return self.overflow_of(rule, now);
        }
        self.keys += u32::from(wild);
        let state = self.add_state(rule, &scope, now);
        self.rules[rule].states.insert(scope.into(), state);
        state
    }

    fn overflow_of(&mut self, rule: u32, now: Nanos) -> u32 {
        self.rules[rule].overflowed += 1;
        if let Some(state) = self.rules[rule].overflow {
            return state;
        }
        let scope = self.rules[rule]
            .spec
            .as_ref()
            .map_or_else(String::new, |spec| spec.scope.to_string());
        let state = self.add_state(rule, &scope, now);
        self.rules[rule].overflow = Some(state);
        state
    }

    fn add_state(&mut self, rule: u32, scope: &str, now: Nanos) -> u32 {
        let state = self.states.take();
        if let Some(spec) = &self.rules[rule].spec {
            let balance = Balance::new(&spec.shape, now);
            let counted = spec.shape.counted(spec.unit);
            self.states[state] = State::new(rule, counted, balance, scope);
            self.states[state].max_waiting = spec.max_waiting;
        }
        state
    }

    /// There is room for one more value of `*`, after a sweep if need be.
    fn has_room(&mut self, now: Nanos) -> bool {
        if self.keys < self.max_keys {
            return true;
        }
        if self
            .swept
            .is_none_or(|swept| now.saturating_sub(swept) >= SWEEP_EVERY)
        {
            self.swept = Some(now);
            self.sweep(now);
        }
        self.keys < self.max_keys
    }

    /// Drops the states of `*` that nobody would miss.
    fn sweep(&mut self, now: Nanos) {
        for state in 0..self.states.places() {
            let entry = &self.states[state];
            let unused = !entry.is_vacant() && entry.sets == 0 && entry.is_at_rest(now);
            if unused && self.is_wild(entry.rule) {
                self.drop_state(state);
            }
        }
    }

    fn is_wild(&self, rule: u32) -> bool {
        self.rules[rule]
            .spec
            .as_ref()
            .is_some_and(|spec| spec.scope.is_wild())
    }

    fn drop_state(&mut self, state: u32) {
        let entry = std::mem::take(&mut self.states[state]);
        let wild = self.is_wild(entry.rule);
        self.states[state].rule = NIL;
        self.states.give(state);
        let rule = &mut self.rules[entry.rule];
        rule.past.add(entry.counts);
        if rule.overflow == Some(state) {
            rule.overflow = None;
        } else {
            rule.states.remove(&entry.scope);
            self.keys -= u32::from(wild);
        }
    }

    /// Frees the place of a rule that was removed and has no state left.
    fn free_rule(&mut self, rule: u32) {
        let entry = &mut self.rules[rule];
        if entry.removed && entry.spec.is_some() && entry.all_states().next().is_none() {
            *entry = Rule::default();
            self.rules.give(rule);
        }
    }
}
