//! Refusals against a model in steps of time, and the rules for headers.

use std::collections::VecDeque;

use penstock_core::clock::Nanos;
use penstock_core::limit::feedback::{Feedback, Follow, Follower, Reading, Restraint, lowered};
use proptest::prelude::*;

const START: Nanos = Nanos::from_secs(1_000);

fn after(millis: u64) -> Nanos {
    START.saturating_add(Nanos::from_millis(millis))
}

const fn secs(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// A restraint after one refusal at START with a hint of two seconds.
fn refused_once() -> Restraint {
    let mut restraint = Restraint::default();
    restraint.refused(Some(secs(2)), START, 0, START);
    restraint
}

#[test]
fn without_a_refusal_nothing_is_blocked_or_dearer() {
    let mut restraint = Restraint::default();
    restraint.clean(START);
    assert_eq!(restraint, Restraint::default());
    assert_eq!(restraint.blocked_until(), Nanos::ZERO);
    assert_eq!(restraint.scale(Nanos::ZERO), 1);
    assert!(restraint.is_at_rest(Nanos::ZERO));
}

#[test]
fn jitter_lengthens_a_hint_by_up_to_a_tenth_and_never_shortens_it() {
    for (jitter, until) in [(0, 2_000), (500, 2_100), (1_000, 2_200), (u32::MAX, 2_200)] {
        let mut restraint = Restraint::default();
        restraint.refused(Some(secs(2)), START, jitter, START);
        assert_eq!(restraint.blocked_until(), after(until));
    }
}

#[test]
fn a_unit_is_twice_as_dear_for_a_second_after_the_block() {
    let restraint = refused_once();
    let scales = [0, 1_999, 2_000, 2_999, 3_000].map(|millis| restraint.scale(after(millis)));
    assert_eq!(scales, [2, 2, 2, 2, 1]);
    assert!(!restraint.is_at_rest(after(2_999)));
    assert!(restraint.is_at_rest(after(3_000)));
}

#[test]
fn each_further_refusal_doubles_the_price_to_sixteen_times() {
    let mut restraint = refused_once();
    let mut scales = Vec::new();
    for _ in 0..5 {
        let now = restraint.blocked_until();
        restraint.refused(Some(secs(1)), now, 0, now);
        scales.push(restraint.scale(restraint.blocked_until()));
    }
    assert_eq!(scales, [4, 8, 16, 16, 16]);
    let free = restraint.blocked_until();
    let back = [0, 1, 2, 3, 4, 5].map(|seconds| {
        let now = free.saturating_add(secs(seconds));
        restraint.scale(now)
    });
    assert_eq!(back, [16, 8, 4, 2, 1, 1]);
}

#[test]
fn a_refusal_on_the_ramp_counts_from_where_the_ramp_is() {
    let mut restraint = refused_once();
    let now = after(2_500);
    restraint.refused(Some(secs(1)), now, 0, now);
    assert_eq!(restraint.scale(after(3_600)), 4);
    let now = after(4_600); // a clean second has made it 2 again
    restraint.refused(Some(secs(1)), now, 0, now);
    assert_eq!(restraint.scale(after(5_700)), 4);
}

#[test]
fn calls_sent_before_the_block_may_only_prolong_it() {
    let mut restraint = refused_once();
    for hint in [Some(secs(1)), Some(secs(5)), Some(secs(3)), None] {
        restraint.refused(hint, START, 0, after(100));
        assert_eq!(restraint.scale(after(100)), 2);
    }
    assert_eq!(restraint.blocked_until(), after(5_100));
}

#[test]
fn calls_of_time_zero_are_not_taken_for_older_than_a_block_that_never_was() {
    let mut restraint = Restraint::default();
    restraint.refused(None, Nanos::ZERO, 1_000, Nanos::from_millis(5));
    assert_eq!(restraint.blocked_until(), Nanos::from_millis(1_005));
    assert_eq!(restraint.scale(Nanos::from_millis(5)), 2);
}

#[test]
fn without_a_hint_pauses_double_to_a_minute_with_full_jitter() {
    for (jitter, share) in [(1_000, 1_000), (250, 250), (0, 0)] {
        let mut restraint = Restraint::default();
        let mut now = START;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            restraint.refused(None, now, jitter, now);
            let pause = Nanos::from_millis(seconds * share);
            assert_eq!(restraint.blocked_until(), now.saturating_add(pause));
            now = restraint.blocked_until().saturating_add(Nanos(1));
        }
    }
}

