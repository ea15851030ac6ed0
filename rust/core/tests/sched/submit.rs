//! What is taken, and what is refused whole.

use penstock_core::sched::{BatchId, CallSpec, SchedConfig, State, SubmitError, ToolId};

use crate::common::{Bench, batch, call, urgent};

fn refusal(calls: &[CallSpec], edges: &[(u32, u32)]) -> SubmitError {
    let mut bench = Bench::new();
    let error = bench
        .sched
        .submit(&batch(calls, edges), bench.now)
        .unwrap_err();
    assert_eq!(bench.sched.pending(), 0, "a refused batch leaves nothing");
    assert!(!bench.sched.has_ready());
    error
}

fn three() -> [CallSpec; 3] {
    [call(ToolId(0)); 3]
}

#[test]
fn calls_without_parents_are_ready_and_others_blocked() {
    let mut bench = Bench::new();
    let id = bench.submit(&batch(&three(), &[(0, 2)]));
    let states = [0, 1, 2].map(|index| bench.sched.state(bench.id(id, index)));
    assert_eq!(
        states,
        [Some(State::Ready), Some(State::Ready), Some(State::Blocked)]
    );
}

#[test]
fn a_batch_above_max_pending_is_refused_whole() {
    let mut bench = Bench::with(SchedConfig {
        max_pending: 4,
        ..SchedConfig::default()
    });
    bench.submit_plain(2);
    let error = bench
        .sched
        .submit(&batch(&three(), &[]), bench.now)
        .unwrap_err();
    assert_eq!(
        error,
        SubmitError::Full {
            pending: 2,
            max_pending: 4
        }
    );
    assert_eq!(bench.sched.pending(), 2);
}

#[test]
fn a_cycle_is_named_parent_before_child() {
    let error = refusal(
        &[call(ToolId(0)); 5],
        &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)],
    );
    let SubmitError::Cycle { mut calls } = error else {
        panic!("{error}")
    };
    let first = calls.iter().position(|call| *call == 1).unwrap();
    calls.rotate_left(first);
    assert_eq!(calls, [1, 2, 3]);
}

#[test]
fn edges_to_nowhere_and_to_oneself_are_refused() {
    assert_eq!(
        refusal(&three(), &[(7, 1)]),
        SubmitError::UnknownParent {
            child: 1,
            parent: 7
        }
    );
    assert_eq!(
        refusal(&three(), &[(1, 7)]),
        SubmitError::UnknownChild {
            child: 7,
            parent: 1
        }
    );
    assert_eq!(
        refusal(&three(), &[(1, 1)]),
        SubmitError::SelfEdge { call: 1 }
    );
}

#[test]
fn a_lane_a_branch_and_a_tool_that_do_not_exist_are_refused() {
    let lane = urgent(ToolId(0), 11);
    assert_eq!(
        refusal(&[lane], &[]),
        SubmitError::BadPriority {
            call: 0,
            priority: 11
        }
    );
    let branch = CallSpec {
        branch: 1,
        ..call(ToolId(0))
    };
    let error = SubmitError::BadBranch {
        call: 0,
        branch: 1,
        branches: 0,
    };
    assert_eq!(refusal(&[branch], &[]), error);
    assert_eq!(
        refusal(&[call(ToolId(9))], &[]),
        SubmitError::UnknownTool { call: 0 }
    );
}

#[test]
fn nesting_below_the_limit_is_taken_and_at_it_refused() {
    let mut bench = Bench::with(SchedConfig {
        max_depth: 2,
        ..SchedConfig::default()
    });
    let calls = [call(bench.tool)];
    let mut parent = None;
    for _ in 0..3 {
        let spec = penstock_core::sched::BatchSpec {
            parent,
            ..batch(&calls, &[])
        };
        bench.submit(&spec);
        parent = bench.start();
    }
    let spec = penstock_core::sched::BatchSpec {
        parent,
        ..batch(&calls, &[])
    };
    assert_eq!(
        bench.sched.submit(&spec, bench.now),
        Err(SubmitError::TooDeep { limit: 2 })
    );
    assert!(bench.sched.has_room(None) && !bench.sched.has_room(parent));
}

#[test]
fn ids_survive_the_way_through_bits_and_a_made_up_one_is_nobodys() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(1);
    let call = bench.id(id, 0);
    assert_ne!(call.to_bits(), 0);
    assert_eq!(BatchId::from_bits(id.to_bits()), id);
    let stranger = penstock_core::sched::CallId::from_bits(call.to_bits() + (1 << 32));
    assert_eq!(bench.sched.state(stranger), None);
}

#[test]
fn an_id_is_stale_after_its_end_although_its_slot_is_used_again() {
    let mut bench = Bench::new();
    let first = bench.submit_plain(1);
    let old = bench.id(first, 0);
    bench.start();
    bench.end_at(first, 0);
    let second = bench.submit_plain(1);
    let new = bench.id(second, 0);
    assert_eq!(old.place(), new.place());
    assert_ne!(old, new);
    assert_eq!(bench.sched.state(old), None);
    assert_eq!(bench.sched.call_at(first, 0), None);
}
