//! Random steps of a story.

use penstock_core::clock::Nanos;
use penstock_core::sched::Verdict;
use proptest::prelude::*;

use crate::model::{NewBatch, NewCall};

#[derive(Clone, Debug)]
pub enum Step {
    /// The number picks the parent among the calls in flight; `None`: not nested.
    Submit(NewBatch, Option<usize>),
    Start(u8),
    Suspend(usize),
    Sleep(usize, u64),
    End(usize, Verdict),
    EndAny(usize, Verdict),
    CancelCall(usize),
    CancelBranch(usize, u32),
    CancelBatch(usize),
    CancelAll,
    Commit(usize, u32),
    /// Lets held calls of a batch go; some of these may not be held, or not exist.
    LetGo(usize, Vec<u32>),
    Pass(u64),
    Bound(usize, Option<u32>),
    BoundService(Option<u32>),
    Hold(usize),
    Release(usize),
    RefuseHeld(usize),
    Enter(usize),
    Leave(usize),
    /// The limiter refuses a call that waits.
    Refuse(usize),
    /// Whether the limiter tells its answers after each step, or leaves them for later.
    Answer(bool),
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Returned),
        1 => Just(Verdict::Raised),
        1 => Just(Verdict::Cancelled),
        1 => Just(Verdict::Rejected),
        1 => Just(Verdict::TimedOut),
    ]
}

fn timeout() -> impl Strategy<Value = Option<Nanos>> {
    prop_oneof![5 => Just(None), 1 => (1_u64..3_000).prop_map(|ms| Some(Nanos::from_millis(ms)))]
}

fn new_call(branches: u32) -> impl Strategy<Value = NewCall> {
    let priority = prop_oneof![4 => Just(4_u8), 3 => 0_u8..=10];
    let limits =
        prop_oneof![8 => Just(None), 4 => Just(Some(0)), 4 => Just(Some(1)), 1 => Just(Some(2))];
    (0_usize..6, priority, 0..=branches, timeout(), limits).prop_map(
        |(tool, priority, branch, timeout, limits)| NewCall {
            tool,
            priority,
            branch,
            timeout,
            limits,
        },
    )
}

fn new_batch() -> impl Strategy<Value = NewBatch> {
    let calls = (0_u32..3).prop_flat_map(|branches| {
        (
            Just(branches),
            proptest::collection::vec(new_call(branches), 1..9),
        )
    });
    let edges = prop_oneof![
        2 => Just(Vec::new()),
        2 => proptest::collection::vec((0_u32..9, 0_u32..9), 1..12),
    ];
    let held = prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::collection::vec(0_u32..9, 1..6),
    ];
    let options = (
        proptest::option::of(0_u64..3),
        proptest::option::weighted(0.3, 1_u32..4),
        proptest::bool::weighted(0.2),
        timeout(),
        prop_oneof![2 => Just(0_u64), 1 => 1_u64..4],
    );
    (calls, edges, held, options).prop_map(|((branches, calls), edges, held, options)| {
        let (group, max_parallel, fail_fast, timeout, worth) = options;
        let count = u32::try_from(calls.len()).unwrap();
        let edges = forward(&edges, count);
        NewBatch {
            calls,
            edges,
            held: held.into_iter().map(|call| call % count).collect(),
            branches,
            group,
            worth,
            max_parallel,
            fail_fast,
            timeout,
            parent: None,
        }
    })
}

/// Edges from lower to higher numbers of a shuffled row, so that there is no cycle.
fn forward(edges: &[(u32, u32)], calls: u32) -> Vec<(u32, u32)> {
    let place = |call: u32| call * 5 % 11; // any order that is not the index
    let inside = edges
        .iter()
        .map(|(one, other)| (one % calls, other % calls));
    let apart = inside.filter(|(one, other)| one != other);
    apart
        .map(|(a, b)| if place(a) < place(b) { (a, b) } else { (b, a) })
        .collect()
}

/// A bound of the whole engine.
pub fn parallel() -> impl Strategy<Value = Option<u32>> {
    proptest::option::weighted(0.7, 2_u32..8)
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = 0_usize..64;
    let step = prop_oneof![
        8 => (new_batch(), proptest::option::weighted(0.3, 0_usize..64))
            .prop_map(|(batch, parent)| Step::Submit(batch, parent)),
        12 => (1_u8..8).prop_map(Step::Start),
        5 => pick.clone().prop_map(Step::Suspend),
        2 => (pick.clone(), 0_u64..2_000).prop_map(|(call, ms)| Step::Sleep(call, ms)),
        16 => (pick.clone(), verdict()).prop_map(|(call, verdict)| Step::End(call, verdict)),
        2 => (pick.clone(), verdict()).prop_map(|(call, verdict)| Step::EndAny(call, verdict)),
        3 => pick.clone().prop_map(Step::CancelCall),
        1 => (pick.clone(), 0_u32..4).prop_map(|(batch, branch)| Step::CancelBranch(batch, branch)),
        1 => pick.clone().prop_map(Step::CancelBatch),
        1 => Just(Step::CancelAll),
        1 => (pick.clone(), 0_u32..4).prop_map(|(batch, branch)| Step::Commit(batch, branch)),
        3 => (pick.clone(), proptest::collection::vec(0_u32..10, 1..6))
            .prop_map(|(batch, calls)| Step::LetGo(batch, calls)),
        6 => prop_oneof![0_u64..50, 200_u64..1_500, 1_000_u64..4_000].prop_map(Step::Pass),
        2 => (0_usize..6, proptest::option::of(1_u32..4))
            .prop_map(|(tool, limit)| Step::Bound(tool, limit)),
        1 => proptest::option::of(1_u32..4).prop_map(Step::BoundService),
        2 => (0_usize..6).prop_map(Step::Hold),
        2 => (0_usize..6).prop_map(Step::Release),
        1 => (0_usize..6).prop_map(Step::RefuseHeld),
        2 => (0_usize..6).prop_map(Step::Enter),
        2 => pick.clone().prop_map(Step::Leave),
        1 => pick.prop_map(Step::Refuse),
        2 => any::<bool>().prop_map(Step::Answer),
    ];
    proptest::collection::vec(step, 1..60)
}