#[test]
fn pauses_start_again_after_a_clean_answer_behind_the_ramp() {
    let mut restraint = Restraint::default();
    restraint.refused(None, START, 1_000, START);
    restraint.clean(after(500)); // an answer to a call that was sent before
    restraint.refused(None, after(1_500), 1_000, after(1_500));
    assert_eq!(restraint.blocked_until(), after(3_500));
    restraint.clean(after(5_500));
    restraint.refused(None, after(6_000), 1_000, after(6_000));
    assert_eq!(restraint.blocked_until(), after(7_000));
}

#[test]
fn no_hint_blocks_for_more_than_an_hour_and_a_tenth() {
    let mut restraint = Restraint::default();
    restraint.refused(Some(Nanos::MAX), START, 1_000, START);
    assert_eq!(restraint.blocked_until(), after(3_960_000));
}

#[test]
fn a_block_from_elsewhere_only_moves_later_and_has_no_ramp() {
    let mut restraint = Restraint::default();
    restraint.block(after(1_000));
    restraint.block(after(500));
    assert_eq!(restraint.blocked_until(), after(1_000));
    assert_eq!(restraint.scale(after(1_000)), 1);
}

/// claude-swap PR 197: retries exactly at Retry-After were refused again, 20 of 35.
#[test]
fn after_a_refusal_no_call_starts_before_its_time_then_at_half_the_rate_in_order() {
    let mut restraint = Restraint::default();
    restraint.refused(Some(secs(2)), START, 300, START);
    let mut queue: VecDeque<u32> = (0..15).collect();
    let mut started = Vec::new();
    let mut paid_until = START; // ten a second, smooth: a unit is 100 ms
    for millis in 0..5_000 {
        let now = after(millis);
        if now >= restraint.blocked_until() && now >= paid_until {
            paid_until =
                now.saturating_add(Nanos::from_millis(u64::from(restraint.scale(now)) * 100));
            started.extend(queue.pop_front().map(|call| (call, millis)));
        }
    }
    let expected = [2_060, 2_260, 2_460, 2_660, 2_860, 3_060, 3_160, 3_260];
    let expected: Vec<(u32, u64)> = (0..).zip(expected).collect();
    assert_eq!(started[..8], expected);
    assert_eq!(started.len(), 15);
}

#[test]
fn only_429_is_a_refusal() {
    let with = |status| Feedback {
        status,
        ..Feedback::default()
    };
    assert!(with(Some(429)).is_refusal());
    assert!(!with(Some(503)).is_refusal());
    assert!(!with(None).is_refusal());
}

#[test]
fn an_empty_window_blocks_until_the_next_where_windows_renew() {
    let empty = Reading {
        limit: Some(100),
        remaining: Some(0),
        reset: Some(secs(12)),
    };
    let mut feedback = Feedback {
        renews: true,
        ..Feedback::default()
    };
    feedback.readings[0] = empty;
    feedback.readings[1] = Reading {
        remaining: Some(1),
        ..empty
    };
    feedback.readings[2] = Reading {
        reset: None,
        ..empty
    };
    let blocks = [0, 1, 2, 3, 9].map(|unit| feedback.empty_for(unit));
    assert_eq!(blocks, [Some(secs(12)), None, None, None, None]);
    feedback.renews = false;
    assert_eq!(feedback.empty_for(0), None);
}

#[test]
fn answers_older_than_the_newest_are_no_news() {
    let mut follower = Follower::default();
    let sent = [5, 7, 6, 7, 8].map(|millis| follower.is_news(after(millis)));
    assert_eq!(sent, [true, true, false, true, true]);
}

#[test]
fn a_smaller_limit_is_followed_when_it_was_named_three_times_running() {
    let mut follower = Follower::default();
    let heard = [90, 100, 90, 80, 70].map(|theirs| follower.heard(100, theirs, Follow::Down));
    assert_eq!(heard, [None, None, None, None, Some(70)]);
    assert_eq!(follower.heard(70, 60, Follow::Down), None);
}

#[test]
fn a_larger_limit_is_followed_only_where_that_was_allowed() {
    for (follow, last) in [
        (Follow::Off, None),
        (Follow::Down, None),
        (Follow::Both, Some(200)),
    ] {
        let mut follower = Follower::default();
        let heard = [200, 200, 200].map(|theirs| follower.heard(100, theirs, follow));
        assert_eq!(heard, [None, None, last], "{follow:?}");
    }
}

#[test]
fn limits_on_both_sides_in_turn_and_limits_of_zero_say_nothing() {
    let mut follower = Follower::default();
    for theirs in [90, 110, 90, 110, 90, 0, 0, 0] {
        assert_eq!(follower.heard(100, theirs, Follow::Both), None);
    }
    assert_eq!(follower.heard(100, 90, Follow::Off), None);
}

