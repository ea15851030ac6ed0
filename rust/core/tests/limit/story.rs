//! One story, told to the limiter and to the model at once: after each step both must agree.

use std::collections::BTreeMap;

use penstock_core::clock::Nanos;
use penstock_core::limit::{
    self, Ask, Change, End, Limiter, Overrun, Owner, RuleId, RuleSpec, Scope, SetId, Taken, Unit,
    Waiter, Who,
};

use crate::model::{Answer, Call, Cost, Key, Limit, Model, Permit, Shape};
use crate::steps::{CostSpec, Kind, LimitSpec, Size, Step};

pub const SCOPES: [&str; 6] = [
    "global",
    "service:s",
    "tool:a",
    "tool:*",
    "tenant:*",
    "tenant:*/tool:*",
];

/// Who calls: tenant, service, tool.
pub const CALLERS: [(Option<&str>, Option<&str>, &str); 5] = [
    (None, Some("s"), "a"),
    (None, Some("s"), "b"),
    (Some("x"), Some("s"), "a"),
    (Some("y"), None, "c"),
    (Some("x"), None, "c"),
];

/// A permit, as both know it.
#[derive(Clone, Copy, Debug)]
struct Held {
    real: limit::Permit,
    model: Permit,
    call: Call,
}

pub struct Story {
    pub limiter: Limiter,
    pub model: Model,
    pub now: u64,
    /// Everything that was answered, in order: who, and whether with a permit.
    pub trace: Vec<(u64, bool)>,
    owner: Owner,
    sets: Vec<Option<SetId>>,
    /// The set of each caller: those with the same limits share one.
    callers: Vec<usize>,
    rules: Vec<(RuleId, LimitSpec)>,
    /// The limits of the model, by rule and value.
    limits: BTreeMap<(usize, String), usize>,
    held: Vec<Held>,
    waiting: BTreeMap<u64, (Waiter, Call)>,
    number: u64,
    /// A call came or went since the last pass looked at the claims.
    moved: bool,
}

fn matches(scope: &str, caller: (Option<&str>, Option<&str>, &str)) -> Option<String> {
    let (tenant, service, tool) = caller;
    match scope {
        "global" => Some(String::new()),
        "service:s" => (service == Some("s")).then(String::new),
        "tool:a" => (tool == "a").then(String::new),
        "tool:*" => Some(tool.to_owned()),
        "tenant:*" => tenant.map(str::to_owned),
        _ => tenant.map(|tenant| format!("{tenant}/{tool}")),
    }
}

fn real_shape(spec: &LimitSpec) -> limit::Shape {
    let Size { n, per, burst } = spec.size;
    let per = Nanos(per);
    match spec.kind {
        Kind::Bucket => limit::Shape::Bucket { n, per, burst },
        Kind::Window => limit::Shape::Window { n, per },
        Kind::Slots => limit::Shape::Slots {
            n: u32::try_from(burst).unwrap(),
            adaptive: None,
        },
        Kind::Budget => limit::Shape::Budget {
            amount: n * 8,
            ends: None,
            warn: Vec::new(),
            overrun: Overrun::Finish,
        },
    }
}

fn model_shape(spec: &LimitSpec) -> Shape {
    let Size { n, per, burst } = spec.size;
    match spec.kind {
        Kind::Bucket => Shape::bucket(n, per, burst),
        Kind::Window => Shape::Window {
            n,
            width: per.div_ceil(64),
            cells: Vec::new(),
            laid: 0,
        },
        Kind::Slots => Shape::Slots {
            n: burst,
            in_use: 0,
        },
        Kind::Budget => Shape::Budget {
            amount: n * 8,
            spent: 0,
            reserved: 0,
        },
    }
}

fn key(arrival: u64, lane: u8, number: u64) -> Key {
    let guess = if lane < 8 { 0 } else { 3_600_000_000_000 };
    (arrival + u64::from(lane) * 1_000_000_000 + guess, number)
}

fn real_cost(cost: Cost) -> limit::Cost {
    limit::Cost {
        requests: cost.requests,
        input_tokens: cost.tokens / 2,
        output_tokens: cost.tokens - cost.tokens / 2,
        microusd: 0,
    }
}

