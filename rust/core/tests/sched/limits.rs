//! Limits: asking for them, waiting with the limiter, and what goes back to it.

use penstock_core::clock::Nanos;
use penstock_core::sched::{
    Admission, Admit, Ask, BatchId, BatchSpec, CallSpec, GateKind, Permit, Returned, SchedConfig,
    State, Status, Target, ToolSpec, Verdict, Waiter, Why,
};

use crate::common::{Bench, batch, call, limited, ms, nested, urgent};

/// Any set but this one is free while there are places.
const NEVER: u32 = 9;

/// A limiter with a few places for all sets. Permits and waiters are numbered as they are given.
#[derive(Default)]
struct Places {
    free: u32,
    asks: Vec<Ask>,
    holders: Vec<Permit>,
    waiters: u32,
}

impl Places {
    fn grant(&mut self) -> Permit {
        let permit = Permit(u32::try_from(self.holders.len()).unwrap());
        self.holders.push(permit);
        permit
    }
}

impl Admit for Places {
    fn admit(&mut self, ask: &Ask, _now: Nanos) -> Admission {
        self.asks.push(*ask);
        if ask.set == NEVER {
            Admission::Refused
        } else if self.free == 0 {
            self.waiters += 1;
            Admission::Parked(Waiter(self.waiters - 1))
        } else {
            self.free -= 1;
            Admission::Granted(self.grant())
        }
    }

    fn is_held_by(&mut self, _set: u32, permits: &[Permit]) -> bool {
        self.holders.iter().all(|permit| permits.contains(permit))
    }
}

/// Starts all that may start; their indices.
fn start_all(bench: &mut Bench, places: &mut Places) -> Vec<u32> {
    let mut started = Vec::new();
    while let Some(call) = bench.sched.next(bench.now, places, &mut bench.actions) {
        started.push(call.index);
    }
    started
}

fn places(free: u32) -> Places {
    Places {
        free,
        ..Places::default()
    }
}

fn returned(bench: &mut Bench) -> Vec<Returned> {
    std::iter::from_fn(|| bench.sched.pop_returned()).collect()
}

/// A batch of one call that waits with the limiter, as waiter 0.
fn one_waiting(bench: &mut Bench, places: &mut Places) -> BatchId {
    let id = bench.submit(&batch(&[limited(bench.tool, 3)], &[]));
    assert!(start_all(bench, places).is_empty());
    id
}

#[test]
fn a_call_that_waits_for_its_limits_holds_nothing_and_does_not_poll() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let id = bench.submit(&batch(&[limited(tool, 3), call(tool)], &[]));
    assert_eq!(start_all(&mut bench, &mut places(0)), [1]);
    assert_eq!(bench.sched.state(bench.id(id, 0)), Some(State::Parked));
    assert_eq!(bench.sched.in_flight(), 1);
    assert!(!bench.sched.has_ready());
    assert!(!bench.sched.has_returned());
}

#[test]
fn an_ask_says_who_asks_since_when_and_until_when() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let calls = [None, Some(30), Some(90)].map(|timeout| CallSpec {
        timeout: timeout.map(ms),
        priority: 6,
        ..limited(bench.tool, 3)
    });
    let id = bench.submit(&BatchSpec {
        timeout: Some(ms(60)),
        ..batch(&calls, &[])
    });
    let since = bench.now;
    bench.now = ms(1_010);
    start_all(&mut bench, &mut places);
    for (index, deadline) in [(0, 1_060), (1, 1_030), (2, 1_060)] {
        let ask = places.asks[index as usize];
        assert_eq!(ask.call, bench.id(id, index));
        assert_eq!((ask.set, ask.lane, ask.arrival), (3, 6, since));
        assert_eq!(ask.deadline, Some(ms(deadline)));
    }
}

