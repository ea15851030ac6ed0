//! A limiter with one owner, and the short words of the tests.

use penstock_core::clock::Nanos;
use penstock_core::limit::{
    Ask, Cost, End, Grant, Limiter, LimiterConfig, Overrun, Owner, Permit, Refusal, RuleId,
    RuleSpec, Scope, SetId, Shape, Taken, Unit, Waiter, Who,
};

pub const SECOND: Nanos = Nanos::from_secs(1);

pub fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

pub fn secs(secs: u64) -> Nanos {
    Nanos::from_secs(secs)
}

pub fn bucket(n: u64, per: Nanos, burst: u64) -> Shape {
    Shape::Bucket { n, per, burst }
}

pub fn window(n: u64, per: Nanos) -> Shape {
    Shape::Window { n, per }
}

pub fn slots(n: u32) -> Shape {
    Shape::Slots { n, adaptive: None }
}

pub fn budget(amount: u64) -> Shape {
    Shape::Budget {
        amount,
        ends: None,
        warn: Vec::new(),
        overrun: Overrun::Finish,
    }
}

/// A limiter, its one owner, and a counter of arrivals.
pub struct Bench {
    pub limiter: Limiter,
    pub owner: Owner,
    pub number: u64,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(LimiterConfig::default())
    }
}

impl Bench {
    pub fn new(config: LimiterConfig) -> Self {
        let mut limiter = Limiter::new(config);
        let owner = limiter.add_owner();
        Self {
            limiter,
            owner,
            number: 0,
        }
    }

    /// With one limit of requests over everything.
    pub fn with(shape: Shape) -> (Self, SetId) {
        let mut bench = Self::default();
        bench.add("limit", "global", Unit::Requests, shape);
        let set = bench.set(&Who::default());
        (bench, set)
    }

    pub fn add(&mut self, name: &str, scope: &str, unit: Unit, shape: Shape) -> RuleId {
        let scope = Scope::parse(scope).expect("a scope");
        let spec = RuleSpec::new(name, scope, unit, shape);
        self.limiter.add(spec, Nanos::ZERO).expect("a rule")
    }

    pub fn set(&mut self, who: &Who<'_>) -> SetId {
        let set = self.limiter.resolve(who, Nanos::ZERO);
        set.expect("few limits").expect("some limit")
    }

    pub fn tool(&mut self, tool: &str) -> SetId {
        let tool = Some(tool);
        self.set(&Who {
            tool,
            ..Who::default()
        })
    }

    pub fn tenant(&mut self, tenant: &str) -> SetId {
        let tenant = Some(tenant);
        self.set(&Who {
            tenant,
            ..Who::default()
        })
    }

    pub fn ask(&mut self, set: SetId, units: u64, now: Nanos) -> Ask {
        self.number += 1;
        Ask {
            owner: self.owner,
            token: self.number,
            set,
            cost: Cost::requests(units),
            lane: 4,
            arrival: now,
            number: self.number,
            deadline: None,
        }
    }

    pub fn try_take(&mut self, set: SetId, units: u64, now: Nanos) -> Result<Permit, Refusal> {
        self.limiter
            .try_take(set, &Cost::requests(units), 4, None, now)
    }

    pub fn granted(&mut self, set: SetId, units: u64, now: Nanos) -> Permit {
        self.try_take(set, units, now).expect("a permit")
    }

    pub fn refused(&mut self, set: SetId, units: u64, now: Nanos) -> Refusal {
        self.try_take(set, units, now).expect_err("a refusal")
    }

    pub fn take(&mut self, set: SetId, units: u64, now: Nanos) -> Taken {
        let ask = self.ask(set, units, now);
        self.limiter.take(&ask, now)
    }

    /// Takes what must wait; its token is the number of the arrival.
    pub fn wait(&mut self, set: SetId, units: u64, now: Nanos) -> Waiter {
        match self.take(set, units, now) {
            Taken::Waiting(waiter) => waiter,
            other => panic!("{other:?} instead of waiting"),
        }
    }

    pub fn settle(&mut self, permit: Permit, now: Nanos) {
        self.limiter.settle(permit, None, End::Ok, now);
    }

    pub fn grants(&mut self, now: Nanos) -> Vec<Grant> {
        self.limiter.poll(now);
        let mut grants = Vec::new();
        while let Some(grant) = self.limiter.pop_grant(self.owner) {
            grants.push(grant);
        }
        grants
    }

    /// Tokens that are granted at `now`, in order.
    pub fn tokens(&mut self, now: Nanos) -> Vec<u64> {
        let grants = self.grants(now).into_iter();
        grants
            .filter(|grant| grant.result.is_ok())
            .map(|grant| grant.token)
            .collect()
    }

    pub fn used(&self, rule: RuleId, now: Nanos) -> u64 {
        self.limiter
            .state_statistics(rule, now)
            .map(|state| state.used)
            .sum()
    }
}
