//! Cancelling and committing.

use penstock_core::sched::{
    Action, BatchId, BatchSpec, CallSpec, Reason, State, Status, Target, Verdict, Why,
};

use crate::common::{Bench, batch, call, ms};

#[test]
fn what_has_not_started_ends_at_once() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let calls = [call(tool), call(tool), call(bench.tool), call(bench.tool)];
    let id = bench.submit(&batch(&calls, &[(2, 3)]));
    assert_eq!(bench.start_indices(), [2, 0]);
    let states = [1, 3].map(|index| bench.sched.state(bench.id(id, index)).unwrap());
    assert_eq!(states, [State::Parked, State::Blocked]);
    assert_eq!(bench.cancel(Target::Batch(id)), 4);
    let why = Why::Cancelled(Reason::Caller);
    assert_eq!(bench.ended(), [(1, why), (3, why)]);
}

#[test]
fn what_has_started_is_asked_and_keeps_its_gates_until_its_end() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let id = bench.submit(&batch(&[call(tool); 2], &[]));
    bench.start_all();
    let [running, suspended] = [0, 1].map(|index| bench.id(id, index));
    bench.sched.suspended(suspended, bench.now);
    assert_eq!(bench.cancel(Target::Batch(id)), 2);
    let actions = bench.drain();
    assert!(matches!(actions[0], Action::MustCancel(call) if call.id == running));
    assert!(matches!(actions[1], Action::Throw(call) if call.id == suspended));
    assert_eq!(bench.sched.tool_statistics(tool).unwrap().in_flight, 2);
    bench.end(suspended, Verdict::Cancelled);
    assert_eq!(bench.sched.tool_statistics(tool).unwrap().in_flight, 1);
}

#[test]
fn the_first_reason_stays_and_a_second_cancel_counts_nothing() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(1);
    let call = bench.start().unwrap();
    bench.sched.cancel(
        Target::Call(call),
        Reason::Race,
        bench.now,
        &mut bench.actions,
    );
    assert_eq!(bench.cancel(Target::Batch(id)), 0);
    assert_eq!(bench.sched.reason(call), Some(Reason::Race));
    assert_eq!(bench.drain().len(), 1);
}

#[test]
fn a_cancelled_call_is_never_called_skipped() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 3];
    let id = bench.submit(&batch(&calls, &[(0, 1), (1, 2)]));
    bench.cancel(Target::Batch(id));
    let why = Why::Cancelled(Reason::Caller);
    assert_eq!(bench.ended(), [0, 1, 2].map(|index| (index, why)));
}

#[test]
fn what_waits_for_a_cancelled_call_is_skipped() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool); 3];
    let id = bench.submit(&batch(&calls, &[(0, 1), (1, 2)]));
    assert_eq!(bench.cancel(Target::Call(bench.id(id, 0))), 1);
    let skipped = Why::Skipped { parent: 0 };
    let cancelled = Why::Cancelled(Reason::Caller);
    assert_eq!(bench.ended(), [(0, cancelled), (1, skipped), (2, skipped)]);
}

#[test]
fn every_call_of_every_batch_can_be_cancelled() {
    let mut bench = Bench::new();
    bench.submit_plain(3);
    bench.submit_plain(2);
    bench.start();
    assert_eq!(bench.cancel(Target::All), 5);
    assert_eq!(bench.sched.pending(), 1);
}

/// Calls 0 and 1 in branch 1, call 2 in branch 2, call 3 in none.
fn with_branches(bench: &mut Bench) -> BatchId {
    let calls = [1, 1, 2, 0].map(|branch| CallSpec {
        branch,
        ..call(bench.tool)
    });
    bench.submit(&BatchSpec {
        branches: 2,
        ..batch(&calls, &[])
    })
}

#[test]
fn cancelling_a_branch_leaves_the_others_alone() {
    let mut bench = Bench::new();
    let id = with_branches(&mut bench);
    assert_eq!(bench.cancel(Target::Branch(id, 1)), 2);
    assert_eq!(bench.cancel(Target::Branch(id, 1)), 0);
    assert_eq!(bench.start_indices(), [2, 3]);
}

