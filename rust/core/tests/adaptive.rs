//! A limit that adapts, against a model of additive increase and against simulated services.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use penstock_core::clock::Nanos;
use penstock_core::limit::adaptive::{Adaptive, AdaptiveConfig, End, Mode, size_class};
use proptest::prelude::*;

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn with(mode: Mode, start: u32) -> Adaptive {
    let config = AdaptiveConfig {
        mode,
        ..AdaptiveConfig::default()
    };
    Adaptive::new(config, start)
}

/// Records an end of a call that took 10 ms, with the whole limit in flight.
fn ends(adaptive: &mut Adaptive, end: End, now: Nanos) {
    let in_flight = adaptive.limit();
    adaptive.record(end, now.saturating_sub(ms(10)), ms(10), in_flight, 0, now);
}

#[test]
fn a_limit_starts_within_its_bounds() {
    let config = |least, most| AdaptiveConfig {
        least,
        most,
        mode: Mode::Aimd,
    };
    assert_eq!(Adaptive::new(config(2, 9), 1).limit(), 2);
    assert_eq!(Adaptive::new(config(2, 9), 100).limit(), 9);
    assert_eq!(Adaptive::new(config(0, 0), 0).limit(), 1);
    assert_eq!(Adaptive::new(config(9, 2), 5).limit(), 9);
}

#[test]
fn a_round_of_clean_ends_adds_one_call() {
    let mut adaptive = with(Mode::Aimd, 10);
    for _ in 0..11 {
        ends(&mut adaptive, End::Ok, ms(100));
    }
    assert_eq!(adaptive.limit(), 11);
}

#[test]
fn an_idle_service_proves_nothing() {
    for mode in [Mode::Aimd, Mode::Gradient] {
        let mut adaptive = with(mode, 10);
        for now in 0..10_000 {
            adaptive.record(End::Ok, ms(now), ms(10), 4, 0, ms(now + 10));
        }
        assert_eq!(adaptive.limit(), 10);
    }
}

#[test]
fn a_hundred_calls_that_fail_together_cut_once() {
    for end in [End::Overload, End::Timeout] {
        let mut adaptive = with(Mode::Aimd, 100);
        for call in 0..100 {
            adaptive.record(end, ms(call), ms(1_000), 100, 0, ms(call + 1_000));
        }
        assert_eq!(adaptive.limit(), 70);
        adaptive.record(end, ms(1_001), ms(10), 70, 0, ms(1_200));
        assert_eq!(adaptive.limit(), 49);
    }
}

#[test]
fn other_failures_change_nothing() {
    let mut adaptive = with(Mode::Aimd, 10);
    for now in 1..1_000 {
        ends(&mut adaptive, End::Failed, ms(now * 20));
    }
    assert_eq!(adaptive.limit(), 10);
}

/// Netflix concurrency-limits #137: timeouts that all take the same time raised the limit.
#[test]
fn constant_timeouts_shrink_the_limit_to_its_least() {
    for mode in [Mode::Aimd, Mode::Gradient] {
        let mut adaptive = with(mode, 200);
        for call in 0..20 {
            let started = ms(call * 31_000);
            let ended = started.saturating_add(ms(30_000));
            adaptive.record(End::Timeout, started, ms(30_000), 200, 0, ended);
        }
        assert_eq!(adaptive.limit(), 1, "{mode:?}");
    }
}

