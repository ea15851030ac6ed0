//! Guesses make room for calls that somebody asked for.

use penstock_core::clock::Nanos;
use penstock_core::sched::{
    Action, Admission, Admit, Ask, BatchId, BatchSpec, CallSpec, Permit, Reason, Room, SchedConfig,
    ToolId, Waiter,
};

use crate::common::{Bench, at_most, batch, call, ms, urgent};

const GUESS: u8 = 10;

/// A guess that is worth so much.
fn guess(bench: &mut Bench, tool: ToolId, worth: u64) -> BatchId {
    bench.submit(&BatchSpec {
        worth,
        group: Some(7),
        ..batch(&[urgent(tool, GUESS)], &[])
    })
}

fn thrown(bench: &mut Bench) -> Vec<Reason> {
    let mut reasons = Vec::new();
    while let Some(action) = bench.actions.pop() {
        if let Action::Throw(call) | Action::MustCancel(call) = action {
            reasons.extend(bench.sched.reason(call.id));
        }
    }
    reasons
}

#[test]
fn a_call_without_a_place_has_one_guess_end() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(2);
    bench.submit(&batch(&[urgent(tool, GUESS); 2], &[]));
    bench.start_all();
    assert_eq!(bench.sched.guesses(), 2);
    bench.submit(&batch(&[call(tool)], &[]));
    bench.start_all();
    assert_eq!(thrown(&mut bench), [Reason::Preempted]);
}

#[test]
fn the_place_is_given_when_the_end_was_seen() {
    let mut bench = Bench::with(SchedConfig {
        max_parallel: at_most(1),
        ..SchedConfig::default()
    });
    let guess = bench.submit(&batch(&[urgent(bench.tool, GUESS)], &[]));
    bench.start_all();
    bench.submit(&batch(&[call(bench.tool)], &[]));
    assert_eq!(bench.start_indices(), [] as [u32; 0]);
    bench.end_at(guess, 0);
    assert_eq!(bench.start_indices(), [0]);
    assert_eq!(bench.sched.guesses(), 0);
}

#[test]
fn a_guess_that_was_promoted_keeps_its_place() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(1);
    let guess = bench.submit(&batch(&[urgent(tool, GUESS)], &[]));
    bench.start_all();
    let id = bench.id(guess, 0);
    bench.sched.promote(id, 4);
    bench.submit(&batch(&[call(tool)], &[]));
    bench.start_all();
    assert_eq!(thrown(&mut bench), []);
    assert_eq!(bench.sched.guesses(), 0);
    assert!(bench.end_at(guess, 0).is_some());
}

#[test]
fn guesses_do_not_end_each_other_nor_what_holds_another_gate() {
    let mut bench = Bench::new();
    let (tool, other) = (bench.add_tool(1), bench.add_tool(1));
    bench.submit(&batch(&[urgent(tool, GUESS), call(other)], &[]));
    bench.start_all();
    bench.submit(&batch(&[urgent(tool, GUESS), call(other)], &[]));
    bench.start_all();
    assert_eq!(thrown(&mut bench), []);
    bench.now = ms(1);
}

#[test]
fn the_guess_that_is_worth_least_makes_room_of_equal_ones_the_latest() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(4);
    let guesses = [5, 2, 9, 2].map(|worth| guess(&mut bench, tool, worth));
    let ids = guesses.map(|guess| bench.id(guess, 0));
    bench.start_all();
    for _ in 0..4 {
        bench.submit(&batch(&[call(tool)], &[]));
        bench.start_all();
    }
    let mut asked = Vec::new();
    while let Some(action) = bench.actions.pop() {
        if let Action::Throw(call) | Action::MustCancel(call) = action {
            asked.extend(ids.iter().position(|id| *id == call.id));
        }
    }
    assert_eq!(asked, [3, 1, 0, 2]);
}

#[test]
fn guesses_that_wait_go_in_the_order_of_their_worth() {
    let mut bench = Bench::new();
    let tool = bench.add_tool(8);
    let [low, high, same] = [1, 3, 1].map(|worth| guess(&mut bench, tool, worth));
    let asked = bench.submit(&batch(&[call(tool)], &[]));
    assert_eq!(
        bench.start_all(),
        [(asked, 0), (high, 0), (low, 0), (same, 0)]
    );
}

#[test]
fn rooms_are_the_bounded_gates_of_a_tool_and_say_who_is_in_them() {
    let mut bench = Bench::with(SchedConfig {
        max_parallel: at_most(9),
        ..SchedConfig::default()
    });
    let (tool, other) = (bench.add_tool(4), bench.add_tool(3));
    bench.submit(&batch(&[call(tool), call(other)], &[]));
    guess(&mut bench, tool, 1);
    guess(&mut bench, other, 1);
    bench.start_all();
    let room = |bound, used, guesses| Room {
        bound,
        used,
        guesses,
    };
    let rooms: Vec<Room> = bench.sched.rooms(tool).collect();
    assert_eq!(rooms, [room(9, 4, 2), room(4, 2, 1)]);
}

/// A limit with so many places.
struct Places(u32);

impl Admit for Places {
    fn admit(&mut self, _ask: &Ask, _now: Nanos) -> Admission {
        match self.0.checked_sub(1) {
            Some(free) => {
                self.0 = free;
                Admission::Granted(Permit(free))
            }
            None => Admission::Parked(Waiter(0)),
        }
    }

    fn wants_place(&mut self, set: u32, permit: Permit) -> bool {
        self.0 == 0 && set == 0 && permit.0 < 8
    }
}

#[test]
fn a_call_that_waits_for_a_place_of_a_limit_has_the_cheapest_guess_end() {
    let mut bench = Bench::new();
    let mut places = Places(2);
    let limited = |priority| CallSpec {
        limits: Some(0),
        ..urgent(bench.tool, priority)
    };
    let [real, lone] = [limited(4), limited(GUESS)];
    let guesses = [7, 3].map(|worth| {
        bench.submit(&BatchSpec {
            worth,
            ..batch(&[lone], &[])
        })
    });
    let ids = guesses.map(|guess| bench.id(guess, 0));
    bench.submit(&batch(&[real], &[]));
    let mut start = |bench: &mut Bench| {
        while bench
            .sched
            .next(bench.now, &mut places, &mut bench.actions)
            .is_some()
        {}
    };
    start(&mut bench);
    assert_eq!(
        bench.sched.guesses(),
        1,
        "the call came first: one place was left"
    );
    assert_eq!(thrown(&mut bench), []);
    bench.submit(&batch(&[real], &[]));
    start(&mut bench);
    assert_eq!(bench.sched.reason(ids[0]), Some(Reason::Preempted));
}