impl Story {
    pub fn new(specs: &[LimitSpec]) -> Self {
        let mut limiter = Limiter::default();
        let owner = limiter.add_owner();
        let mut story = Self {
            limiter,
            model: Model::default(),
            now: 0,
            trace: Vec::new(),
            owner,
            sets: Vec::new(),
            callers: Vec::new(),
            rules: Vec::new(),
            limits: BTreeMap::new(),
            held: Vec::new(),
            waiting: BTreeMap::new(),
            number: 0,
            moved: false,
        };
        for (place, spec) in specs.iter().enumerate() {
            let scope = Scope::parse(SCOPES[spec.scope]).unwrap();
            let unit = if spec.tokens {
                Unit::TotalTokens
            } else {
                Unit::Requests
            };
            let rule = RuleSpec::new(place.to_string(), scope, unit, real_shape(spec));
            let rule = story.limiter.add(rule, Nanos::ZERO).unwrap();
            story.rules.push((rule, *spec));
        }
        for caller in CALLERS {
            story.resolve(caller);
        }
        story
    }

    fn resolve(&mut self, caller: (Option<&str>, Option<&str>, &str)) {
        let (tenant, service, tool) = caller;
        let who = Who {
            tenant,
            service,
            tool: Some(tool),
            ..Who::default()
        };
        self.sets
            .push(self.limiter.resolve(&who, Nanos::ZERO).unwrap());
        let mut set = Vec::new();
        for (place, (_, spec)) in self.rules.iter().enumerate() {
            if let Some(value) = matches(SCOPES[spec.scope], caller) {
                let limits = &mut self.model.limits;
                set.push(*self.limits.entry((place, value)).or_insert_with(|| {
                    let shape = model_shape(spec);
                    limits.push(Limit {
                        shape,
                        tokens: spec.tokens,
                        blocked_until: 0,
                    });
                    limits.len() - 1
                }));
            }
        }
        self.model.sets.push(set);
        let sets = &self.model.sets;
        self.callers
            .extend(sets.iter().position(|other| *other == sets[sets.len() - 1]));
    }

    pub fn play(&mut self, step: &Step) {
        match *step {
            Step::Take { set, cost, lane } => self.take(set, cost, lane, self.now),
            Step::Behind(span) => {
                // Somebody else's turn, with a later time.
                self.poll();
                self.take(
                    0,
                    CostSpec {
                        requests: 1,
                        tokens: 1,
                    },
                    4,
                    span,
                );
            }
            Step::Try { set, cost, lane } => self.try_take(set, cost, lane),
            Step::Poll => self.poll(),
            Step::Advance(span) => self.now += span,
            Step::Settle(which, actual) => self.settle(which, actual),
            Step::Refund(which) => self.refund(which),
            Step::Cancel(which) => self.cancel(which),
            Step::Again(which) => self.again(which),
            Step::Forget(which) => self.forget(which),
            Step::Change(which, size) => self.change(which, size),
            Step::Block(which, span) => self.block(which, span),
        }
    }

    /// Both have spent the same everywhere, and nothing that could go waits for something else than
    /// a poll that is due.
    pub fn check(&self) {
        for (place, (rule, _)) in self.rules.iter().enumerate() {
            let real = self.limiter.state_statistics(*rule, Nanos(self.now));
            let real: u64 = real.map(|state| state.used).sum();
            let limits = self.limits.iter().filter(|((of, _), _)| *of == place);
            let model: u64 = limits
                .map(|(_, at)| self.model.limits[*at].shape.used(self.now))
                .sum();
            assert_eq!(real, model, "units of rule {place}");
        }
        if !self.limiter.is_due(Nanos(self.now)) {
            let missed = self.model.clone().pass(self.now);
            // A call that came or went meanwhile may delay a claim or take it over, and so free
            // another call: that is seen at the time of the claim, or with the next end if it waits
            // for one. Nothing else may be missed.
            let wakes = self.limiter.next_wake().is_some() || !self.held.is_empty();
            let seen = self.moved && wakes;
            assert!(missed.is_empty() || seen, "nobody looks at {missed:?}");
        }
    }

