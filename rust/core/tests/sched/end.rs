//! How calls end, and what follows.

use penstock_core::sched::{Action, BatchSpec, Reason, Status, Target, Verdict, Why};

use crate::common::{Bench, batch, call, ms};

#[test]
fn a_returned_call_is_ok_and_its_batch_ends_once() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(2);
    assert_eq!(bench.start_indices(), [0, 1]);
    bench.now = ms(1_005);
    let ended = bench.end_at(id, 0).unwrap();
    assert_eq!(
        (ended.status, ended.late, ended.reason),
        (Status::Ok, false, None)
    );
    assert_eq!(
        (ended.submitted, ended.started),
        (ms(1_000), Some(ms(1_000)))
    );
    assert!(bench.drain().is_empty());
    bench.end_at(id, 1).unwrap();
    assert_eq!(bench.drain(), [Action::BatchEnded(id)]);
    assert_eq!(bench.sched.pending(), 0);
}

#[test]
fn a_child_is_ready_when_its_last_parent_is_ok() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 3];
    let id = bench.submit(&batch(&calls, &[(0, 2), (1, 2)]));
    assert_eq!(bench.start_indices(), [0, 1]);
    bench.end_at(id, 0);
    assert!(!bench.sched.has_ready());
    bench.end_at(id, 1);
    assert_eq!(bench.start_indices(), [2]);
}

#[test]
fn what_waits_for_a_failed_call_is_skipped_naming_it() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 5];
    let id = bench.submit(&batch(&calls, &[(0, 1), (1, 2), (0, 3), (4, 3)]));
    bench.start_all();
    let failed = bench.end(bench.id(id, 0), Verdict::Raised).unwrap();
    assert_eq!(failed.status, Status::Failed);
    let mut skipped = bench.ended();
    skipped.sort_by_key(|(index, _)| *index);
    assert_eq!(
        skipped,
        [1, 2, 3].map(|index| (index, Why::Skipped { parent: 0 }))
    );
    bench.end_at(id, 4);
    assert_eq!(bench.drain(), [Action::BatchEnded(id)]);
}

#[test]
fn a_call_found_bad_before_its_start_is_rejected_from_any_state() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 3];
    let id = bench.submit(&batch(&calls, &[(0, 1)]));
    let ready = bench.end(bench.id(id, 2), Verdict::Rejected).unwrap();
    let blocked = bench.end(bench.id(id, 1), Verdict::Rejected).unwrap();
    assert_eq!([ready.status, blocked.status], [Status::Rejected; 2]);
    assert_eq!(ready.started, None);
    assert_eq!(bench.start_indices(), [0]);
    bench.end_at(id, 0);
    assert_eq!(bench.drain(), [Action::BatchEnded(id)]);
}

#[test]
fn a_failed_call_of_a_fail_fast_batch_cancels_the_rest() {
    let mut bench = Bench::new();
    let slow = bench.add_tool(1);
    let calls = [call(bench.tool), call(bench.tool), call(slow), call(slow)];
    let id = bench.submit(&BatchSpec {
        fail_fast: true,
        ..batch(&calls, &[])
    });
    assert_eq!(bench.start_indices(), [0, 1, 2]);
    bench.end(bench.id(id, 1), Verdict::Raised);
    let actions = bench.drain();
    assert!(matches!(actions[0], Action::MustCancel(call) if call.index == 0));
    assert!(matches!(actions[1], Action::MustCancel(call) if call.index == 2));
    let Action::Ended { ended, why } = actions[2] else {
        panic!("{actions:?}")
    };
    assert_eq!((ended.call.index, ended.status), (3, Status::Cancelled));
    assert_eq!(why, Why::Cancelled(Reason::FailFast));
}

#[test]
fn a_cancelled_call_does_not_make_a_batch_fail_fast() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 2];
    let id = bench.submit(&BatchSpec {
        fail_fast: true,
        ..batch(&calls, &[])
    });
    bench.cancel(Target::Call(bench.id(id, 0)));
    assert_eq!(bench.start_indices(), [1]);
}

#[test]
fn a_value_or_an_error_after_a_cancel_is_late() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(3);
    bench.start_all();
    let [value, error, cancelled] = [0, 1, 2].map(|index| bench.id(id, index));
    assert_eq!(bench.cancel(Target::Batch(id)), 3);
    let ended = bench.end(value, Verdict::Returned).unwrap();
    assert_eq!((ended.status, ended.late), (Status::Ok, true));
    let ended = bench.end(error, Verdict::Raised).unwrap();
    assert_eq!((ended.status, ended.late), (Status::Failed, true));
    let ended = bench.end(cancelled, Verdict::Cancelled).unwrap();
    assert_eq!((ended.status, ended.late), (Status::Cancelled, false));
    assert_eq!(ended.reason, Some(Reason::Caller));
}

#[test]
fn a_cancellation_that_nobody_asked_for_is_cancelled_without_a_reason() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(1);
    bench.start_all();
    let ended = bench.end(bench.id(id, 0), Verdict::Cancelled).unwrap();
    assert_eq!((ended.status, ended.reason), (Status::Cancelled, None));
}

#[test]
fn a_stale_id_is_ignored() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(1);
    let call = bench.start().unwrap();
    bench.end_at(id, 0);
    bench.drain();
    assert_eq!(bench.end(call, Verdict::Returned), None);
    assert_eq!(bench.cancel(Target::Call(call)), 0);
    bench.sched.suspended(call, bench.now);
    bench.sched.sleep(call, ms(2_000));
    assert_eq!(bench.sched.next_due(), None);
    assert!(bench.drain().is_empty());
}
