//! The simulated figures of the design, and the bounds that the user was promised.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Cost, End, Limiter, SetId, Unit, Waiter, Who};
use proptest::prelude::*;

use crate::common::{Bench, SECOND, bucket, ms, slots, window};

/// A small generator: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn a_hundred_units_of_two_saturated_limits_behind_fifty_calls_take_150_ms() {
    let mut bench = Bench::default();
    bench.add("left", "global", Unit::Requests, bucket(1_000, SECOND, 100));
    bench.add(
        "right",
        "service:s",
        Unit::Requests,
        bucket(1_000, SECOND, 100),
    );
    let both = bench.set(&Who {
        service: Some("s"),
        ..Who::default()
    });
    let left = bench.set(&Who::default());
    bench.granted(both, 100, Nanos::ZERO);
    for _ in 0..50 {
        bench.wait(both, 1, Nanos::ZERO);
    }
    bench.wait(both, 100, Nanos::ZERO);
    let big = bench.number;
    for millis in 1..=200 {
        bench.take(left, 1, ms(millis));
        if bench.tokens(ms(millis)).contains(&big) {
            assert_eq!(millis, 150);
            return;
        }
    }
    panic!("the big call starves");
}

#[test]
fn a_thousand_waiters_are_granted_in_order_at_the_full_rate() {
    let (mut bench, set) = Bench::with(bucket(10_000, SECOND, 1));
    bench.granted(set, 1, Nanos::ZERO);
    for _ in 0..1_000 {
        bench.wait(set, 1, Nanos::ZERO);
    }
    let mut order = Vec::new();
    let mut wakes = 0;
    let mut now = Nanos::ZERO;
    while let Some(wake) = bench.limiter.next_wake() {
        // A loop has a resolution of a millisecond.
        now = wake.max(now.saturating_add(ms(1)));
        order.extend(bench.tokens(now));
        wakes += 1;
    }
    assert!(order.is_sorted() && order.len() == 1_000);
    // A burst of one is lost while the loop sleeps: 10 in each millisecond need a burst of 10.
    assert!(wakes <= 1_001, "{wakes} wake-ups");
}

#[test]
fn a_burst_of_a_millisecond_keeps_the_rate() {
    let (mut bench, set) = Bench::with(bucket(10_000, SECOND, 20));
    for _ in 0..1_020 {
        bench.take(set, 1, Nanos::ZERO);
    }
    let mut now = Nanos::ZERO;
    while bench.limiter.statistics().waiting > 0 {
        now = now.saturating_add(ms(1));
        bench.tokens(now);
    }
    assert_eq!(now, ms(100));
}

#[test]
fn eighty_of_a_hundred_forgotten_calls_cost_nobody_time() {
    let (mut bench, set) = Bench::with(bucket(100, SECOND, 1));
    bench.granted(set, 1, Nanos::ZERO);
    let waiters: Vec<Waiter> = (0..100).map(|_| bench.wait(set, 1, Nanos::ZERO)).collect();
    for waiter in &waiters[..80] {
        bench.limiter.forget(*waiter, ms(1));
    }
    let mut granted = 0;
    for turn in 1..=20 {
        granted += bench.tokens(ms(turn * 10)).len();
    }
    assert_eq!(granted, 20);
}

/// A mix of five buckets and two slot limits with cancels: what still runs, and for how long.
fn mix(seed: u64) {
    let mut dice = Dice(seed);
    let mut bench = Bench::default();
    for place in 0..5 {
        let (n, burst) = (50 + dice.roll(200), 1 + dice.roll(20));
        let scope = ["global", "tool:a", "tool:b", "service:s", "tenant:x"][place];
        bench.add(
            &format!("rate {place}"),
            scope,
            Unit::Requests,
            bucket(n, SECOND, burst),
        );
    }
    for (name, scope) in [("browser", "tool:a"), ("crm", "service:s")] {
        let places = u32::try_from(1 + dice.roll(4)).unwrap();
        bench.add(name, scope, Unit::Requests, slots(places));
    }
    let mut sets = Vec::new();
    for (tool, service, tenant) in [
        ("a", 0, 0),
        ("b", 1, 0),
        ("c", 1, 1),
        ("a", 1, 1),
        ("c", 0, 0),
    ] {
        let service = (service == 1).then_some("s");
        let tenant = (tenant == 1).then_some("x");
        sets.push(bench.set(&Who {
            tool: Some(tool),
            service,
            tenant,
            ..Who::default()
        }));
    }
    Mix {
        bench,
        dice,
        sets,
        running: Vec::new(),
        waiting: Vec::new(),
        last: vec![0; 5],
    }
    .run();
}

struct Mix {
    bench: Bench,
    dice: Dice,
    sets: Vec<SetId>,
    /// Permits and when they end.
    running: Vec<(penstock_core::limit::Permit, Nanos)>,
    /// Tokens, their handles and sets.
    waiting: Vec<(u64, Waiter, usize)>,
    /// The last call of each set that was granted.
    last: Vec<u64>,
}

impl Mix {
    fn run(mut self) {
        for millis in 0..60_000 {
            let now = ms(millis);
            if millis < 900 {
                self.arrive(now);
            }
            self.end(now);
            self.collect(now);
            if millis >= 900 && self.waiting.is_empty() && self.running.is_empty() {
                return;
            }
        }
        panic!("{} calls are stuck", self.waiting.len());
    }

