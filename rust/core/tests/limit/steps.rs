//! What can happen to a limiter: limits and steps, drawn at random.

use proptest::prelude::*;

/// A limit: where, of what, and how large.
#[derive(Clone, Copy, Debug)]
pub struct LimitSpec {
    /// An index into [`crate::story::SCOPES`].
    pub scope: usize,
    pub kind: Kind,
    pub tokens: bool,
    pub size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bucket,
    Window,
    Slots,
    Budget,
}

#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub n: u64,
    /// Nanoseconds.
    pub per: u64,
    pub burst: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct CostSpec {
    pub requests: u64,
    pub tokens: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Take {
        set: usize,
        cost: CostSpec,
        lane: u8,
    },
    Try {
        set: usize,
        cost: CostSpec,
        lane: u8,
    },
    Poll,
    Advance(u64),
    /// The next caller read its clock before others got their turn.
    Behind(u64),
    Settle(usize, Option<CostSpec>),
    Refund(usize),
    Cancel(usize),
    /// The provider refused it: it asks again with its old key.
    Again(usize),
    Forget(usize),
    Change(usize, Size),
    Block(usize, u64),
}

fn size() -> impl Strategy<Value = Size> {
    let per = prop_oneof![
        Just(1_000_000_000),
        Just(60_000_000_000),
        1_000_000_u64..3_000_000_000,
        Just(333_333_333),
    ];
    (1_u64..30, per, 1_u64..12).prop_map(|(n, per, burst)| Size { n, per, burst })
}

fn cost() -> impl Strategy<Value = CostSpec> {
    let requests = prop_oneof![6 => Just(1_u64), 2 => 2_u64..6, 1 => Just(0)];
    (requests, prop_oneof![0_u64..6, 0_u64..25])
        .prop_map(|(requests, tokens)| CostSpec { requests, tokens })
}

pub fn limits() -> impl Strategy<Value = Vec<LimitSpec>> {
    let kind = prop_oneof![
        3 => Just(Kind::Bucket),
        3 => Just(Kind::Window),
        2 => Just(Kind::Slots),
        1 => Just(Kind::Budget),
    ];
    let limit = (
        0..crate::story::SCOPES.len(),
        kind,
        prop::bool::weighted(0.3),
        size(),
    )
        .prop_map(|(scope, kind, tokens, size)| LimitSpec {
            scope,
            kind,
            tokens,
            size,
        });
    prop::collection::vec(limit, 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    let span = prop_oneof![
        4 => 0_u64..2_000_000,
        4 => 1_000_000_u64..300_000_000,
        2 => 100_000_000_u64..4_000_000_000,
        1 => Just(0),
    ];
    let lane = prop_oneof![4 => Just(4_u8), 2 => 0_u8..8, 1 => 8_u8..16];
    let set = 0..crate::story::CALLERS.len();
    let taken = (set.clone(), cost(), lane.clone());
    prop_oneof![
        12 => taken.prop_map(|(set, cost, lane)| Step::Take { set, cost, lane }),
        3 => (set, cost(), lane).prop_map(|(set, cost, lane)| Step::Try { set, cost, lane }),
        6 => Just(Step::Poll),
        8 => span.prop_map(Step::Advance),
        1 => (0_u64..1_000_000_000).prop_map(Step::Behind),
        5 => (any::<usize>(), prop::option::of(cost()))
            .prop_map(|(which, actual)| Step::Settle(which, actual)),
        2 => any::<usize>().prop_map(Step::Refund),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<usize>().prop_map(Step::Again),
        3 => any::<usize>().prop_map(Step::Forget),
        1 => (any::<usize>(), size()).prop_map(|(which, size)| Step::Change(which, size)),
        1 => (any::<usize>(), 0_u64..2_000_000_000)
            .prop_map(|(which, span)| Step::Block(which, span)),
    ]
}

pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..most)
}
