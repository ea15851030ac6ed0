//! Deadlines, attempt timeouts, sleeps.

use penstock_core::sched::{Action, BatchSpec, CallSpec, Reason, Status, ToolSpec, Verdict, Why};

use crate::common::{Bench, batch, call, ms};

#[test]
fn a_deadline_counts_from_submission_and_ends_a_waiting_call() {
    let mut bench = Bench::new();
    let calls = [CallSpec {
        timeout: Some(ms(20)),
        ..call(bench.tool)
    }];
    bench.submit(&batch(&calls, &[]));
    assert_eq!(bench.sched.next_due(), Some(ms(1_020)));
    assert!(bench.pass(ms(19)).is_empty());
    let actions = bench.pass(ms(1));
    let Action::Ended { ended, why } = actions[0] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (ended.status, ended.reason),
        (Status::Timeout, Some(Reason::Deadline))
    );
    assert_eq!(why, Why::Cancelled(Reason::Deadline));
    assert_eq!(bench.sched.next_due(), None);
}

#[test]
fn the_deadline_of_a_batch_ends_all_of_it_with_one_timer() {
    let mut bench = Bench::new();
    let calls = [CallSpec {
        timeout: Some(ms(90)),
        ..call(bench.tool)
    }; 5];
    let id = bench.submit(&BatchSpec {
        timeout: Some(ms(50)),
        ..batch(&calls, &[])
    });
    assert_eq!(
        bench.sched.statistics().timers,
        1,
        "the calls' own would come later"
    );
    bench.start();
    let actions = bench.pass(ms(50));
    assert!(matches!(actions[0], Action::MustCancel(_)));
    assert_eq!(actions.len(), 5);
    let running = bench.id(id, 0);
    let ended = bench.end(running, Verdict::Cancelled).unwrap();
    assert_eq!(
        (ended.status, ended.reason),
        (Status::Timeout, Some(Reason::Deadline))
    );
}

#[test]
fn the_timer_of_a_batch_is_gone_with_its_last_call() {
    let mut bench = Bench::new();
    let calls = [call(bench.tool)];
    let id = bench.submit(&BatchSpec {
        timeout: Some(ms(50)),
        ..batch(&calls, &[])
    });
    bench.start();
    bench.end_at(id, 0);
    assert_eq!(bench.sched.next_due(), None);
}

#[test]
fn an_attempt_timeout_counts_from_the_start_and_is_armed_by_the_first_suspension() {
    let mut bench = Bench::new();
    let spec = ToolSpec {
        timeout: Some(ms(100)),
        ..ToolSpec::default()
    };
    let tool = bench.sched.add_tool(spec);
    let id = bench.submit(&batch(&[call(tool)], &[]));
    bench.start();
    assert_eq!(bench.sched.next_due(), None);
    bench.now = ms(1_030);
    bench.sched.suspended(bench.id(id, 0), bench.now);
    assert_eq!(bench.sched.next_due(), Some(ms(1_100)));
    bench.now = ms(1_060);
    bench.sched.suspended(bench.id(id, 0), bench.now);
    let actions = bench.pass(ms(40));
    assert!(matches!(actions[0], Action::Throw(_)));
    assert_eq!(bench.sched.reason(bench.id(id, 0)), Some(Reason::Timeout));
    let ended = bench.end(bench.id(id, 0), Verdict::Cancelled).unwrap();
    assert_eq!(ended.status, Status::Timeout);
}

#[test]
fn of_deadline_and_attempt_timeout_the_earlier_one_holds() {
    let mut bench = Bench::new();
    let tool = bench.sched.add_tool(ToolSpec {
        timeout: Some(ms(50)),
        ..ToolSpec::default()
    });
    let calls = [30, 90].map(|timeout| CallSpec {
        timeout: Some(ms(timeout)),
        ..call(tool)
    });
    let id = bench.submit(&batch(&calls, &[]));
    bench.start_all();
    for index in 0..2 {
        bench.sched.suspended(bench.id(id, index), bench.now);
    }
    assert_eq!(bench.sched.statistics().timers, 2);
    bench.pass(ms(50));
    let reasons = [0, 1].map(|index| bench.sched.reason(bench.id(id, index)).unwrap());
    assert_eq!(reasons, [Reason::Deadline, Reason::Timeout]);
}

#[test]
fn a_sleeper_is_resumed_when_its_time_has_come() {
    let mut bench = Bench::new();
    bench.submit_plain(1);
    let id = bench.start().unwrap();
    bench.sched.suspended(id, bench.now);
    bench.sched.sleep(id, ms(1_005));
    bench.sched.sleep(id, ms(1_010));
    assert!(bench.pass(ms(9)).is_empty());
    assert!(matches!(bench.pass(ms(1))[..], [Action::Resume(call)] if call.id == id));
    assert!(bench.pass(ms(60_000)).is_empty());
}

#[test]
fn a_cancelled_sleeper_is_thrown_at_and_not_resumed() {
    let mut bench = Bench::new();
    let id = bench.submit_plain(1);
    let call = bench.start().unwrap();
    bench.sched.suspended(call, bench.now);
    bench.sched.sleep(call, ms(1_005));
    bench.cancel(penstock_core::sched::Target::Batch(id));
    assert!(matches!(bench.drain()[..], [Action::Throw(_)]));
    assert!(bench.pass(ms(100)).is_empty());
}

#[test]
fn memory_of_a_burst_is_given_back_when_idle_and_ids_stay_distinct() {
    let mut bench = Bench::new();
    let burst = bench.submit_plain(50_000);
    let old: Vec<_> = (0..50_000).map(|index| bench.id(burst, index)).collect();
    let held = bench.sched.statistics().slots;
    assert!(
        (50_000..51_000).contains(&held),
        "no doubling for one large batch: {held}"
    );
    bench.cancel(penstock_core::sched::Target::All);
    bench.drain();
    for _ in 0..3 {
        bench.pass(ms(60_000));
    }
    assert!(bench.sched.statistics().slots < 1_025);
    let again = bench.submit_plain(50_000);
    assert!((0..50_000).all(|index| bench.id(again, index) != old[index as usize]));
}