#[test]
fn a_branch_that_does_not_exist_is_nothing_to_cancel() {
    let mut bench = Bench::new();
    let id = with_branches(&mut bench);
    assert_eq!(bench.cancel(Target::Branch(id, 0)), 0);
    assert_eq!(bench.cancel(Target::Branch(id, 3)), 0);
    assert!(!bench.sched.commit(id, 3, bench.now, &mut bench.actions));
}

#[test]
fn committing_a_branch_cancels_the_others_and_keeps_calls_without_one() {
    let mut bench = Bench::new();
    let id = with_branches(&mut bench);
    bench.start();
    assert!(bench.sched.commit(id, 2, bench.now, &mut bench.actions));
    assert_eq!(bench.ended(), [(1, Why::Cancelled(Reason::Race))]);
    assert_eq!(bench.sched.reason(bench.id(id, 0)), Some(Reason::Race));
    assert_eq!(bench.start_indices(), [2, 3]);
}

#[test]
fn a_committed_branch_stays_and_a_cancelled_one_cannot_be_committed() {
    let mut bench = Bench::new();
    let id = with_branches(&mut bench);
    assert!(bench.sched.commit(id, 1, bench.now, &mut bench.actions));
    assert!(bench.sched.commit(id, 1, bench.now, &mut bench.actions));
    assert!(!bench.sched.commit(id, 2, bench.now, &mut bench.actions));
    assert_eq!(bench.cancel(Target::Branch(id, 1)), 0);
    assert_eq!(bench.cancel(Target::Batch(id)), 3);
}

#[test]
fn a_branch_is_open_until_it_is_kept_or_given_up() {
    let mut bench = Bench::new();
    let id = with_branches(&mut bench);
    assert_eq!(bench.sched.open_branches(id), [1, 2]);
    bench.cancel(Target::Branch(id, 1));
    assert_eq!(bench.sched.open_branches(id), [2]);
    assert!(bench.sched.commit(id, 2, bench.now, &mut bench.actions));
    assert!(bench.sched.open_branches(id).is_empty());
}

#[test]
fn after_its_grace_a_call_is_detached_and_its_end_frees_the_gates() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let id = bench.submit(&batch(&[call(tool)], &[]));
    let stuck = bench.start().unwrap();
    bench.cancel(Target::Batch(id));
    bench.drain();
    assert!(bench.pass(ms(249)).is_empty());
    let actions = bench.pass(ms(1));
    let Action::Detached { ended } = actions[0] else {
        panic!("{actions:?}")
    };
    assert_eq!((ended.status, ended.detached), (Status::Cancelled, true));
    assert_eq!(actions[1], Action::BatchEnded(id));
    assert_eq!(bench.sched.state(stuck), Some(State::Detached));
    assert!(!bench.sched.try_enter(tool));
    assert_eq!(bench.end(stuck, Verdict::Returned), None);
    assert!(bench.sched.try_enter(tool));
    assert_eq!(bench.sched.statistics().batches, 0);
    assert!(bench.drain().is_empty());
    let counters = bench.sched.tool_statistics(tool).unwrap().counters;
    assert_eq!(
        (counters.of(Status::Cancelled), counters.of(Status::Ok)),
        (1, 0)
    );
    assert_eq!(counters.detached, 1);
}

#[test]
fn even_without_grace_a_call_hears_of_its_cancel_before_it_is_detached() {
    let mut bench = Bench::new();
    let tool = bench
        .sched
        .add_tool(penstock_core::sched::ToolSpec::default());
    let calls = [CallSpec {
        timeout: Some(ms(10)),
        ..call(tool)
    }];
    bench.submit(&batch(&calls, &[]));
    bench.start();
    assert!(matches!(bench.pass(ms(10))[..], [Action::MustCancel(_)]));
    assert!(matches!(
        bench.pass(ms(1))[..],
        [Action::Detached { .. }, Action::BatchEnded(_)]
    ));
}