    fn arrive(&mut self, now: Nanos) {
        self.collect(now);
        let which = usize::try_from(self.dice.roll(5)).unwrap();
        let units = if self.dice.roll(20) == 0 {
            1 + self.dice.roll(3)
        } else {
            1
        };
        match self.bench.take(self.sets[which], units, now) {
            penstock_core::limit::Taken::Waiting(waiter) => {
                self.waiting.push((self.bench.number, waiter, which));
            }
            penstock_core::limit::Taken::Granted(permit) => {
                let ends = now.saturating_add(ms(self.dice.roll(40)));
                assert!(
                    self.waiting.iter().all(|(_, _, set)| *set != which),
                    "it barged in"
                );
                self.running.push((permit, ends));
            }
            penstock_core::limit::Taken::Refused(_) => {}
        }
        if self.dice.roll(10) == 0 && !self.waiting.is_empty() {
            let place = usize::try_from(self.dice.roll(self.waiting.len() as u64)).unwrap();
            let (_, waiter, _) = self.waiting.remove(place);
            self.bench.limiter.forget(waiter, now);
        }
    }

    fn end(&mut self, now: Nanos) {
        for (permit, _) in self.running.extract_if(.., |(_, ends)| *ends <= now) {
            self.bench.limiter.settle(permit, None, End::Ok, now);
        }
    }

    fn collect(&mut self, now: Nanos) {
        for grant in self.bench.grants(now) {
            let place = self
                .waiting
                .iter()
                .position(|(token, ..)| *token == grant.token);
            let (token, _, set) = self.waiting.remove(place.unwrap());
            assert!(token > self.last[set], "a set is out of order");
            self.last[set] = token;
            let ends = now.saturating_add(ms(self.dice.roll(40)));
            self.running.push((grant.result.unwrap(), ends));
        }
    }
}

#[test]
fn random_mixes_leave_nobody_stuck_and_keep_the_order_of_sets() {
    for seed in 1..=60 {
        mix(seed);
    }
}

/// Takes as much as it gets at random times; answers the times of the grants.
fn history(limiter: &mut Limiter, set: SetId, spans: &[u64]) -> Vec<u64> {
    let mut now = 0;
    let mut granted = Vec::new();
    for span in spans {
        now += span;
        while limiter
            .try_take(set, &Cost::ONE, 4, None, Nanos(now))
            .is_ok()
        {
            granted.push(now);
        }
    }
    granted
}

proptest! {
    #[test]
    fn no_window_holds_more_than_its_limit(
        n in 1_u64..20,
        per in 1_000_000_u64..2_000_000_000,
        spans in prop::collection::vec(0_u64..500_000_000, 1..200),
    ) {
        let (mut bench, set) = Bench::with(window(n, Nanos(per)));
        let granted = history(&mut bench.limiter, set, &spans);
        for first in &granted {
            let within = granted.iter().filter(|at| (*first..first + per).contains(at)).count();
            prop_assert!(within as u64 <= n);
        }
    }

    #[test]
    fn no_span_of_a_bucket_holds_more_than_burst_and_rate(
        n in 1_u64..1_000_000,
        per in 1_000_000_u64..2_000_000_000,
        burst in 1_u64..20,
        spans in prop::collection::vec(0_u64..50_000_000, 1..40),
    ) {
        let (mut bench, set) = Bench::with(bucket(n, Nanos(per), burst));
        let mut granted = Vec::new();
        let mut now = 0;
        for span in spans {
            now += span;
            for _ in 0..40 {
                if bench.try_take(set, 1, Nanos(now)).is_ok() {
                    granted.push(now);
                }
            }
        }
        for (place, first) in granted.iter().enumerate() {
            for (count, last) in granted[place..].iter().enumerate() {
                let most = u128::from(burst) * u128::from(per)
                    + u128::from(last - first) * u128::from(n);
                prop_assert!((count as u128 + 1) * u128::from(per) <= most);
            }
        }
    }

    #[test]
    fn any_rate_is_exact(n in 1_u64..1_000_000, burst in 1_u64..2_000) {
        let (mut bench, set) = Bench::with(bucket(n, SECOND, burst));
        bench.granted(set, burst, Nanos::ZERO);
        let units = n.min(burst);
        let exact = (u128::from(units) * 1_000_000_000).div_ceil(u128::from(n));
        let exact = u64::try_from(exact).unwrap();
        let refusal = bench.refused(set, units, Nanos::ZERO);
        prop_assert_eq!(refusal.retry_at, Some(Nanos(exact)));
        bench.refused(set, units, Nanos(exact - 1));
        bench.granted(set, units, Nanos(exact));
    }

    #[test]
    fn a_refused_call_leaves_no_trace(units in 1_u64..30, cost in 1_u64..30, span in 0_u64..2_000) {
        let (mut bench, set) = Bench::with(window(30, SECOND));
        bench.add("rate", "global", Unit::Requests, bucket(10, SECOND, 30));
        let both = bench.tool("a");
        bench.granted(set, units, Nanos::ZERO);
        let rules = ["limit", "rate"].map(|name| bench.limiter.rule_called(name).unwrap());
        let used = |bench: &Bench| rules.map(|rule| bench.used(rule, ms(span)));
        let before = used(&bench);
        if bench.try_take(both, cost, ms(span)).is_err() {
            prop_assert_eq!(used(&bench), before);
        }
    }
}
