//! What records add up to.

use penstock_core::ring::{CallState, Fact, Kind, Ring, RingConfig};

use crate::model::fact;

const KIB: u32 = 1 << 10;

fn log(history: usize) -> Ring<u32> {
    Ring::new(RingConfig {
        history,
        ..RingConfig::default()
    })
}

fn state_after(kinds: &[Kind]) -> CallState {
    let mut ring = log(100);
    for kind in kinds {
        ring.append(fact(*kind, 0));
    }
    ring.fold().rows()[0].state
}

#[test]
fn each_event_moves_its_call() {
    use Kind::{CallCancelling, CallEnded, CallHedged, CallParked, CallRetrying, CallStarted};
    assert_eq!(state_after(&[CallParked]), CallState::Parked);
    assert_eq!(state_after(&[CallParked, CallStarted]), CallState::Running);
    assert_eq!(state_after(&[CallStarted, CallHedged]), CallState::Running);
    assert_eq!(
        state_after(&[CallStarted, CallRetrying]),
        CallState::Retrying
    );
    assert_eq!(state_after(&[CallCancelling]), CallState::Cancelling);
    assert_eq!(
        state_after(&[CallCancelling, CallStarted]),
        CallState::Cancelling
    );
    assert_eq!(state_after(&[CallStarted, CallEnded]), CallState::Ended);
}

#[test]
fn calls_that_nothing_is_told_of_wait() {
    let mut ring = log(100);
    ring.append(fact(Kind::BatchStarted, 3));
    ring.append(fact(Kind::CallStarted, 1));
    let table = ring.fold();
    let states: Vec<CallState> = table.rows().iter().map(|row| row.state).collect();
    let (waiting, running) = (CallState::Waiting, CallState::Running);
    assert_eq!(states, [waiting, running, waiting]);
}

#[test]
fn the_last_attempt_and_the_status_are_kept() {
    let mut ring = log(1);
    for attempt in [1, 2] {
        ring.append(Fact {
            attempt,
            ..fact(Kind::CallStarted, 0)
        });
    }
    ring.append(Fact {
        detail: 4,
        ..fact(Kind::CallEnded, 0)
    });
    let row = ring.fold().rows()[0];
    assert_eq!((row.attempt, row.status), (2, 4));
}

#[test]
fn the_last_progress_is_kept_and_the_one_before_let_go() {
    let mut ring = log(1);
    for payload in [7, 8, 9] {
        ring.append_with(fact(Kind::CallProgress, 0), payload, 1);
    }
    assert_eq!(ring.fold().told()[&0].progress, Some(&9));
    assert_eq!(ring.take_forgotten(), [7]);
}

#[test]
fn of_output_the_last_64_kib_are_kept() {
    let mut ring = log(1);
    for part in 0..40 {
        ring.append_with(fact(Kind::CallOutput, 0), part, 4 * KIB);
    }
    let table = ring.fold();
    let parts: Vec<u32> = table.told()[&0]
        .output
        .iter()
        .map(|(part, _)| **part)
        .collect();
    assert_eq!(parts, (24..40).collect::<Vec<u32>>());
}

#[test]
fn branches_and_the_end_are_part_of_it() {
    let mut ring = log(1);
    ring.append(fact(Kind::BranchCommitted, 1));
    ring.append(fact(Kind::BranchCancelled, 2));
    ring.append(fact(Kind::BatchEnded, 0));
    let table = ring.fold();
    assert_eq!((table.branches()[&1], table.branches()[&2]), (true, false));
    assert!(table.has_ended());
}

#[test]
fn names_are_unique_and_found_again() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::parse("call"), None);
}
