//! Guesses and limits: what they may take, and how scarce a limit is.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Cost, Permit, Refusal, RefusalKind, SetId, Share, Strain, Unit, Who};
use penstock_core::sched::Room;
use proptest::prelude::*;

use crate::common::{Bench, SECOND, bucket, budget, ms, slots, window};

impl Bench {
    /// A guess that may take so many thousandths of each limit.
    fn guess(&mut self, set: SetId, share: u32, now: Nanos) -> Result<Permit, Refusal> {
        let share = Share::millionths(share * 1_000);
        self.limiter.try_take(set, &Cost::ONE, 10, Some(share), now)
    }

    fn guesses(&mut self, set: SetId, share: u32, now: Nanos) -> usize {
        (0..1_000)
            .take_while(|_| self.guess(set, share, now).is_ok())
            .count()
    }
}

#[test]
fn guesses_have_their_share_of_each_shape() {
    let shapes = [
        window(100, SECOND),
        bucket(100, SECOND, 100),
        budget(100),
        slots(100),
    ];
    for shape in shapes {
        for (share, most) in [(0, 0), (100, 10), (250, 25), (1_000, 80)] {
            let (mut bench, set) = Bench::with(shape.clone());
            assert_eq!(
                bench.guesses(set, share, Nanos::ZERO),
                most,
                "{share} of {shape:?}"
            );
        }
    }
}

#[test]
fn without_a_share_they_are_refused_and_change_nothing() {
    let (mut bench, set) = Bench::with(window(100, SECOND));
    let refused = bench.guess(set, 0, Nanos::ZERO).unwrap_err();
    assert_eq!(
        (refused.kind, refused.remaining),
        (RefusalKind::Exceeded, 100)
    );
    bench.granted(set, 100, Nanos::ZERO);
}

#[test]
fn who_has_a_smaller_share_finds_spent_what_others_spent() {
    let (mut bench, set) = Bench::with(window(100, SECOND));
    assert_eq!(bench.guesses(set, 200, Nanos::ZERO), 20);
    assert_eq!(bench.guesses(set, 100, Nanos::ZERO), 0);
    assert_eq!(bench.guesses(set, 300, Nanos::ZERO), 10);
}

#[test]
fn the_scarcest_limit_that_a_call_pays_is_its_strain() {
    let mut bench = Bench::default();
    bench.add("rate", "global", Unit::Requests, bucket(10, SECOND, 20));
    bench.add("tokens", "global", Unit::InputTokens, window(10, SECOND));
    bench.add(
        "day",
        "global",
        Unit::Requests,
        window(1_000, Nanos::from_secs(1_000)),
    );
    let set = bench.set(&Who::default());
    let strain = |bench: &Bench| bench.limiter.strain(set, &Cost::ONE, Nanos::ZERO).unwrap();
    assert!((strain(&bench).left - 1.0).abs() < 1e-9);
    bench.granted(set, 5, Nanos::ZERO);
    let expected = Strain {
        units: 1,
        seconds_per_unit: 0.1,
        left: 0.75,
    };
    assert_eq!(strain(&bench), expected);
    let free = bench.limiter.strain(set, &Cost::ZERO, Nanos::ZERO);
    assert_eq!(free, None);
}

#[test]
fn a_limit_that_a_provider_blocks_has_nothing_left() {
    let mut bench = Bench::default();
    let rule = bench.add("rate", "global", Unit::Requests, bucket(10, SECOND, 20));
    let set = bench.set(&Who::default());
    bench.limiter.block(rule, ms(500));
    let left = |now| bench.limiter.strain(set, &Cost::ONE, now).unwrap().left;
    assert!(left(ms(499)).abs() < 1e-9);
    assert!((left(ms(60_000)) - 1.0).abs() < 1e-9);
}

#[test]
fn slots_are_rooms_and_no_strain() {
    let (mut bench, set) = Bench::with(slots(10));
    bench.granted(set, 1, Nanos::ZERO);
    let guess = bench.guess(set, 100, Nanos::ZERO).unwrap();
    assert_eq!(bench.limiter.strain(set, &Cost::ONE, Nanos::ZERO), None);
    let room = |guesses| Room {
        bound: 10,
        used: 2,
        guesses,
    };
    assert_eq!(bench.limiter.rooms(set).collect::<Vec<_>>(), [room(1)]);
    bench.limiter.promote(guess, Nanos::ZERO);
    assert_eq!(bench.limiter.rooms(set).collect::<Vec<_>>(), [room(0)]);
}

proptest! {
    /// Over any stretch of a story guesses get their share of what flows in and of the burst, at most,
    /// and one for what was rounded up.
    #[test]
    fn no_stretch_gives_guesses_more_than_their_share(
        n in 1_u64..200,
        burst in 1_u64..200,
        part in 0_u32..=1_000,
        gaps in proptest::collection::vec(0_u64..3_000, 1..120),
    ) {
        let (mut bench, set) = Bench::with(bucket(n, SECOND, burst));
        let mut now = 0;
        let mut granted = Vec::new();
        for gap in gaps {
            now += gap;
            granted.extend(bench.guess(set, part, ms(now)).is_ok().then_some(now));
        }
        for (at, first) in granted.iter().enumerate() {
            for (more, last) in (0_u64..).zip(&granted[at..]) {
                // In millionths of a unit; a millisecond brings a thousandth of what a second does.
                let flowed = (last - first) * n * u64::from(part);
                let held = burst * u64::from(part) * 1_000;
                prop_assert!(more * 1_000_000 <= flowed + held);
            }
        }
    }
}

#[test]
fn who_takes_a_guess_over_is_charged_what_it_did_not_pay() {
    let mut bench = Bench::default();
    let rate = bench.add("rate", "global", Unit::Requests, window(100, SECOND));
    let own = bench.add("own", "run:*", Unit::Requests, budget(1));
    let set = bench.set(&Who::default());
    let call = Who {
        run: Some("r"),
        ..Who::default()
    };
    let wider = bench.set(&call);
    for (number, goes) in [true, false].into_iter().enumerate() {
        let guess = bench
            .guess(set, 10, Nanos::ZERO)
            .expect("others were taken over");
        bench.settle(guess, Nanos::ZERO);
        let taken = Some(Nanos::ZERO);
        let limiter = &mut bench.limiter;
        assert_eq!(
            limiter.adopt(wider, Some(set), &Cost::ONE, taken, Nanos::ZERO),
            goes
        );
        assert_eq!(bench.used(own, Nanos::ZERO), 1);
        assert_eq!(bench.used(rate, Nanos::ZERO), number as u64 + 1);
    }
    bench
        .guess(set, 10, Nanos::ZERO)
        .expect_err("the second was not taken over");
}

#[test]
fn calls_wait_for_the_places_of_permits_in_their_own_full_limits() {
    let mut bench = Bench::default();
    bench.add("narrow", "tool:a", Unit::Requests, slots(2));
    bench.add("rate", "global", Unit::Requests, window(100, SECOND));
    let (set, other) = (bench.tool("a"), bench.tool("b"));
    let (one, elsewhere) = (
        bench.granted(set, 1, Nanos::ZERO),
        bench.granted(other, 1, Nanos::ZERO),
    );
    assert!(
        !bench.limiter.wants_place(set, one),
        "there is a place left"
    );
    bench.granted(set, 1, Nanos::ZERO);
    assert!(bench.limiter.wants_place(set, one));
    assert!(!bench.limiter.wants_place(set, elsewhere));
    assert!(!bench.limiter.wants_place(other, one));
}
