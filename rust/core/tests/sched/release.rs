//! Held calls: blocked until somebody releases them.

use penstock_core::error::SubmitError;
use penstock_core::sched::{BatchId, BatchSpec, Target, Verdict, Why};

use crate::common::{Bench, batch, call};

/// Three calls, the second of which is held and waits for the first as well.
fn submit(bench: &mut Bench, held: &[u32]) -> BatchId {
    let calls = [call(bench.tool); 3];
    let spec = BatchSpec {
        held,
        ..batch(&calls, &[(0, 1)])
    };
    bench.submit(&spec)
}

#[test]
fn a_held_call_waits_although_its_parents_are_ok() {
    let mut bench = Bench::new();
    let id = submit(&mut bench, &[1]);
    assert_eq!(bench.start_indices(), [0, 2]);
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    assert_eq!(bench.sched.release(id, &[1], bench.now), 1);
    assert_eq!(bench.start_indices(), [1]);
}

#[test]
fn a_call_that_was_released_still_waits_for_its_parents() {
    let mut bench = Bench::new();
    let id = submit(&mut bench, &[1]);
    assert_eq!(bench.sched.release(id, &[1], bench.now), 1);
    assert_eq!(bench.start_indices(), [0, 2]);
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [1]);
}

#[test]
fn a_call_is_released_once() {
    let mut bench = Bench::new();
    let id = submit(&mut bench, &[0, 1]);
    assert_eq!(bench.sched.release(id, &[0, 0, 2, 9], bench.now), 1);
    assert_eq!(bench.sched.release(id, &[0], bench.now), 0);
    assert_eq!(bench.start_indices(), [0, 2]);
}

#[test]
fn a_held_call_can_be_cancelled_and_is_not_released_then() {
    let mut bench = Bench::new();
    let id = submit(&mut bench, &[0]);
    assert_eq!(bench.cancel(Target::Batch(id)), 3);
    assert_eq!(bench.sched.release(id, &[0], bench.now), 0);
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
}

#[test]
fn a_held_call_is_skipped_with_its_parent() {
    let mut bench = Bench::new();
    let id = submit(&mut bench, &[1]);
    bench.start_all();
    let parent = bench.id(id, 0);
    bench.end(parent, Verdict::Raised);
    assert_eq!(bench.ended(), [(1, Why::Skipped { parent: 0 })]);
    assert_eq!(bench.sched.release(id, &[1], bench.now), 0);
}

#[test]
fn what_is_not_in_the_batch_cannot_be_held() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool)];
    let spec = BatchSpec {
        held: &[1],
        ..batch(&calls, &[])
    };
    let refused = bench.sched.submit(&spec, bench.now);
    assert_eq!(refused, Err(SubmitError::UnknownHeld { call: 1 }));
}
