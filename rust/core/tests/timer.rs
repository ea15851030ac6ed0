//! The wheel against a sorted map: every timer fires once, on its millisecond, in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;

use penstock_core::clock::Nanos;
use penstock_core::timer::{Target, TimerKey, Wheel};
use proptest::prelude::*;

const DAY: u64 = 24 * 60 * 60 * 1_000;

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn fired(wheel: &mut Wheel, now: Nanos) -> Vec<u32> {
    let mut fired = Vec::new();
    wheel.expire(now, &mut fired);
    fired.into_iter().map(|target| target.0).collect()
}

#[test]
fn a_timer_fires_at_its_millisecond_and_not_before() {
    let mut wheel = Wheel::new();
    wheel.arm(Nanos(7_000_001), Target(1));
    assert_eq!(wheel.next_due(), Some(ms(8)));
    assert!(fired(&mut wheel, Nanos(7_999_999)).is_empty());
    assert_eq!(fired(&mut wheel, ms(8)), [1]);
    assert!(fired(&mut wheel, ms(9)).is_empty());
}

#[test]
fn a_due_time_in_the_past_fires_at_once() {
    let mut wheel = Wheel::new();
    assert!(fired(&mut wheel, ms(5_000)).is_empty());
    wheel.arm(ms(3), Target(1));
    wheel.arm(Nanos::ZERO, Target(2));
    assert_eq!(fired(&mut wheel, ms(5_000)), [1, 2]);
}

#[test]
fn a_disarmed_timer_never_fires_and_its_key_is_stale() {
    let mut wheel = Wheel::new();
    let key = wheel.arm(ms(5), Target(1));
    assert_eq!(wheel.due(key), Some(ms(5)));
    assert!(wheel.disarm(key));
    assert!(!wheel.disarm(key));
    assert_eq!(
        (wheel.due(key), wheel.next_due(), wheel.len()),
        (None, None, 0)
    );
    assert!(fired(&mut wheel, ms(10)).is_empty());
}

#[test]
fn the_key_of_a_fired_timer_does_not_disarm_the_next_in_its_place() {
    let mut wheel = Wheel::new();
    let old = wheel.arm(ms(1), Target(1));
    fired(&mut wheel, ms(1));
    wheel.arm(ms(2), Target(2));
    assert!(!wheel.disarm(old));
    assert_eq!(fired(&mut wheel, ms(2)), [2]);
}

#[test]
fn keys_stay_stale_when_memory_was_given_back() {
    let mut wheel = Wheel::new();
    let keys: Vec<TimerKey> = (0..1_000)
        .map(|place| wheel.arm(ms(9), Target(place)))
        .collect();
    assert_eq!(fired(&mut wheel, ms(9)).len(), 1_000);
    wheel.trim(10);
    let again: Vec<TimerKey> = (0..1_000)
        .map(|place| wheel.arm(ms(20), Target(place)))
        .collect();
    assert!(keys.into_iter().all(|key| !wheel.disarm(key)));
    assert!(again.into_iter().all(|key| wheel.disarm(key)));
}

#[test]
fn thirty_days_and_a_jump_over_all_of_them_fire_in_order() {
    let mut wheel = Wheel::new();
    wheel.arm(ms(30 * DAY), Target(3));
    wheel.arm(ms(DAY), Target(2));
    wheel.arm(ms(1), Target(1));
    wheel.arm(ms(30 * DAY), Target(4));
    assert_eq!(fired(&mut wheel, ms(40 * DAY)), [1, 2, 3, 4]);
}

#[test]
fn timers_armed_for_one_time_at_different_times_fire_in_order_of_arming() {
    let mut wheel = Wheel::new();
    let due = 3 * 1_048_576 + 1_500; // beyond, then a block, then a tick
    let steps = [0, 2 * 1_048_576, 3 * 1_048_576, 3 * 1_048_576 + 1_100];
    for (place, now) in (0..).zip(steps) {
        assert!(fired(&mut wheel, ms(now)).is_empty());
        wheel.arm(ms(due), Target(place));
    }
    assert_eq!(fired(&mut wheel, ms(due)), [0, 1, 2, 3]);
}

