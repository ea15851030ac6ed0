//! Leases: chunks that others handed in, each with its own deadline.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Chunk, RefusalKind, RuleId, SetId, Shape, Unit, Who};

use crate::common::{Bench, ms, secs};

struct Leased {
    bench: Bench,
    rule: RuleId,
    set: SetId,
    state: u32,
}

fn leased() -> Leased {
    let mut bench = Bench::default();
    let shape = Shape::Lease { capacity: 100 };
    let rule = bench.add("lease", "global", Unit::Requests, shape);
    let set = bench.set(&Who::default());
    let state = bench.limiter.states_of(rule)[0];
    Leased {
        bench,
        rule,
        set,
        state,
    }
}

impl Leased {
    fn hand_in(&mut self, units: u64, starts: Nanos, lapses: Nanos, now: Nanos) {
        self.bench.limiter.hand_in(
            self.state,
            Chunk {
                units,
                starts,
                lapses,
            },
            now,
        );
    }

    /// Units that may be taken now.
    fn left(&self, now: Nanos) -> u64 {
        100 - self.bench.used(self.rule, now)
    }
}

#[test]
fn a_chunk_is_spent_before_its_deadline_or_never() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    leased.bench.granted(leased.set, 2, ms(99));
    assert_eq!(leased.left(ms(99)), 3);
    leased.bench.refused(leased.set, 1, ms(100));
}

#[test]
fn a_renewal_prolongs_no_older_chunk() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    leased.hand_in(7, ms(50), ms(150), ms(50));
    assert_eq!(
        (
            leased.left(ms(99)),
            leased.left(ms(100)),
            leased.left(ms(150))
        ),
        (12, 7, 0)
    );
}

#[test]
fn the_oldest_chunk_is_spent_first() {
    let mut leased = leased();
    leased.hand_in(7, Nanos::ZERO, ms(150), Nanos::ZERO);
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    leased.bench.granted(leased.set, 6, ms(10));
    assert_eq!((leased.left(ms(99)), leased.left(ms(100))), (6, 6));
}

#[test]
fn what_comes_back_lapses_with_its_chunk() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    let early = leased.bench.granted(leased.set, 5, ms(10));
    leased.hand_in(5, ms(20), ms(150), ms(20));
    let late = leased.bench.granted(leased.set, 2, ms(30));
    leased.bench.limiter.refund(early, ms(40));
    assert_eq!((leased.left(ms(40)), leased.left(ms(100))), (8, 3));
    leased.bench.limiter.refund(late, ms(110));
    assert_eq!(leased.left(ms(110)), 5);
}

#[test]
fn what_comes_back_after_its_chunk_is_lost() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    let permit = leased.bench.granted(leased.set, 5, ms(10));
    leased.hand_in(5, ms(20), ms(150), ms(20));
    leased.bench.limiter.refund(permit, ms(120));
    assert_eq!(leased.left(ms(120)), 5);
}

#[test]
fn a_call_waits_for_the_start_of_an_advance() {
    let mut leased = leased();
    leased.bench.wait(leased.set, 50, Nanos::ZERO);
    assert_eq!(leased.bench.limiter.next_wake(), None);
    leased.hand_in(50, secs(2), secs(3), ms(1));
    assert!(leased.bench.tokens(ms(1)).is_empty());
    assert_eq!(leased.bench.limiter.next_wake(), Some(secs(2)));
    assert_eq!(leased.bench.tokens(secs(2)), [1]);
}

#[test]
fn a_debt_is_paid_by_the_next_chunks() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    let permit = leased.bench.granted(leased.set, 5, ms(1));
    let more = penstock_core::limit::Cost::requests(4);
    assert!(leased.bench.limiter.extend(permit, &more, ms(2)));
    leased.hand_in(6, ms(3), ms(103), ms(3));
    assert_eq!(leased.left(ms(3)), 2);
}

#[test]
fn what_was_not_spent_can_be_handed_back() {
    let mut leased = leased();
    leased.hand_in(5, Nanos::ZERO, ms(100), Nanos::ZERO);
    leased.hand_in(6, Nanos::ZERO, ms(200), Nanos::ZERO);
    leased.bench.granted(leased.set, 1, ms(1));
    assert_eq!(leased.bench.limiter.hand_back(leased.state, ms(100)), 6);
    assert_eq!(leased.left(ms(100)), 0);
}

#[test]
fn calls_do_not_wait_for_somebody_who_is_away() {
    let mut leased = leased();
    leased.bench.wait(leased.set, 5, Nanos::ZERO);
    leased.bench.limiter.set_away(leased.state);
    let refusal = leased.bench.grants(ms(1))[0].result.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Away);
    leased.hand_in(5, ms(2), ms(100), ms(2));
    leased.bench.granted(leased.set, 5, ms(2));
}
