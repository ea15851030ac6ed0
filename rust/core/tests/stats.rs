//! Histogram and sketch against the durations themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use penstock_core::clock::Nanos;
use penstock_core::sched::Status;
use penstock_core::stats::{Counters, DEFAULT_BOUNDS, Histogram, MAX_BOUNDS, Sketch};
use proptest::prelude::*;

const NOW: Nanos = Nanos::from_secs(1_000);

fn secs(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

#[test]
fn a_duration_counts_up_to_and_with_its_bound() {
    let mut histogram = Histogram::new(&[Nanos(100), Nanos(200)]);
    for nanos in [0, 100, 101, 200, 201, u64::MAX - 1_000] {
        histogram.record(Nanos(nanos));
    }
    assert_eq!(histogram.counts(), [2, 2, 2]);
    assert_eq!(histogram.count(), 6);
}

#[test]
fn bounds_are_sorted_and_at_most_twenty() {
    let bounds: Vec<Nanos> = (0..50).rev().map(|bound| Nanos(bound / 2)).collect();
    let histogram = Histogram::new(&bounds);
    assert_eq!(histogram.bounds().len(), MAX_BOUNDS);
    assert!(histogram.bounds().is_sorted());
    assert_eq!(histogram.counts().len(), MAX_BOUNDS + 1);
}

#[test]
fn counters_add_up() {
    let counters = Counters {
        by_status: [1, 2, 3, 4, 5, 6],
        ..Counters::default()
    };
    assert_eq!(
        (counters.of(Status::Ok), counters.of(Status::Timeout)),
        (1, 6)
    );
    assert_eq!(counters.ended(), 21);
}

#[test]
fn an_empty_sketch_has_no_quantile() {
    let sketch = Sketch::new();
    assert_eq!(sketch.quantile(0.5), None);
    assert_eq!(sketch.recent_quantile(0.5, NOW), None);
}

#[test]
fn a_minute_later_only_the_lifetime_remembers() {
    let mut sketch = Sketch::new();
    sketch.record(secs(1), NOW);
    let later = NOW.saturating_add(secs(44));
    assert!(sketch.recent_quantile(0.5, later).is_some());
    assert_eq!(
        sketch.recent_quantile(0.5, NOW.saturating_add(secs(61))),
        None
    );
    assert!(sketch.quantile(0.5).is_some());
    sketch.record(secs(2), NOW.saturating_add(secs(3_600)));
    assert_eq!(sketch.count(), 2);
}

#[test]
fn durations_beyond_both_ends_count_there() {
    let mut sketch = Sketch::new();
    sketch.record(Nanos::ZERO, NOW);
    sketch.record(Nanos::MAX, NOW);
    assert!(sketch.quantile(0.0).unwrap() < Nanos(140));
    assert!(sketch.quantile(1.0).unwrap() > secs(130));
}

fn duration() -> impl Strategy<Value = Nanos> {
    (128_u32..u32::MAX, 0_u32..6)
        .prop_map(|(nanos, shift)| Nanos((u64::from(nanos) << shift).clamp(128, (1 << 37) - 1)))
}

/// The duration that `rank` of all do not exceed, found by counting.
fn exact(durations: &[Nanos], rank: f64) -> Nanos {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let total = f64::from(u32::try_from(sorted.len()).unwrap());
    let reached = (1_u32..)
        .map(f64::from)
        .zip(&sorted)
        .find(|(count, _)| *count >= rank * total);
    *reached.unwrap().1
}

fn is_near(estimate: Nanos, exact: Nanos) -> bool {
    estimate.0.abs_diff(exact.0) * 1_000 <= exact.0 * 32
}

#[test]
fn what_was_stopped_early_makes_nothing_look_fast() {
    let mut sketch = Sketch::new();
    for _ in 0..50 {
        sketch.record(secs(4), NOW);
        sketch.record(secs(1), NOW);
        sketch.mark_at_least(secs(1));
    }
    assert!(is_near(sketch.quantile(0.5).unwrap(), secs(1)));
    assert!(is_near(sketch.quantile_known(0.01).unwrap(), secs(4)));
    assert_eq!((sketch.count(), sketch.count_known()), (100, 50));
}

#[test]
fn a_share_that_nobody_saw_the_end_of_is_at_least_the_longest() {
    let mut sketch = Sketch::new();
    sketch.record(secs(1), NOW);
    for _ in 0..9 {
        sketch.record(secs(5), NOW);
        sketch.mark_at_least(secs(5));
    }
    assert!(is_near(sketch.quantile_known(0.1).unwrap(), secs(1)));
    assert!(is_near(sketch.quantile_known(0.5).unwrap(), secs(5)));
}

#[test]
fn nothing_is_known_before_something_ended_by_itself() {
    let mut sketch = Sketch::new();
    sketch.record(secs(5), NOW);
    sketch.mark_at_least(secs(5));
    assert_eq!(sketch.quantile_known(0.5), None);
    assert_eq!(sketch.mean_known(), None);
    assert_eq!(sketch.mean_of_shorter(&Sketch::new()), None);
}

#[test]
fn what_was_stopped_counts_in_a_mean_as_what_was_longer() {
    let mut sketch = Sketch::new();
    for _ in 0..50 {
        sketch.record(secs(4), NOW);
        sketch.record(secs(1), NOW);
        sketch.mark_at_least(secs(1));
    }
    assert!(is_near(sketch.mean_known().unwrap(), secs(4)));
}

proptest! {
    #[test]
    fn a_histogram_counts_what_a_loop_counts(
        bounds in proptest::collection::vec(0_u64..1 << 40, 1..30),
        durations in proptest::collection::vec(0_u64..1 << 41, 0..60),
    ) {
        let bounds: Vec<Nanos> = bounds.into_iter().map(Nanos).collect();
        let mut histogram = Histogram::new(&bounds);
        for duration in &durations {
            histogram.record(Nanos(*duration));
        }
        let mut lower = None;
        let bounds = histogram.bounds().iter().map(|bound| bound.0).chain([u64::MAX]);
        for (upper, count) in bounds.zip(histogram.counts()) {
            let inside = |duration: &&u64| **duration <= upper && lower.is_none_or(|l| **duration > l);
            prop_assert_eq!(*count, durations.iter().filter(inside).count() as u64);
            lower = Some(upper);
        }
        prop_assert_eq!(histogram.sum().0, durations.iter().sum::<u64>());
    }

    #[test]
    fn default_bounds_count_what_a_loop_counts(duration in duration()) {
        let mut histogram = Histogram::default();
        histogram.record(duration);
        let place = DEFAULT_BOUNDS.iter().filter(|bound| **bound < duration).count();
        prop_assert_eq!(histogram.counts()[place], 1);
    }

    #[test]
    fn quantiles_are_within_three_point_two_per_cent(
        durations in proptest::collection::vec(duration(), 1..200),
        rank in 0.0..=1.0_f64,
    ) {
        let mut sketch = Sketch::new();
        for duration in &durations {
            sketch.record(*duration, NOW);
        }
        let exact = exact(&durations, rank);
        prop_assert!(is_near(sketch.quantile(rank).unwrap(), exact));
        prop_assert!(is_near(sketch.recent_quantile(rank, NOW).unwrap(), exact));
        prop_assert_eq!(sketch.quantile_known(rank), sketch.quantile(rank));
    }

    #[test]
    fn means_are_within_three_point_two_per_cent(
        durations in proptest::collection::vec(128_u64..100_000_000_000, 1..40),
        others in proptest::collection::vec(128_u64..100_000_000_000, 1..40),
    ) {
        let sketch_of = |durations: &[u64]| {
            let mut sketch = Sketch::new();
            for duration in durations {
                sketch.record(Nanos(*duration), NOW);
            }
            sketch
        };
        let mean = |all: &mut dyn Iterator<Item = u64>, count: usize| Nanos(all.sum::<u64>() / count as u64);
        let (sketch, other) = (sketch_of(&durations), sketch_of(&others));
        let exact = mean(&mut durations.iter().copied(), durations.len());
        prop_assert!(is_near(sketch.mean_known().unwrap(), exact));
        let mut pairs = durations.iter().flat_map(|one| others.iter().map(|other| *one.min(other)));
        let exact = mean(&mut pairs, durations.len() * others.len());
        prop_assert!(is_near(sketch.mean_of_shorter(&other).unwrap(), exact));
    }

    /// Durations that are stopped at one moment say as much of all that is below it as if they were not.
    #[test]
    fn what_is_stopped_later_changes_no_quantile_before(
        durations in proptest::collection::vec(1_000_u64..1_000_000, 1..100),
        rank in 0.0..=1.0_f64,
    ) {
        let (mut whole, mut stopped) = (Sketch::new(), Sketch::new());
        let limit = 500_000;
        for duration in &durations {
            whole.record(Nanos(*duration), NOW);
            stopped.record(Nanos((*duration).min(limit)), NOW);
            if *duration > limit {
                stopped.mark_at_least(Nanos(limit));
            }
        }
        let exact = whole.quantile(rank).unwrap();
        if exact < Nanos(400_000) {
            prop_assert_eq!(stopped.quantile_known(rank), Some(exact));
        }
    }

    #[test]
    fn a_merged_sketch_answers_like_one_that_saw_everything(
        records in proptest::collection::vec((duration(), 0_u64..200, any::<bool>()), 1..100),
        rank in 0.0..=1.0_f64,
    ) {
        let mut records = records;
        records.sort_by_key(|(_, second, _)| *second);
        let (mut whole, mut left, mut right) = (Sketch::new(), Sketch::new(), Sketch::new());
        for (duration, second, is_left) in &records {
            let half = if *is_left { &mut left } else { &mut right };
            for sketch in [&mut whole, half] {
                sketch.record(*duration, secs(*second));
            }
        }
        let mut merged = left.clone();
        merged.merge(&right);
        right.merge(&left);
        let now = secs(records.last().unwrap().1);
        for sketch in [&merged, &right] {
            prop_assert_eq!(sketch.count(), whole.count());
            prop_assert_eq!(sketch.quantile(rank), whole.quantile(rank));
            prop_assert_eq!(sketch.recent_quantile(rank, now), whole.recent_quantile(rank, now));
        }
    }
}
