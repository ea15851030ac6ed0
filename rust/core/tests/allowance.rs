//! The allowance for second attempts, against a list of what was earned and when.

use std::collections::VecDeque;

use penstock_core::clock::Nanos;
use penstock_core::limit::allowance::Allowance;
use proptest::prelude::*;

const START: Nanos = Nanos::from_secs(1_000);

fn after(seconds: u64) -> Nanos {
    START.saturating_add(Nanos::from_secs(seconds))
}

fn spend_all(allowance: &mut Allowance, now: Nanos) -> usize {
    (0..1_000).take_while(|_| allowance.try_spend(now)).count()
}

#[test]
fn an_idle_service_may_retry_once_a_second() {
    let mut allowance = Allowance::new();
    assert_eq!(spend_all(&mut allowance, START), 10);
    assert_eq!(spend_all(&mut allowance, after(3)), 3);
    assert_eq!(spend_all(&mut allowance, after(60)), 10);
}

#[test]
fn time_zero_is_a_time_like_any_other() {
    assert_eq!(spend_all(&mut Allowance::new(), Nanos::ZERO), 10);
}

#[test]
fn ten_first_attempts_earn_one_more() {
    let mut allowance = Allowance::new();
    spend_all(&mut allowance, START);
    for _ in 0..9 {
        allowance.first_attempt(START);
    }
    assert!(!allowance.try_spend(START));
    allowance.first_attempt(START);
    assert!(allowance.try_spend(START));
    assert!(!allowance.try_spend(START));
}

/// tenacity: a hundred tasks retried together, three times each.
#[test]
fn a_hundred_tasks_that_fail_together_do_not_retry_together() {
    let mut allowance = Allowance::new();
    for _ in 0..100 {
        allowance.first_attempt(START);
    }
    let retried = (0..200).filter(|_| allowance.try_spend(START)).count();
    assert_eq!(retried, 20); // 10 % of a hundred, and what ten idle seconds earned
    assert_eq!((allowance.spent(), allowance.denied()), (20, 180));
}

#[test]
fn what_is_not_spent_in_ten_seconds_is_gone() {
    let mut allowance = Allowance::new();
    for _ in 0..500 {
        allowance.first_attempt(START);
    }
    assert_eq!(allowance.available(after(9)), 60);
    assert_eq!(allowance.available(after(10)), 10);
}

#[test]
fn at_most_a_hundred_are_kept_and_the_freshest_of_them() {
    let mut allowance = Allowance::new();
    for second in 0..10 {
        for _ in 0..300 {
            allowance.first_attempt(after(second));
        }
    }
    assert_eq!(allowance.available(after(9)), 100);
    // Earned in seconds 6 to 9, so all of it is still there six seconds later.
    assert_eq!(allowance.available(after(15)), 100);
    assert!(allowance.available(after(19)) < 100);
}

/// Tenths and the second in which they were earned.
struct Model {
    earned: VecDeque<(u64, u32)>,
    second: u64,
}

impl Model {
    fn new(now: Nanos) -> Self {
        let second = now.0 / 1_000_000_000;
        Self {
            earned: (second - 9..=second).map(|second| (second, 10)).collect(),
            second,
        }
    }

    fn advance(&mut self, now: Nanos) {
        let second = now.0 / 1_000_000_000;
        self.earned
            .extend((self.second + 1..=second).map(|second| (second, 10)));
        self.second = second;
        self.earned.retain(|(earned, _)| earned + 10 > second);
        self.give_up_excess();
    }

    fn give_up_excess(&mut self) {
        self.take(self.balance().saturating_sub(1_000));
    }

    fn balance(&self) -> u32 {
        self.earned.iter().map(|(_, tenths)| tenths).sum()
    }

    fn take(&mut self, amount: u32) {
        for _ in 0..amount {
            let oldest = self.earned.iter_mut().find(|(_, tenths)| *tenths > 0);
            if let Some((_, tenths)) = oldest {
                *tenths -= 1;
            }
        }
    }

    fn first_attempt(&mut self) {
        self.earned.push_back((self.second, 1));
        self.give_up_excess();
    }

    fn try_spend(&mut self) -> bool {
        let pays = self.balance() >= 10;
        if pays {
            self.take(10);
        }
        pays
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    First(u32),
    Spend(u32),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u32..300).prop_map(Step::First),
        (1_u32..60).prop_map(Step::Spend),
        (0_u64..2_500).prop_map(Step::Pass),
        (0_u64..30_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn an_allowance_does_what_a_list_does(steps in proptest::collection::vec(step(), 1..60)) {
        let mut now = START;
        let (mut allowance, mut model) = (Allowance::new(), Model::new(now));
        for step in steps {
            match step {
                Step::First(calls) => for _ in 0..calls {
                    allowance.first_attempt(now);
                    model.first_attempt();
                },
                Step::Spend(calls) => for _ in 0..calls {
                    prop_assert_eq!(allowance.try_spend(now), model.try_spend());
                },
                Step::Pass(millis) => now = now.saturating_add(Nanos::from_millis(millis)),
            }
            model.advance(now);
            prop_assert_eq!(allowance.available(now), model.balance() / 10);
        }
    }

    /// Over any span of any history: 10 % of its first attempts, one a second, and the stock.
    #[test]
    fn second_attempts_keep_their_bound(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut now, mut allowance) = (START, Allowance::new());
        let mut history = Vec::new(); // start, end, stock at the start, first attempts, second attempts
        for step in steps {
            let (start, stock) = (now, allowance.available(now));
            let (mut first, spent) = (0, allowance.spent());
            match step {
                Step::First(calls) => for _ in 0..calls {
                    allowance.first_attempt(now);
                    first += 1;
                },
                Step::Spend(calls) => for _ in 0..calls {
                    allowance.try_spend(now);
                },
                Step::Pass(millis) => now = now.saturating_add(Nanos::from_millis(millis)),
            }
            history.push((start, now, u64::from(stock), first, allowance.spent() - spent));
        }
        for (place, (start, _, stock, ..)) in history.iter().enumerate() {
            let (mut first, mut second) = (0_u64, 0);
            for (_, end, _, more_first, more_second) in &history[place..] {
                first += more_first;
                second += more_second;
                let seconds = end.saturating_sub(*start).0.div_ceil(1_000_000_000);
                // One more: of a stock and of earnings the started tenths count together.
                prop_assert!(second <= stock + first.div_ceil(10) + seconds + 1);
            }
        }
    }
}
