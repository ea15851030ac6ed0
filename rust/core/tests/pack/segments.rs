//! Who has room, what is live, what may go.

use penstock_core::pack::segment::{Placement, Segments};
use proptest::prelude::*;

const HEADER: u64 = 64;

/// Files of 1,000 bytes, of which three may exist.
fn segments() -> Segments {
    Segments::new(1_000, 3_000)
}

fn at(segment: u32, offset: u64, new_capacity: u64) -> Placement {
    Placement {
        segment,
        offset,
        new_capacity,
    }
}

#[test]
fn records_fill_a_segment_and_begin_the_next() {
    let mut segments = segments();
    assert_eq!(segments.place(400), Some(at(0, HEADER, 1_000)));
    assert_eq!(segments.place(400), Some(at(0, HEADER + 400, 0)));
    assert_eq!(segments.place(400), Some(at(1, HEADER, 1_000)));
    let statistics = segments.statistics();
    assert_eq!(
        (statistics.open, statistics.sealed, statistics.held_bytes),
        (1, 1, 2_000)
    );
    assert_eq!((statistics.live_records, statistics.live_bytes), (3, 1_200));
}

#[test]
fn a_larger_record_has_a_file_of_its_own() {
    let mut segments = segments();
    segments.place(400).unwrap();
    assert_eq!(segments.place(1_500), Some(at(1, HEADER, 1_564)));
    assert_eq!(
        segments.place(400),
        Some(at(0, HEADER + 400, 0)),
        "the open one stays open"
    );
    assert!(segments.free(1, 1_500), "it was sealed at once");
}

#[test]
fn a_full_quota_changes_nothing() {
    let mut segments = segments();
    for _ in 0..3 {
        segments.place(900).unwrap();
    }
    let before = segments.statistics();
    assert_eq!(segments.place(900), None);
    assert_eq!(segments.place(u64::MAX), None);
    assert_eq!(segments.statistics(), before);
    assert_eq!(
        segments.place(36).unwrap().segment,
        2,
        "what is open may still be filled"
    );
}

#[test]
fn a_sealed_empty_segment_is_removed_and_its_bytes_come_back_when_its_map_is_closed() {
    let mut segments = segments();
    for _ in 0..3 {
        segments.place(900).unwrap();
    }
    assert!(segments.free(0, 900));
    assert_eq!(segments.place(900), None, "somebody may still read it");
    assert_eq!(segments.statistics().removing, 1);
    assert!(segments.removed(0));
    assert!(!segments.removed(0));
    assert_eq!(
        segments.place(900).unwrap().segment,
        3,
        "numbers are not reused"
    );
}

#[test]
fn an_open_segment_is_not_removed_while_it_is_open() {
    let mut segments = segments();
    segments.place(900).unwrap();
    assert!(!segments.free(0, 900));
    assert!(!segments.removed(0));
    assert!(segments.empty().is_empty());
    segments.place(900).unwrap();
    assert_eq!(segments.empty(), [0]);
    assert!(segments.removed(0));
    assert_eq!(segments.seal(), Some(1));
    assert_eq!(segments.seal(), None);
}

#[test]
fn a_file_that_could_not_be_made_is_forgotten() {
    let mut segments = segments();
    segments.place(900).unwrap();
    segments.place(900).unwrap();
    assert!(segments.failed(1));
    assert!(!segments.failed(1));
    assert_eq!(segments.lower_quota(), 1_000);
    assert_eq!(segments.place(900), None);
    assert!(segments.free(0, 900));
}

#[test]
fn sealed_segments_under_a_quarter_are_sparse() {
    let mut segments = Segments::new(1_000, 100_000);
    for _ in 0..5 {
        for _ in 0..9 {
            segments.place(100).unwrap();
        }
    }
    (0..7).for_each(|_| assert!(!segments.free(1, 100)));
    (0..8).for_each(|_| assert!(!segments.free(2, 100)));
    (0..6).for_each(|_| assert!(!segments.free(3, 100)));
    (0..8).for_each(|_| assert!(!segments.free(4, 100)));
    assert_eq!(
        segments.sparse(),
        [2, 1],
        "the emptiest first, and never the open one"
    );
}

#[test]
fn an_adopted_segment_is_sealed() {
    let mut segments = segments();
    let number = segments.adopt(1_000, 100, 2);
    assert_ne!(segments.place(100).unwrap().segment, number);
    assert!(!segments.free(number, 50));
    assert!(segments.free(number, 50));
}

proptest! {
    /// Files never overlap or overflow, the quota holds, and when all is freed nothing is held.
    #[test]
    fn bytes_are_conserved(sizes in prop::collection::vec((1_u64..1_600, any::<bool>()), 1..80)) {
        let mut segments = Segments::new(1_000, 8_000);
        let mut live: Vec<(Placement, u64)> = Vec::new();
        let mut capacities = std::collections::HashMap::new();
        for (number, (bytes, frees)) in sizes.into_iter().enumerate() {
            if let Some(placed) = segments.place(bytes) {
                if placed.new_capacity > 0 {
                    prop_assert!(capacities.insert(placed.segment, placed.new_capacity).is_none());
                }
                prop_assert!(placed.offset + bytes <= capacities[&placed.segment]);
                let apart = |(other, length): &(Placement, u64)| other.segment != placed.segment
                    || other.offset + length <= placed.offset || placed.offset + bytes <= other.offset;
                prop_assert!(live.iter().all(apart));
                live.push((placed, bytes));
            }
            if frees && !live.is_empty() {
                let (placed, bytes) = live.swap_remove(number % live.len());
                segments.free(placed.segment, bytes);
            }
            for empty in segments.empty() {
                prop_assert!(live.iter().all(|(placed, _)| placed.segment != empty));
                prop_assert!(segments.removed(empty));
            }
            let statistics = segments.statistics();
            prop_assert!(statistics.held_bytes <= 8_000);
            prop_assert_eq!(statistics.live_bytes, live.iter().map(|(_, bytes)| bytes).sum::<u64>());
        }
        for (placed, bytes) in live {
            segments.free(placed.segment, bytes);
        }
        segments.seal();
        segments.empty().into_iter().for_each(|empty| assert!(segments.removed(empty)));
        let statistics = segments.statistics();
        let held = (statistics.held_bytes, statistics.live_bytes, statistics.live_records);
        prop_assert_eq!(held, (0, 0, 0));
    }
}
