//! Guesses make room for calls that somebody asked for.

use penstock_core::sched::{Action, Reason, SchedConfig};

use crate::common::{Bench, at_most, batch, call, ms, urgent};

const GUESS: u8 = 10;

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