#[derive(Clone, Debug)]
enum Step {
    Arm(u64),
    Disarm(usize),
    Pass(u64),
    PassNanos(u64),
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0_u64..20,
        3 => 0_u64..3_000,
        2 => 0_u64..3_000_000,
        1 => 0_u64..30 * DAY,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => span().prop_map(Step::Arm),
        3 => (0_usize..64).prop_map(Step::Disarm),
        4 => span().prop_map(Step::Pass),
        1 => (0_u64..2_000_000).prop_map(Step::PassNanos),
    ]
}

/// Armed timers by tick and number.
struct Rig {
    wheel: Wheel,
    sorted: BTreeMap<(u64, u32), TimerKey>,
    keys: Vec<(u64, TimerKey)>,
    now: Nanos,
}

impl Rig {
    fn play(&mut self, step: &Step) {
        match *step {
            Step::Arm(millis) => self.arm(millis),
            Step::Disarm(pick) => self.disarm(pick),
            Step::Pass(millis) => self.pass(ms(millis)),
            Step::PassNanos(nanos) => self.pass(Nanos(nanos)),
        }
        assert_eq!(self.wheel.len() as usize, self.sorted.len());
        let first = self.sorted.keys().next().map(|(tick, _)| ms(*tick));
        let due = self.wheel.next_due();
        assert!(
            due.is_some() == first.is_some() && due <= first,
            "{due:?} for {first:?}"
        );
    }

    fn arm(&mut self, millis: u64) {
        let due = self.now.saturating_add(ms(millis));
        let tick = due.0.div_ceil(1_000_000);
        let number = u32::try_from(self.keys.len()).unwrap();
        let key = self.wheel.arm(due, Target(number));
        self.sorted.insert((tick, number), key);
        self.keys.push((tick, key));
    }

    fn disarm(&mut self, pick: usize) {
        if self.keys.is_empty() {
            return;
        }
        let number = pick % self.keys.len();
        let (tick, key) = self.keys[number];
        let armed = self
            .sorted
            .remove(&(tick, u32::try_from(number).unwrap()))
            .is_some();
        assert_eq!(self.wheel.disarm(key), armed);
    }

    fn pass(&mut self, span: Nanos) {
        self.now = self.now.saturating_add(span);
        let later = self.sorted.split_off(&(self.now.0 / 1_000_000 + 1, 0));
        let expected = std::mem::replace(&mut self.sorted, later);
        let numbers: Vec<u32> = expected.into_keys().map(|(_, number)| number).collect();
        assert_eq!(fired(&mut self.wheel, self.now), numbers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_wheel_does_what_a_sorted_map_does(
        start in 0_u64..1 << 50,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut rig = Rig {
            wheel: Wheel::new(),
            sorted: BTreeMap::new(),
            keys: Vec::new(),
            now: Nanos(start),
        };
        rig.pass(Nanos::ZERO);
        for step in &steps {
            rig.play(step);
        }
        rig.pass(ms(40 * DAY));
        prop_assert!(rig.wheel.is_empty());
    }

    /// Waking up when `next_due` says so fires every timer on its millisecond, with few wake-ups.
    #[test]
    fn following_next_due_is_never_late(spans in proptest::collection::vec(span(), 1..40)) {
        let mut wheel = Wheel::new();
        for (place, span) in (0..).zip(&spans) {
            wheel.arm(ms(*span), Target(place));
        }
        let mut wakes = 0;
        while let Some(now) = wheel.next_due() {
            wakes += 1;
            for place in fired(&mut wheel, now) {
                prop_assert_eq!(ms(spans[place as usize]), now);
            }
        }
        prop_assert!(wakes <= spans.len(), "{wakes} wake-ups");
    }
}