#[test]
fn classes_of_input_sizes() {
    let sizes = [0, 1_000, 1_001, 8_000, 8_001, u64::MAX];
    assert_eq!(sizes.map(size_class), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn long_inputs_have_a_baseline_of_their_own() {
    let mut adaptive = with(Mode::Gradient, 10);
    for call in 0..3_000_u64 {
        let (class, latency) = if call % 2 == 0 { (0, 100) } else { (2, 4_000) };
        let now = ms(10_000 + call * 10);
        let in_flight = adaptive.limit();
        adaptive.record(
            End::Ok,
            now.saturating_sub(ms(latency)),
            ms(latency),
            in_flight,
            class,
            now,
        );
    }
    assert_eq!(adaptive.baseline(0), Some(ms(100)));
    assert_eq!(adaptive.baseline(1), None);
    assert_eq!(adaptive.baseline(2), Some(ms(4_000)));
    assert!(adaptive.limit() > 100, "no queue: {}", adaptive.limit());
}

/// Callers that always have more work, before a service that takes `capacity` calls at once and
/// lets the others wait.
struct Service {
    adaptive: Adaptive,
    capacity: u32,
    /// What a call takes without a queue.
    base: Nanos,
    /// End, start.
    running: BinaryHeap<Reverse<(Nanos, Nanos)>>,
    now: Nanos,
}

impl Service {
    fn new(mode: Mode, start: u32) -> Self {
        Self {
            adaptive: with(mode, start),
            capacity: 20,
            base: ms(50),
            running: BinaryHeap::new(),
            now: ms(777),
        }
    }

    /// Runs for some seconds; the least and the greatest limit of that time.
    fn run(&mut self, seconds: u64) -> (u32, u32) {
        let until = self.now.saturating_add(Nanos::from_secs(seconds));
        let (mut least, mut most) = (u32::MAX, 0);
        while self.now < until {
            while self.in_flight() < self.adaptive.limit() {
                self.start();
            }
            let Reverse((end, started)) = self.running.pop().unwrap();
            self.now = end;
            let latency = end.saturating_sub(started);
            let in_flight = self.in_flight() + 1;
            self.adaptive
                .record(End::Ok, started, latency, in_flight, 0, end);
            least = least.min(self.adaptive.limit());
            most = most.max(self.adaptive.limit());
        }
        (least, most)
    }

    fn start(&mut self) {
        let load = (self.in_flight() + 1).max(self.capacity);
        let latency = Nanos(self.base.0 * u64::from(load) / u64::from(self.capacity));
        let end = self.now.saturating_add(latency);
        self.running.push(Reverse((end, self.now)));
    }

    fn in_flight(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap()
    }

    fn baseline_ms(&self) -> u64 {
        self.adaptive.baseline(0).unwrap().0 / 1_000_000
    }
}

#[test]
fn the_gradient_finds_what_a_service_takes() {
    let mut service = Service::new(Mode::Gradient, 4);
    service.run(30);
    let (least, most) = service.run(15);
    assert!(least >= 20 && most <= 36, "{least} to {most} of 20");
}

/// Netflix concurrency-limits #165: under lasting load the baseline follows the queue upwards.
#[test]
fn an_hour_of_load_does_not_raise_the_baseline() {
    let mut service = Service::new(Mode::Gradient, 4);
    let (_, most) = service.run(3_600);
    assert!(most <= 40, "{most}");
    assert!(
        (50..=65).contains(&service.baseline_ms()),
        "{}",
        service.baseline_ms()
    );
}

#[test]
fn a_probe_halves_the_limit_each_minute_or_so() {
    let mut service = Service::new(Mode::Gradient, 4);
    service.run(40);
    let (least, most) = service.run(40);
    assert!(least <= most / 2 + 1 && least >= 8, "{least} to {most}");
}

#[test]
fn a_service_that_became_slower_is_measured_again() {
    let mut service = Service::new(Mode::Gradient, 4);
    service.run(200);
    service.base = ms(200);
    service.run(150);
    let (_, most) = service.run(30);
    assert!(
        (200..=260).contains(&service.baseline_ms()),
        "{}",
        service.baseline_ms()
    );
    assert!(most >= 20, "{most}");
}

/// The limit climbs to the old latency first; each probe then takes it nearer to the new one.
#[test]
fn a_service_that_became_faster_is_measured_again() {
    let mut service = Service::new(Mode::Gradient, 4);
    service.run(200);
    service.base = ms(10);
    service.run(1_200);
    assert!(
        (10..=13).contains(&service.baseline_ms()),
        "{}",
        service.baseline_ms()
    );
}

#[test]
fn a_limit_that_starts_far_too_high_comes_down() {
    let mut service = Service::new(Mode::Gradient, 200);
    service.run(1_800);
    let (_, most) = service.run(60);
    assert!(most <= 40, "{most} of 20");
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    end: End,
    latency: u64,
    in_flight: u32,
    class: u8,
    pause: u64,
}

fn ended() -> impl Strategy<Value = Ended> {
    let end = prop_oneof![
        8 => Just(End::Ok),
        1 => Just(End::Overload),
        1 => Just(End::Timeout),
        1 => Just(End::Failed),
    ];
    let latency = prop_oneof![4 => 0_u64..200_000_000, 1 => any::<u64>()];
    (end, latency, 0_u32..300, 0_u8..5, 0_u64..50_000_000).prop_map(
        |(end, latency, in_flight, class, pause)| Ended {
            end,
            latency,
            in_flight,
            class,
            pause,
        },
    )
}

proptest! {
    #[test]
    fn aimd_does_what_its_definition_says(
        start in 1_u32..200,
        history in proptest::collection::vec(ended(), 1..300),
    ) {
        let mut adaptive = with(Mode::Aimd, start);
        let (mut limit, mut cuts) = (f64::from(start), Vec::new());
        let mut now = Nanos::from_secs(100);
        for ended in history {
            now = now.saturating_add(Nanos(ended.pause));
            let started = now.saturating_sub(Nanos(ended.latency));
            match ended.end {
                End::Ok if f64::from(ended.in_flight) >= limit / 2.0 => limit += 1.0 / limit,
                End::Overload | End::Timeout if cuts.iter().all(|cut| started > *cut) => {
                    limit *= 0.7;
                    cuts.push(now);
                }
                _ => {}
            }
            limit = limit.clamp(1.0, 200.0);
            let latency = Nanos(ended.latency);
            adaptive.record(ended.end, started, latency, ended.in_flight, ended.class, now);
            prop_assert!(f64::from(adaptive.limit()) <= limit);
            prop_assert!(f64::from(adaptive.limit()) > limit - 1.0);
        }
    }

    #[test]
    fn a_limit_keeps_its_bounds_whatever_happens(
        gradient in any::<bool>(),
        (least, more) in (1_u32..50, 0_u32..100),
        history in proptest::collection::vec(ended(), 1..600),
    ) {
        let mode = if gradient { Mode::Gradient } else { Mode::Aimd };
        let most = least + more;
        let mut adaptive = Adaptive::new(AdaptiveConfig { least, most, mode }, 20);
        let mut now = Nanos::from_secs(100);
        for ended in history {
            now = now.saturating_add(Nanos(ended.pause));
            let started = now.saturating_sub(Nanos(ended.latency));
            let latency = Nanos(ended.latency);
            adaptive.record(ended.end, started, latency, ended.in_flight, ended.class, now);
            prop_assert!((least..=most).contains(&adaptive.limit()));
        }
    }
}