    /// Ends everything; afterwards all limits are at rest.
    pub fn finish(&mut self) {
        for _ in 0..10_000 {
            while !self.held.is_empty() {
                self.refund(0);
            }
            while !self.waiting.is_empty() {
                self.forget(0);
            }
            self.poll();
            if self.held.is_empty() && self.waiting.is_empty() {
                break;
            }
        }
        self.now += 2 * 366 * 86_400_000_000_000;
        self.check();
        let statistics = self.limiter.statistics();
        assert_eq!((statistics.permits, statistics.waiting), (0, 0));
        for (rule, spec) in &self.rules {
            let budget = spec.kind == Kind::Budget;
            for state in self.limiter.state_statistics(*rule, Nanos(self.now)) {
                let rest = if budget { state.spent } else { 0 };
                assert_eq!(state.used, rest, "a limit is not at rest");
            }
        }
        for set in self.sets.drain(..).flatten() {
            self.limiter.unpin(set);
        }
        assert_eq!(self.limiter.statistics().sets, 0);
    }

    fn cost_of(cost: CostSpec) -> Cost {
        Cost {
            requests: cost.requests,
            tokens: cost.tokens,
        }
    }

    fn take(&mut self, caller: usize, cost: CostSpec, lane: u8, brought: u64) {
        let set = self.callers[caller];
        self.number += 1;
        let key = key(self.now, lane, self.number);
        let call = Call {
            key,
            set,
            cost: Self::cost_of(cost),
            token: self.number,
        };
        self.ask(call, lane, self.now, brought.min(self.now));
    }

    /// Asks with the key that `call` has; the caller brings the time `brought`.
    fn ask(&mut self, call: Call, lane: u8, arrival: u64, brought: u64) {
        let Some(set) = self.sets[call.set] else {
            return;
        };
        let ask = Ask {
            owner: self.owner,
            token: call.token,
            set,
            cost: real_cost(call.cost),
            lane,
            arrival: Nanos(arrival),
            number: call.key.1,
            deadline: None,
        };
        let answers = self.pass_of_model();
        let taken = self.limiter.take(&ask, Nanos(brought));
        let model = self.model.take(call, true, self.now);
        self.moved = true;
        self.compare(answers);
        match (taken, model) {
            (Taken::Granted(real), Answer::Granted(model)) => {
                self.trace.push((call.token, true));
                self.held.push(Held { real, model, call });
            }
            (Taken::Waiting(waiter), Answer::Waiting) => {
                self.waiting.insert(call.token, (waiter, call));
            }
            (Taken::Refused(_), Answer::Refused) => self.trace.push((call.token, false)),
            (real, model) => panic!("{real:?} instead of {model:?}"),
        }
    }

    fn try_take(&mut self, caller: usize, cost: CostSpec, lane: u8) {
        let set = self.callers[caller];
        let Some(real) = self.sets[set] else {
            return;
        };
        self.number += 1;
        let cost = Self::cost_of(cost);
        let key = key(self.now, lane, u64::MAX);
        let call = Call {
            key,
            set,
            cost,
            token: self.number,
        };
        let answers = self.pass_of_model();
        let taken = self
            .limiter
            .try_take(real, &real_cost(cost), lane, None, Nanos(self.now));
        let model = self.model.take(call, false, self.now);
        self.moved = true;
        self.compare(answers);
        match (taken, model) {
            (Ok(real), Answer::Granted(model)) => self.held.push(Held { real, model, call }),
            (Err(_), Answer::Refused) => {}
            (real, model) => panic!("{real:?} instead of {model:?}"),
        }
        self.trace.push((call.token, taken.is_ok()));
    }

    fn poll(&mut self) {
        let due = self.limiter.is_due(Nanos(self.now));
        let answers = self.pass_of_model();
        self.limiter.poll(Nanos(self.now));
        self.compare(answers);
        if due {
            let wake = self.model.next_wake.map(Nanos);
            assert_eq!(self.limiter.next_wake(), wake, "the next time to look");
        }
    }

    /// The limiter decides when a pass is due; the model knows what a pass does.
    fn pass_of_model(&mut self) -> Vec<(u64, Option<Permit>)> {
        if !self.limiter.is_due(Nanos(self.now)) {
            return Vec::new();
        }
        let answers = self.model.pass(self.now);
        self.moved = !answers.is_empty();
        answers
    }

