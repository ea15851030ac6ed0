//! Who is next: lanes, groups, heights, ageing.

use penstock_core::clock::Nanos;
use penstock_core::sched::{BatchSpec, Verdict};

use crate::common::{Bench, batch, call, ms, urgent};

#[test]
fn a_flat_batch_starts_in_the_order_of_its_calls() {
    let mut bench = Bench::new();
    bench.submit_plain(5);
    assert_eq!(bench.start_indices(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_lower_lane_number_goes_first() {
    let mut bench = Bench::new();
    let calls = [4, 10, 0, 7, 0].map(|lane| urgent(bench.tool, lane));
    bench.submit(&batch(&calls, &[]));
    assert_eq!(bench.start_indices(), [2, 4, 0, 3, 1]);
}

#[test]
fn in_a_graph_the_longest_way_to_a_leaf_goes_first() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 6];
    bench.submit(&batch(&calls, &[(1, 2), (4, 3), (3, 5)]));
    assert_eq!(bench.start_indices(), [4, 1, 0]);
}

#[test]
fn a_call_that_becomes_ready_late_takes_its_turn_by_height() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 6];
    let id = bench.submit(&batch(&calls, &[(0, 4), (4, 5)]));
    bench.start();
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [4, 1, 2, 3]);
}

#[test]
fn batches_of_one_group_start_as_submitted() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 2];
    let spec = BatchSpec {
        group: Some(7),
        ..batch(&calls, &[])
    };
    let [first, second] = [bench.submit(&spec), bench.submit(&spec)];
    let expected = [(first, 0), (first, 1), (second, 0), (second, 1)];
    assert_eq!(bench.start_all(), expected);
}

#[test]
fn batches_of_different_groups_take_turns() {
    let mut bench = Bench::new();
    let [first, second] = [bench.submit_plain(3), bench.submit_plain(2)];
    let expected = [(first, 0), (second, 0), (first, 1), (second, 1), (first, 2)];
    assert_eq!(bench.start_all(), expected);
}

#[test]
fn the_group_that_got_less_goes_first() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 3];
    let [hungry, full] = [1, 2].map(|key| {
        bench.submit(&BatchSpec {
            group: Some(key),
            ..batch(&calls, &[])
        })
    });
    assert_eq!(bench.start_all().len(), 6);
    for index in 0..3 {
        bench.end_at(hungry, index);
    }
    bench.now = ms(1_100);
    bench.end_at(full, 0); // a tenth of a second of service
    let [full, hungry] = [2, 1].map(|key| {
        bench.submit(&BatchSpec {
            group: Some(key),
            ..batch(&calls, &[])
        })
    });
    let first = bench.next();
    assert_eq!(first.unwrap().batch, hungry);
    assert_ne!(first.unwrap().batch, full);
}

#[test]
fn a_first_call_that_waited_a_quarter_second_goes_before_a_hungrier_group() {
    let mut bench = Bench::new();
    let old = bench.submit_plain(200);
    for _ in 0..100 {
        let id = bench.start().unwrap();
        bench.end(id, Verdict::Returned);
    }
    bench.now = ms(1_200);
    let new = bench.submit_plain(1);
    bench.now = ms(1_249);
    assert_eq!(bench.next().map(|call| call.batch), Some(new));
    let newer = bench.submit_plain(1);
    bench.now = ms(1_250);
    assert_eq!(bench.next().map(|call| call.batch), Some(old));
    assert_ne!(old, newer);
}

#[test]
fn a_first_call_that_waited_a_second_goes_one_lane_up() {
    let mut bench = Bench::new();
    let waiting = bench.submit(&batch(&[urgent(bench.tool, 5)], &[]));
    bench.now = ms(1_999);
    let urgent = bench.submit(&batch(&[urgent(bench.tool, 4); 3], &[]));
    assert_eq!(bench.next().map(|call| call.batch), Some(urgent));
    bench.now = ms(2_000);
    assert_eq!(bench.next().map(|call| call.batch), Some(waiting));
}

#[test]
fn a_guess_never_ages_into_the_lanes_of_callers() {
    let mut bench = Bench::new();
    let guess = bench.submit(&batch(&[urgent(bench.tool, 10)], &[]));
    bench.now = Nanos::from_secs(100);
    let asked = bench.submit(&batch(&[urgent(bench.tool, 7)], &[]));
    assert_eq!(bench.start_all(), [(asked, 0), (guess, 0)]);
}
