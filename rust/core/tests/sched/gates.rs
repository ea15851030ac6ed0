//! Bounds, waiting at them, and what happens when nobody can get further.

use penstock_core::sched::{
    Action, BatchSpec, CallSpec, GateKind, Reason, SchedConfig, State, Status, Target, ToolSpec,
    Why,
};

use crate::common::{Bench, at_most, batch, call, ms, nested, urgent};

#[test]
fn a_tool_runs_at_most_its_concurrency_and_a_release_readies_the_next() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let id = bench.submit(&batch(&[call(tool); 4], &[]));
    assert_eq!(bench.start_indices(), [0, 1]);
    assert_eq!(bench.sched.state(bench.id(id, 2)), Some(State::Parked));
    assert!(!bench.sched.has_ready(), "nothing polls");
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [2]);
}

#[test]
fn a_held_tool_starts_nothing_until_it_is_let_go() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let id = bench.submit(&batch(&[call(tool); 4], &[]));
    assert_eq!(bench.start_indices(), [0, 1]);
    assert!(bench.sched.hold_tool(tool));
    assert!(!bench.sched.hold_tool(tool), "once");
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    assert!(!bench.sched.try_enter(tool));
    bench.sched.release_tool(tool, ms(1));
    assert_eq!(bench.start_indices(), [2], "its bound is as before");
}

#[test]
fn calls_that_wait_for_a_held_tool_can_be_refused_and_others_not() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let id = bench.submit(&batch(&[call(tool); 3], &[]));
    bench.start_all();
    let refuse = |bench: &mut Bench| {
        bench.sched.refuse_held(tool, ms(1), &mut bench.actions);
        bench.ended()
    };
    assert_eq!(refuse(&mut bench), [], "it waits for the tool's bound");
    bench.sched.hold_tool(tool);
    assert_eq!(refuse(&mut bench), [(2, Why::Held)]);
    assert!(bench.end_at(id, 0).is_some(), "those that run are unharmed");
}

#[test]
fn a_nested_call_of_a_held_tool_waits_although_its_parent_is_the_only_holder() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let outer = bench.submit(&batch(&[call(tool)], &[]));
    bench.start_all();
    bench.sched.hold_tool(tool);
    let parent = bench.id(outer, 0);
    let inner = nested(&mut bench, parent, call(tool));
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    assert_eq!(bench.sched.state(bench.id(inner, 0)), Some(State::Parked));
    bench.sched.release_tool(tool, ms(1));
    assert_eq!(bench.start_indices(), [0]);
}

#[test]
fn waiters_at_a_gate_are_served_in_lane_order() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let calls = [
        urgent(tool, 0),
        urgent(tool, 6),
        urgent(tool, 2),
        urgent(tool, 6),
    ];
    let id = bench.submit(&batch(&calls, &[]));
    assert_eq!(bench.start_indices(), [0]);
    for (last, next) in [(0, 2), (2, 1), (1, 3)] {
        bench.end_at(id, last);
        assert_eq!(bench.start_indices(), [next]);
    }
}

#[test]
fn the_engine_the_batch_and_the_service_have_bounds_too() {
    let config = SchedConfig {
        max_parallel: at_most(5),
        ..SchedConfig::default()
    };
    let mut bench = Bench::with(config);
    let service = bench.sched.add_service(at_most(1));
    let spec = ToolSpec {
        service: Some(service),
        ..ToolSpec::default()
    };
    let [one, other] = [bench.sched.add_tool(spec), bench.sched.add_tool(spec)];
    let served = bench.submit(&batch(&[call(one), call(other)], &[]));
    let calls = [call(bench.tool); 3];
    let narrow = bench.submit(&BatchSpec {
        max_parallel: at_most(2),
        ..batch(&calls, &[])
    });
    let wide = bench.submit_plain(4);
    let mut started = bench.start_all();
    started.sort_unstable_by_key(|(batch, index)| (batch.place(), *index));
    let expected = [(served, 0), (narrow, 0), (narrow, 1), (wide, 0), (wide, 1)];
    assert_eq!(started, expected);
}

#[test]
fn a_waiter_that_meets_another_full_gate_lets_the_next_one_go() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let calls = [call(bench.tool), call(tool), call(bench.tool)];
    let holder = bench.submit(&batch(&[call(tool)], &[]));
    bench.start_all();
    let id = bench.submit(&BatchSpec {
        max_parallel: at_most(1),
        ..batch(&calls, &[])
    });
    assert_eq!(bench.start_indices(), [0]);
    bench.end_at(id, 0); // wakes 1, which meets the tool's gate, so 2 goes
    assert_eq!(bench.start_indices(), [2]);
    bench.end_at(holder, 0);
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    bench.end_at(id, 2);
    assert_eq!(bench.start_indices(), [1]);
}

#[test]
fn an_attempt_is_not_held_up_by_a_waiter_that_needs_the_engine() {
    let mut bench = Bench::with(SchedConfig {
        max_parallel: at_most(3),
        ..SchedConfig::default()
    });
    let spec = ToolSpec {
        service: Some(bench.sched.add_service(at_most(1))),
        ..ToolSpec::default()
    };
    let served = bench.sched.add_tool(spec);
    let attempt = bench.sched.add_tool(ToolSpec {
        is_attempt: true,
        ..spec
    });
    let id = bench.submit(&batch(&[urgent(served, 2); 2], &[]));
    let outer = bench.submit_plain(1);
    bench.start_all();
    let parent = bench.id(outer, 0);
    nested(&mut bench, parent, call(attempt));
    assert_eq!(bench.start(), None);
    bench.end_at(id, 0); // wakes the other one at the service
    let calls = [urgent(bench.tool, 0); 2];
    bench.submit(&batch(&calls, &[])); // fill the engine first
    bench.start_all();
    assert_eq!(bench.sched.tool_statistics(attempt).unwrap().in_flight, 1);
}

