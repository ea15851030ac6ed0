//! Readers come at any position and at their own pace.

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, Look, NoPosition, Ring, RingConfig, Snapshot};

use crate::model::fact;

fn log(history: usize, records: u32) -> Ring<u32> {
    let config = RingConfig {
        history,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(config);
    for call in 0..records {
        ring.append(fact(Kind::CallStarted, call));
    }
    ring
}

#[test]
fn numbers_count_from_one_without_holes() {
    let mut ring = log(10, 0);
    assert_eq!((ring.newest(), ring.oldest()), (0, 1));
    let numbers: Vec<u64> = (0..30)
        .map(|call| ring.append(fact(Kind::CallStarted, call)))
        .collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<u64>>());
    assert_eq!((ring.newest(), ring.oldest()), (30, 21));
}

#[test]
fn an_empty_log_allocates_nothing() {
    assert_eq!(log(65_536, 0).bytes(), 0);
}

#[test]
fn a_reader_gets_what_follows_up_to_its_limit() {
    let ring = log(10, 5);
    assert_eq!(ring.look(0, 3), Look::Records { first: 1, last: 3 });
    assert_eq!(ring.look(3, 3), Look::Records { first: 4, last: 5 });
    assert_eq!(ring.look(5, 3), Look::Nothing);
}

#[test]
fn a_reader_that_comes_late_is_told_what_it_missed() {
    let ring = log(4, 10);
    assert_eq!(ring.look(2, 3), Look::Gap { from: 3, to: 6 });
    assert_eq!(ring.look(6, 3), Look::Records { first: 7, last: 9 });
}

#[test]
fn the_end_of_the_batch_is_the_end_of_the_log() {
    let mut ring = log(10, 1);
    ring.append(Fact::new(Kind::BatchEnded, 0, Nanos(7)));
    assert_eq!(ring.ended(), Some(Nanos(7)));
    assert_eq!(ring.look(1, 9), Look::Records { first: 2, last: 2 });
    assert_eq!(ring.look(2, 9), Look::End);
}

#[test]
fn a_log_of_many_batches_does_not_end_with_one_of_them() {
    let config = RingConfig {
        folds: false,
        ..RingConfig::default()
    };
    let mut ring = Ring::<u32>::new(config);
    ring.append(fact(Kind::BatchEnded, 0));
    assert_eq!(ring.look(1, 9), Look::Nothing);
}

#[test]
fn a_position_that_is_to_come_is_refused() {
    let ring = log(10, 3);
    assert_eq!(ring.position(None), Ok(3));
    assert_eq!(ring.position(Some(0)), Ok(0));
    assert_eq!(ring.position(Some(4)), Err(NoPosition { newest: 3 }));
}

#[test]
fn one_snapshot_serves_all_who_need_one_at_that_time() {
    let mut ring = log(1_000, 700);
    assert_eq!(ring.snapshot(), Snapshot::Make(700));
    ring.append(fact(Kind::CallEnded, 0));
    assert_eq!(ring.snapshot(), Snapshot::Kept(700));
    for call in 1..256 {
        ring.append(fact(Kind::CallEnded, call));
    }
    assert_eq!(ring.snapshot(), Snapshot::Make(956));
}

#[test]
fn a_snapshot_whose_sequel_is_forgotten_serves_nobody() {
    let mut ring = log(2, 5);
    assert_eq!(ring.snapshot(), Snapshot::Make(5));
    for call in 0..2 {
        ring.append(fact(Kind::CallEnded, call));
    }
    assert_eq!(ring.snapshot(), Snapshot::Kept(5));
    ring.append(fact(Kind::CallEnded, 2));
    assert_eq!(ring.snapshot(), Snapshot::Make(8));
}

#[test]
fn payloads_bound_the_log_too() {
    let config = RingConfig {
        payload_bytes: 100,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(config);
    for call in 0..5 {
        ring.append_with(fact(Kind::CallEnded, call), call, 40);
    }
    assert_eq!(ring.oldest(), 4);
    assert_eq!(ring.take_forgotten(), [0, 1, 2]);
    ring.append_with(fact(Kind::CallEnded, 9), 9, 1_000);
    assert_eq!(
        (ring.oldest(), ring.newest()),
        (6, 6),
        "the newest is always kept"
    );
    ring.shrink(0);
    assert_eq!(ring.oldest(), 6);
}

#[test]
fn an_object_may_take_the_place_of_a_payload() {
    let mut ring = log(10, 1);
    ring.append_with(fact(Kind::CallProgress, 0), 7, 1);
    assert_eq!(ring.attach(2, 8, 3), Some(7));
    assert_eq!(ring.attach(1, 9, 3), None);
    assert_eq!(ring.get(2).and_then(|(_, payload)| payload), Some(&8));
    assert_eq!(ring.get(1).and_then(|(_, payload)| payload), Some(&9));
    assert_eq!(ring.attach(3, 5, 1), Some(5), "there is no such record");
    assert_eq!(ring.payloads().count(), 2);
}

#[test]
fn an_expired_log_keeps_its_numbers_and_nothing_else() {
    let mut ring = log(10, 3);
    ring.append_with(fact(Kind::CallProgress, 0), 7, 1);
    ring.expire();
    assert_eq!((ring.oldest(), ring.newest(), ring.bytes()), (5, 4, 0));
    assert_eq!(ring.take_forgotten(), [7]);
    assert_eq!(ring.look(1, 1), Look::Gap { from: 2, to: 4 });
}

#[test]
fn what_was_not_written_leaves_a_gap() {
    let mut ring = log(10, 3);
    ring.interrupt();
    assert_eq!(ring.look(3, 1), Look::Gap { from: 4, to: 4 });
    assert_eq!(ring.append(fact(Kind::CallStarted, 0)), 5);
    assert_eq!(ring.look(4, 1), Look::Records { first: 5, last: 5 });
}

#[test]
fn room_is_made_at_once_but_not_beyond_the_history() {
    let mut ring = log(100, 0);
    ring.reserve(1_000_000);
    assert_eq!(ring.bytes(), 101 * 24);
}

#[test]
fn bytes_may_be_counted_to_a_record_later() {
    let config = RingConfig {
        payload_bytes: 100,
        ..RingConfig::default()
    };
    let mut ring = Ring::<u32>::new(config);
    ring.append(fact(Kind::CallStarted, 0));
    ring.append(fact(Kind::CallEnded, 0));
    ring.charge(9, 1_000);
    ring.charge(1, 100);
    assert_eq!(ring.oldest(), 1);
    ring.charge(2, 1);
    assert_eq!(ring.oldest(), 2);
}