#[test]
fn an_attempt_asks_until_its_call_must_end() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let mut asked_until = |timeout: Option<u64>, whole: Option<u64>| {
        let outer = CallSpec {
            timeout: timeout.map(ms),
            ..call(bench.tool)
        };
        let outer = bench.submit(&BatchSpec {
            timeout: whole.map(ms),
            ..batch(&[outer], &[])
        });
        start_all(&mut bench, &mut places);
        let attempts = bench.sched.add_tool(ToolSpec {
            is_attempt: true,
            ..ToolSpec::default()
        });
        let parent = Some(bench.id(outer, 0));
        bench.submit(&BatchSpec {
            parent,
            ..batch(&[limited(attempts, 3)], &[])
        });
        start_all(&mut bench, &mut places);
        places.asks.last().and_then(|ask| ask.deadline)
    };
    assert_eq!(asked_until(None, None), None);
    assert_eq!(asked_until(Some(30), Some(60)), Some(ms(1_030)));
    assert_eq!(asked_until(Some(90), Some(60)), Some(ms(1_060)));
}

#[test]
fn turns_go_by_batch_and_then_by_height() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let calls = [limited(bench.tool, 3); 3];
    bench.submit(&batch(&calls, &[(1, 2)]));
    bench.submit(&batch(&calls[..1], &[]));
    start_all(&mut bench, &mut places);
    let asks = places.asks.iter();
    let turns: Vec<u64> = asks.map(|ask| ask.turn).collect();
    assert_eq!(turns.len(), 3, "a call with parents does not ask yet");
    assert!(turns.is_sorted_by(|one, other| one < other));
}

#[test]
fn a_granted_call_comes_back_through_its_lane_and_does_not_ask_again() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let id = one_waiting(&mut bench, &mut places);
    let urgent = bench.submit(&batch(&[urgent(bench.tool, 0)], &[]));
    assert!(bench.sched.granted(bench.id(id, 0), Permit(7)));
    assert_eq!(bench.sched.state(bench.id(id, 0)), Some(State::Ready));
    let mut next = || {
        bench
            .sched
            .next(bench.now, &mut places, &mut bench.actions)
            .map(|call| call.batch)
    };
    assert_eq!([next(), next()], [Some(urgent), Some(id)]);
    assert_eq!(places.asks.len(), 1);
}

#[test]
fn a_permit_is_settled_once_with_what_became_of_its_call() {
    let mut bench = Bench::new();
    let mut places = places(1);
    let id = bench.submit(&batch(&[limited(bench.tool, 3)], &[]));
    let (call, started) = (bench.id(id, 0), bench.now);
    start_all(&mut bench, &mut places);
    bench.now = ms(1_050);
    bench.end(call, Verdict::Raised);
    let settled = Returned::Settled {
        permit: Permit(0),
        call,
        batch: id,
        status: Status::Failed,
        started,
    };
    assert_eq!(returned(&mut bench), [settled]);
}

#[test]
fn a_granted_call_that_meets_a_full_gate_gives_its_permit_back_and_asks_again_as_before() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let tool = bench.add_tool(1);
    let id = bench.submit(&batch(&[limited(tool, 3)], &[]));
    start_all(&mut bench, &mut places);
    let holder = bench.submit(&batch(&[call(tool)], &[]));
    start_all(&mut bench, &mut places);
    bench.now = ms(9_000);
    bench.submit(&batch(&[urgent(tool, 0), urgent(tool, 9)], &[])); // in use: lanes age
    assert!(bench.sched.granted(bench.id(id, 0), Permit(7)));
    assert!(start_all(&mut bench, &mut places).is_empty());
    assert_eq!(returned(&mut bench), [Returned::Refunded(Permit(7))]);
    bench.cancel(Target::Batch(holder));
    bench.end(bench.id(holder, 0), Verdict::Cancelled);
    start_all(&mut bench, &mut places);
    let [first, again] = places.asks[..] else {
        panic!("it asks twice: {:?}", places.asks);
    };
    assert_eq!(first, again);
}

#[test]
fn a_call_that_is_cancelled_while_it_waits_gives_up_its_place() {
    let mut bench = Bench::new();
    let id = one_waiting(&mut bench, &mut places(0));
    let call = bench.id(id, 0);
    assert_eq!(bench.cancel(Target::Call(call)), 1);
    assert_eq!(returned(&mut bench), [Returned::Forgotten(Waiter(0))]);
    assert!(!bench.sched.granted(call, Permit(7)), "the grant is late");
    assert_eq!(bench.sched.pending(), 0);
}

#[test]
fn a_call_that_the_host_ends_while_it_waits_gives_up_its_place() {
    let mut bench = Bench::new();
    let id = one_waiting(&mut bench, &mut places(0));
    bench.end(bench.id(id, 0), Verdict::Rejected);
    assert_eq!(returned(&mut bench), [Returned::Forgotten(Waiter(0))]);
}

