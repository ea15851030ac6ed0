//! Tools may tell as often as they like.

use penstock_core::clock::Nanos;
use penstock_core::ring::{Flush, Passed, Source};
use proptest::prelude::*;

const fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

#[test]
fn the_first_progress_passes_and_then_the_last_of_each_span() {
    let mut source = Source::default();
    assert_eq!(source.progress(1, "a", ms(0)), Passed::Now("a"));
    assert_eq!(source.progress(1, "b", ms(10)), Passed::Later(None));
    assert_eq!(source.progress(1, "c", ms(20)), Passed::Later(Some("b")));
    assert_eq!(source.next_due(), Some(ms(50)));
    assert_eq!(source.pop_due(ms(49)), None);
    assert_eq!(source.pop_due(ms(50)), Some((1, Flush::Progress("c"))));
    assert_eq!(source.progress(1, "d", ms(60)), Passed::Later(None));
    assert_eq!(source.next_due(), Some(ms(100)));
    assert_eq!(source.pop_due(ms(100)), Some((1, Flush::Progress("d"))));
    assert_eq!(source.progress(1, "e", ms(150)), Passed::Now("e"));
}

#[test]
fn progress_that_is_overdue_keeps_its_turn() {
    let mut source = Source::default();
    source.progress(1, "a", ms(0));
    source.progress(1, "b", ms(1));
    assert_eq!(source.progress(1, "c", ms(90)), Passed::Later(Some("b")));
    assert_eq!(source.pop_due(ms(90)), Some((1, Flush::Progress("c"))));
}

#[test]
fn output_is_joined_for_five_milliseconds() {
    let mut source = Source::default();
    assert_eq!(source.output(1, "a", 1, ms(0)), None);
    assert_eq!(source.output(1, "b", 1, ms(4)), None);
    assert_eq!(source.pop_due(ms(4)), None);
    let both = Flush::Output(vec!["a", "b"], 2);
    assert_eq!(source.pop_due(ms(5)), Some((1, both)));
    assert_eq!(source.next_due(), None);
}

#[test]
fn output_of_four_kib_passes_at_once() {
    let mut source = Source::default();
    assert_eq!(source.output(1, "a", 4_095, ms(0)), None);
    let both = Flush::Output(vec!["a", "b"], 4_096);
    assert_eq!(source.output(1, "b", 1, ms(0)), Some(both));
    assert_eq!(source.next_due(), None);
}

#[test]
fn the_end_flushes_progress_and_output_and_forgets_the_call() {
    let mut source = Source::default();
    source.progress(1, "a", ms(0));
    source.progress(1, "b", ms(0));
    source.output(1, "c", 1, ms(0));
    let left = [
        Some(Flush::Progress("b")),
        Some(Flush::Output(vec!["c"], 1)),
    ];
    assert_eq!(source.end(1), left);
    assert_eq!(source.end(1), [None, None]);
    assert!(source.is_empty());
    assert_eq!(source.next_due(), None);
}

#[derive(Clone, Debug)]
enum Step {
    Progress(u8),
    Output(u8, usize),
    End(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3u8).prop_map(Step::Progress),
        (0..3u8, 0..3_000usize).prop_map(|(call, bytes)| Step::Output(call, bytes)),
        (0..3u8).prop_map(Step::End),
        (0..30u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Output comes out whole and in order, progress at most once in 50 ms and the last of it for
    /// sure; nothing waits longer than it may.
    #[test]
    fn nothing_is_lost_but_progress_that_was_overtaken(steps in prop::collection::vec(step(), 1..60)) {
        let mut source = Source::default();
        let mut now = Nanos::ZERO;
        let mut said: [Vec<usize>; 3] = Default::default();
        let mut written: [Vec<usize>; 3] = Default::default();
        let mut passed: [Vec<(Nanos, usize)>; 3] = Default::default();
        let mut last: [Option<usize>; 3] = [None; 3];
        let all = steps.into_iter().chain((0..3).map(Step::End));
        for (number, step) in all.enumerate() {
            let mut flushed = Vec::new();
            let mut ended = None;
            match step {
                Step::Progress(call) => {
                    last[call as usize] = Some(number);
                    if let Passed::Now(told) = source.progress(call, number, now) {
                        flushed.push((call, Flush::Progress(told)));
                    }
                }
                Step::Output(call, bytes) => {
                    said[call as usize].push(number);
                    flushed.extend(source.output(call, number, bytes, now).map(|it| (call, it)));
                }
                Step::End(call) => {
                    flushed.extend(source.end(call).into_iter().flatten().map(|it| (call, it)));
                    ended = Some(call);
                }
                Step::Pass(span) => {
                    now = now.saturating_add(ms(span));
                    while let Some(due) = source.pop_due(now) {
                        flushed.push(due);
                    }
                    prop_assert!(source.next_due().is_none_or(|due| due > now));
                }
            }
            for (call, flush) in flushed {
                match flush {
                    Flush::Output(parts, _) => written[call as usize].extend(parts),
                    Flush::Progress(told) => passed[call as usize].push((now, told)),
                }
            }
            if let Some(call) = ended {
                let call = call as usize;
                prop_assert_eq!(&said[call], &written[call]);
                prop_assert_eq!(last[call], passed[call].last().map(|(_, told)| *told));
                let times = &passed[call];
                let flushed_by_end = times.len().saturating_sub(1);
                for pair in times[..flushed_by_end].windows(2) {
                    prop_assert!(pair[1].0.saturating_sub(pair[0].0) >= ms(50));
                }
                said[call].clear();
                written[call].clear();
                passed[call].clear();
                last[call] = None;
            }
        }
    }
}