    /// What the pass of the model answered is in the outbox, in the same order.
    fn compare(&mut self, answers: Vec<(u64, Option<Permit>)>) {
        for (token, model) in answers {
            let grant = self
                .limiter
                .pop_grant(self.owner)
                .expect("an answer of the model");
            assert_eq!(grant.token, token, "the order of answers");
            assert_eq!(
                grant.result.is_ok(),
                model.is_some(),
                "the answer to {token}"
            );
            let (_, call) = self.waiting.remove(&token).unwrap();
            self.trace.push((token, model.is_some()));
            if let (Ok(real), Some(model)) = (grant.result, model) {
                self.held.push(Held { real, model, call });
            }
        }
        assert_eq!(
            self.limiter.pop_grant(self.owner),
            None,
            "an answer that the model has not"
        );
    }

    fn pick(&mut self, which: usize) -> Option<Held> {
        let count = self.held.len();
        (count > 0).then(|| self.held.remove(which % count))
    }

    fn settle(&mut self, which: usize, actual: Option<CostSpec>) {
        let Some(held) = self.pick(which) else {
            return;
        };
        let now = Nanos(self.now);
        let cost = actual.map_or(held.model.cost, Self::cost_of);
        let actual = actual.map(|_| real_cost(cost));
        self.limiter
            .settle(held.real, actual.as_ref(), End::Ok, now);
        self.model.end(held.model, Some(cost), self.now);
    }

    fn refund(&mut self, which: usize) {
        if let Some(held) = self.pick(which) {
            self.limiter.refund(held.real, Nanos(self.now));
            self.model.end(held.model, None, self.now);
        }
    }

    fn cancel(&mut self, which: usize) {
        if let Some(held) = self.pick(which) {
            let none = limit::Cost::ZERO;
            self.limiter.cancel(held.real, Some(&none), Nanos(self.now));
            let spent = Cost {
                tokens: 0,
                ..held.model.cost
            };
            self.model.end(held.model, Some(spent), self.now);
        }
    }

    fn again(&mut self, which: usize) {
        if let Some(held) = self.pick(which) {
            self.limiter.refund(held.real, Nanos(self.now));
            self.model.end(held.model, None, self.now);
            // A key with a number of its own: that of a try is shared by all tries.
            if held.call.key.1 != u64::MAX {
                self.ask(held.call, 0, held.call.key.0, self.now);
            }
        }
    }

    fn forget(&mut self, which: usize) {
        let count = self.waiting.len();
        if count == 0 {
            return;
        }
        let token = *self.waiting.keys().nth(which % count).unwrap();
        let (waiter, _) = self.waiting.remove(&token).unwrap();
        self.limiter.forget(waiter, Nanos(self.now));
        self.model.waiting.retain(|call| call.token != token);
    }

    fn change(&mut self, which: usize, size: Size) {
        let place = which % self.rules.len();
        let (rule, spec) = self.rules[place];
        let Size { n, per, burst } = size;
        let (n, change) = match spec.kind {
            Kind::Bucket => (
                n,
                Change {
                    n: Some(n),
                    per: Some(Nanos(per)),
                    burst: Some(burst),
                },
            ),
            Kind::Window => (
                n,
                Change {
                    n: Some(n),
                    per: Some(Nanos(per)),
                    burst: None,
                },
            ),
            Kind::Slots => (
                burst,
                Change {
                    n: Some(burst),
                    per: None,
                    burst: None,
                },
            ),
            Kind::Budget => (
                n * 8,
                Change {
                    n: Some(n * 8),
                    per: None,
                    burst: None,
                },
            ),
        };
        self.limiter.change(rule, change, Nanos(self.now)).unwrap();
        for ((of, _), at) in &self.limits {
            if *of == place {
                self.model.limits[*at].shape.change(n, per, burst, self.now);
            }
        }
    }

    fn block(&mut self, which: usize, span: u64) {
        let place = which % self.rules.len();
        let until = self.now + span;
        self.limiter.block(self.rules[place].0, Nanos(until));
        for ((of, _), at) in &self.limits {
            if *of == place {
                let limit = &mut self.model.limits[*at];
                limit.blocked_until = limit.blocked_until.max(until);
            }
        }
    }
}