#[test]
fn a_deadline_ends_a_call_that_waits() {
    let mut bench = Bench::new();
    let calls = [CallSpec {
        timeout: Some(ms(30)),
        ..limited(bench.tool, 3)
    }];
    bench.submit(&batch(&calls, &[]));
    start_all(&mut bench, &mut places(0));
    assert_eq!(bench.pass(ms(30)).len(), 2, "the call, then its batch");
    assert_eq!(returned(&mut bench), [Returned::Forgotten(Waiter(0))]);
}

#[test]
fn a_call_that_is_cancelled_between_its_grant_and_its_start_has_spent_nothing() {
    let mut bench = Bench::new();
    let id = one_waiting(&mut bench, &mut places(0));
    assert!(bench.sched.granted(bench.id(id, 0), Permit(7)));
    bench.cancel(Target::Batch(id));
    assert_eq!(returned(&mut bench), [Returned::Refunded(Permit(7))]);
    assert!(!bench.sched.has_ready());
}

#[test]
fn a_granted_call_that_then_waits_at_a_gate_leaves_that_gate_when_it_is_cancelled() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let tool = bench.add_tool(1);
    let calls = [limited(tool, 3), call(tool), call(tool)];
    let id = bench.submit(&batch(&calls, &[]));
    assert_eq!(start_all(&mut bench, &mut places), [1]);
    bench.sched.granted(bench.id(id, 0), Permit(7));
    start_all(&mut bench, &mut places);
    bench.cancel(Target::Call(bench.id(id, 0)));
    assert_eq!(returned(&mut bench), [Returned::Refunded(Permit(7))]);
    bench.end_at(id, 1);
    assert_eq!(start_all(&mut bench, &mut places), [2]);
}

#[test]
fn an_answer_counts_only_for_a_call_that_waits() {
    let mut bench = Bench::new();
    let id = one_waiting(&mut bench, &mut places(0));
    let call = bench.id(id, 0);
    assert!(bench.sched.granted(call, Permit(7)));
    assert!(!bench.sched.granted(call, Permit(8)));
    bench.sched.refused(call, bench.now, &mut bench.actions);
    assert_eq!(start_all(&mut bench, &mut places(0)), [0]);
    assert!(!bench.sched.granted(call, Permit(8)));
}

#[test]
fn a_granted_call_of_a_tool_with_too_many_detached_calls_has_spent_nothing() {
    let mut bench = Bench::with(SchedConfig {
        max_detached: 1,
        ..SchedConfig::default()
    });
    let stuck = bench.submit_plain(1);
    bench.start();
    let id = one_waiting(&mut bench, &mut places(0));
    bench.cancel(Target::Batch(stuck));
    bench.pass(ms(250));
    assert!(bench.sched.granted(bench.id(id, 0), Permit(7)));
    assert_eq!(bench.start(), None);
    assert_eq!(bench.ended(), [(0, Why::TooManyDetached { limit: 1 })]);
    assert_eq!(returned(&mut bench), [Returned::Refunded(Permit(7))]);
}

#[test]
fn a_detached_call_is_settled_when_its_code_really_ends() {
    let mut bench = Bench::new();
    let mut places = places(1);
    let id = bench.submit(&batch(&[limited(bench.tool, 3)], &[]));
    let (call, started) = (bench.id(id, 0), bench.now);
    start_all(&mut bench, &mut places);
    bench.cancel(Target::Call(call));
    bench.pass(ms(250));
    assert_eq!(bench.sched.state(call), Some(State::Detached));
    assert!(!bench.sched.has_returned());
    bench.end(call, Verdict::Returned);
    let settled = Returned::Settled {
        permit: Permit(0),
        call,
        batch: id,
        status: Status::Cancelled,
        started,
    };
    assert_eq!(returned(&mut bench), [settled]);
}