/// One refusal or clean answer, so long after the one before.
#[derive(Clone, Copy, Debug)]
struct Answer {
    pause: u64,
    refused: bool,
    hint: Option<u64>,
    /// Since the call was sent; the model leaves it out.
    took: u64,
    jitter: u32,
}

fn answer() -> impl Strategy<Value = Answer> {
    let hint = prop_oneof![Just(None), (0_u64..5_000).prop_map(Some)];
    (
        0_u64..4_000,
        any::<bool>(),
        hint,
        0_u64..3_000,
        0_u32..1_100,
    )
        .prop_map(|(pause, refused, hint, took, jitter)| Answer {
            pause,
            refused,
            hint,
            took,
            jitter,
        })
}

/// The ramp, walked a millisecond at a time.
#[derive(Default)]
struct Model {
    now: u64,
    until: u64,
    scale: u32,
    clean_for: u64,
    began: Option<u64>,
    pause: u64,
}

impl Model {
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            if self.now >= self.until {
                self.clean_for += 1;
            }
            self.now += 1;
            if self.clean_for == 1_000 {
                self.clean_for = 0;
                self.scale = (self.scale / 2).max(1);
            }
        }
    }

    /// An answer that comes as soon as its call is sent.
    fn take(&mut self, answer: &Answer) {
        if !answer.refused {
            if self.now >= self.until && self.scale == 1 {
                self.pause = 1_000;
            }
            return;
        }
        let jitter = u64::from(answer.jitter.min(1_000));
        let first = self.began != Some(self.now);
        let until = match answer.hint {
            Some(hint) => self.now + hint + hint * jitter / 10_000,
            None if first => self.now + self.pause * jitter / 1_000,
            None => 0,
        };
        if first {
            self.scale = (self.scale * 2).min(16);
            self.began = Some(self.now);
            self.clean_for = 0;
            if answer.hint.is_none() {
                self.pause = (self.pause * 2).min(60_000);
            }
        }
        self.until = self.until.max(until);
    }
}

proptest! {
    #[test]
    fn remaining_only_ever_lowers(balance: u64, remaining: u64, granted: u64) {
        let left = lowered(balance, remaining, granted);
        prop_assert!(left <= balance);
        prop_assert!(u128::from(left) + u128::from(granted) <= u128::from(remaining) || left == 0);
        prop_assert_eq!(lowered(left, remaining, granted), left);
    }

    /// Whatever is refused and when: never sooner than a hint says, never sooner than before, a
    /// price in powers of two, doubled at most, and rest in the end.
    #[test]
    fn restraint_keeps_its_laws(answers in proptest::collection::vec(answer(), 1..40)) {
        let mut restraint = Restraint::default();
        let mut now = START;
        for answer in answers {
            now = now.saturating_add(Nanos::from_millis(answer.pause));
            let before = restraint;
            if answer.refused {
                let sent_at = now.saturating_sub(Nanos::from_millis(answer.took));
                let hint = answer.hint.map(Nanos::from_millis);
                restraint.refused(hint, sent_at, answer.jitter, now);
                let least = now.saturating_add(hint.unwrap_or_default());
                prop_assert!(hint.is_none() || restraint.blocked_until() >= least);
            } else {
                restraint.clean(now);
                prop_assert_eq!(restraint.scale(now), before.scale(now));
            }
            prop_assert!(restraint.blocked_until() >= before.blocked_until());
            let scale = restraint.scale(now);
            prop_assert!([1, 2, 4, 8, 16].contains(&scale));
            prop_assert!(scale <= 2 * before.scale(now).max(before.scale(before.blocked_until())));
        }
        let end = restraint.blocked_until().saturating_add(secs(4));
        prop_assert!(restraint.is_at_rest(end));
    }

    /// Calls that are sent one after the other, each when the one before was answered.
    #[test]
    fn restraint_does_what_a_walk_in_time_does(
        answers in proptest::collection::vec(answer(), 1..30),
    ) {
        let mut restraint = Restraint::default();
        let mut model = Model { scale: 1, pause: 1_000, ..Model::default() };
        model.now = 1_000_000;
        for answer in answers {
            let answer = Answer {
                hint: answer.hint.map(|hint| hint / 1_000 * 1_000),
                jitter: answer.jitter / 100 * 100,
                ..answer
            };
            model.pass(answer.pause);
            if model.now < model.until {
                model.pass(model.until - model.now);
            }
            let now = Nanos::from_millis(model.now);
            if answer.refused {
                restraint.refused(answer.hint.map(Nanos::from_millis), now, answer.jitter, now);
            } else {
                restraint.clean(now);
            }
            model.take(&answer);
            prop_assert_eq!(restraint.blocked_until(), Nanos::from_millis(model.until));
            prop_assert_eq!(restraint.scale(now), model.scale);
        }
    }
}