#[test]
fn a_cancelled_waiter_hands_its_wake_up_on() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let id = bench.submit(&batch(&[call(tool); 3], &[]));
    bench.start_all();
    bench.end_at(id, 0); // wakes 1
    bench.cancel(Target::Call(bench.id(id, 1)));
    assert_eq!(bench.start_indices(), [2]);
}

#[test]
fn a_raised_bound_readies_waiters_and_a_lowered_one_interrupts_nothing() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let id = bench.submit(&batch(&[call(tool); 6], &[]));
    bench.start_all();
    bench.sched.set_tool_concurrency(tool, at_most(3));
    assert_eq!(bench.start_indices(), [1, 2]);
    bench.sched.set_tool_concurrency(tool, at_most(1));
    assert_eq!(bench.sched.in_flight(), 3);
    bench.end_at(id, 0);
    bench.end_at(id, 1);
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    bench.sched.set_tool_concurrency(tool, None);
    assert_eq!(bench.start_indices(), [3, 4, 5]);
}

#[test]
fn a_call_whose_gate_only_its_ancestors_hold_is_rejected() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    bench.submit(&batch(&[call(tool)], &[]));
    let outer = bench.start().unwrap();
    nested(&mut bench, outer, call(tool));
    let inner = bench.start().unwrap();
    nested(&mut bench, inner, call(tool));
    assert_eq!(bench.start(), None);
    let why = Why::WouldDeadlock {
        gate: GateKind::Tool,
    };
    assert_eq!(bench.ended(), [(0, why)]);
}

#[test]
fn a_call_whose_gate_somebody_else_holds_too_waits() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let other = bench.submit(&batch(&[call(tool)], &[]));
    bench.submit(&batch(&[call(tool)], &[]));
    bench.start();
    let outer = bench.start().unwrap();
    nested(&mut bench, outer, call(tool));
    assert_eq!(bench.start(), None);
    assert!(bench.drain().is_empty());
    bench.end_at(other, 0);
    assert!(bench.start().is_some());
}

#[test]
fn a_bound_lowered_around_the_ancestors_shows_the_deadlock() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    let other = bench.submit(&batch(&[call(tool)], &[]));
    bench.submit(&batch(&[call(tool)], &[]));
    bench.start();
    let outer = bench.start().unwrap();
    nested(&mut bench, outer, call(tool));
    bench.start();
    bench.sched.set_tool_concurrency(tool, at_most(1));
    bench.end_at(other, 0);
    bench.drain();
    assert_eq!(bench.start(), None);
    let why = Why::WouldDeadlock {
        gate: GateKind::Tool,
    };
    assert_eq!(bench.ended(), [(0, why)]);
}

#[test]
fn a_call_in_its_callers_task_passes_only_gates_where_nobody_waits() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    assert!(bench.sched.try_enter(tool));
    assert!(!bench.sched.try_enter(tool));
    let id = bench.submit(&batch(&[call(tool); 2], &[]));
    assert_eq!(bench.start(), None);
    bench
        .sched
        .leave(tool, Status::Ok, ms(1_000), ms(1_001), &mut bench.actions);
    assert!(
        !bench.sched.try_enter(tool),
        "the place is promised to the waiter"
    );
    assert_eq!(bench.start_indices(), [0]);
    bench.end_at(id, 0);
    assert_eq!(bench.start_indices(), [1]);
    bench.end_at(id, 1);
    assert!(bench.sched.try_enter(tool));
    let statistics = bench.sched.tool_statistics(tool).unwrap();
    assert_eq!((statistics.counters.ended(), statistics.in_flight), (3, 1));
}

#[test]
fn a_tool_with_too_many_detached_calls_gets_no_new_ones() {
    let config = SchedConfig {
        max_detached: 1,
        ..SchedConfig::default()
    };
    let mut bench = Bench::with(config);
    let id = bench.submit_plain(2);
    let stuck = bench.start().unwrap();
    bench.sched.cancel(
        Target::Call(stuck),
        Reason::Caller,
        bench.now,
        &mut bench.actions,
    );
    bench.pass(ms(250));
    assert!(!bench.sched.try_enter(bench.tool));
    assert_eq!(bench.start(), None);
    assert_eq!(bench.ended(), [(1, Why::TooManyDetached { limit: 1 })]);
    bench.end_at(id, 0);
    assert!(bench.sched.try_enter(bench.tool));
}

#[test]
fn a_long_search_in_vain_gives_the_host_a_look_at_its_clock() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let mut calls: Vec<CallSpec> = vec![call(tool); 3_000];
    calls.push(call(bench.tool));
    bench.submit(&batch(&calls, &[]));
    assert!(bench.start().is_some());
    let mut asked = 0;
    let last = loop {
        asked += 1;
        assert!(bench.sched.has_ready());
        if let Some(call) = bench.next() {
            break call.index;
        }
    };
    assert_eq!((asked, last), (3, 3_000));
    assert!(
        bench
            .drain()
            .iter()
            .all(|action| !matches!(action, Action::Ended { .. }))
    );
}