#[test]
fn a_call_that_is_refused_at_once_is_rejected_and_hands_its_wake_up_on() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let calls = [call(tool), limited(tool, NEVER), call(tool)];
    let id = bench.submit(&batch(&calls, &[]));
    assert_eq!(start_all(&mut bench, &mut places(1)), [0]);
    bench.end_at(id, 0); // wakes 1
    assert_eq!(start_all(&mut bench, &mut places(1)), [2]);
    assert_eq!(bench.ended(), [(1, Why::Refused)]);
    assert!(!bench.sched.has_returned());
}

#[test]
fn a_call_that_is_refused_while_it_waits_is_rejected_and_nothing_goes_back() {
    let mut bench = Bench::new();
    let id = one_waiting(&mut bench, &mut places(0));
    let call = bench.id(id, 0);
    for _ in 0..2 {
        bench.sched.refused(call, bench.now, &mut bench.actions);
    }
    assert_eq!(bench.ended(), [(0, Why::Refused)]);
    assert!(!bench.sched.has_returned());
    assert_eq!(bench.sched.pending(), 0);
}

#[test]
fn a_call_that_goes_to_the_limiter_hands_its_wake_up_on() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let tool = bench.add_tool(1);
    let calls = [call(tool), limited(tool, 3), call(tool)];
    let id = bench.submit(&batch(&calls, &[]));
    assert_eq!(start_all(&mut bench, &mut places), [0]);
    bench.end_at(id, 0); // wakes 1, which goes to the limiter
    assert_eq!(start_all(&mut bench, &mut places), [2]);
    bench.end_at(id, 2);
    assert!(bench.sched.try_enter(tool), "the place is promised to none");
}

#[test]
fn a_call_that_comes_back_takes_a_place_like_any_other() {
    let mut bench = Bench::new();
    let mut places = places(0);
    let tool = bench.add_tool(1);
    let calls = [call(tool), limited(tool, 3), call(tool), call(tool)];
    let id = bench.submit(&batch(&calls, &[]));
    start_all(&mut bench, &mut places);
    bench.end_at(id, 0); // wakes 1, which goes to the limiter, so that 2 is woken and starts
    start_all(&mut bench, &mut places);
    bench.end_at(id, 2); // wakes 3
    assert!(bench.sched.granted(bench.id(id, 1), Permit(7)));
    assert_eq!(start_all(&mut bench, &mut places), [1]);
    bench.end_at(id, 1);
    assert_eq!(start_all(&mut bench, &mut places), [3]);
}

#[test]
fn a_call_whose_limits_only_its_ancestors_hold_is_rejected() {
    let mut bench = Bench::new();
    let mut places = places(1);
    bench.submit(&batch(&[limited(bench.tool, 3)], &[]));
    let outer = bench.sched.next(bench.now, &mut places, &mut bench.actions);
    let inner = limited(bench.tool, 3);
    nested(&mut bench, outer.unwrap().id, inner);
    assert!(start_all(&mut bench, &mut places).is_empty());
    let gate = GateKind::Limits;
    assert_eq!(bench.ended(), [(0, Why::WouldDeadlock { gate })]);
    assert_eq!(returned(&mut bench), [Returned::Forgotten(Waiter(0))]);
}

#[test]
fn a_call_whose_limits_somebody_else_holds_too_waits() {
    let mut bench = Bench::new();
    let mut places = places(2);
    bench.submit(&batch(&[limited(bench.tool, 3); 2], &[]));
    let outer = bench.sched.next(bench.now, &mut places, &mut bench.actions);
    start_all(&mut bench, &mut places);
    let inner = limited(bench.tool, 3);
    nested(&mut bench, outer.unwrap().id, inner);
    assert!(start_all(&mut bench, &mut places).is_empty());
    assert!(bench.drain().is_empty());
    assert!(!bench.sched.has_returned());
}

#[test]
fn a_batch_of_limited_calls_fails_fast_and_leaves_nobody_waiting() {
    let mut bench = Bench::new();
    let calls = [limited(bench.tool, 3); 3];
    let id = bench.submit(&BatchSpec {
        fail_fast: true,
        ..batch(&calls, &[])
    });
    assert_eq!(start_all(&mut bench, &mut places(1)), [0]);
    bench.end(bench.id(id, 0), Verdict::Raised);
    let given_up = [0, 1].map(|waiter| Returned::Forgotten(Waiter(waiter)));
    assert_eq!(returned(&mut bench)[1..], given_up);
    assert_eq!(bench.sched.pending(), 0);
}
