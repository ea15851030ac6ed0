//! What the scheduler costs a call. Each figure is divided by the calls of one round.

#![expect(missing_docs, reason = "criterion makes public functions without any")]
#![expect(clippy::unwrap_used, reason = "a refused batch would measure nothing")]
#![expect(
    clippy::disallowed_methods,
    reason = "the cost of reading a clock is part of a row"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::clock::Nanos;
use penstock_core::sched::{
    Action, Actions, Admission, Admit, Ask, BatchId, BatchSpec, CallId, CallSpec, Permit, Reason,
    Returned, Sched, SchedConfig, Target, ToolId, ToolSpec, Unlimited, Verdict, Waiter,
};

struct Rig {
    sched: Sched,
    actions: Actions,
    calls: Vec<CallSpec>,
}

impl Rig {
    fn new(calls: usize) -> Self {
        let config = SchedConfig {
            max_pending: 2_000_000,
            ..SchedConfig::default()
        };
        let mut sched = Sched::new(config);
        let tool = sched.add_tool(ToolSpec {
            concurrency: NonZeroU32::new(1_000_000),
            timeout: Some(Nanos::from_secs(30)),
            grace: Nanos::from_millis(250),
            ..ToolSpec::default()
        });
        let call = CallSpec {
            tool,
            priority: 4,
            branch: 0,
            timeout: None,
            limits: None,
            since: None,
        };
        Self {
            sched,
            actions: Actions::new(),
            calls: vec![call; calls],
        }
    }

    fn submit(&mut self, edges: &[(u32, u32)], now: Nanos) -> BatchId {
        let spec = BatchSpec {
            calls: &self.calls,
            edges,
            held: &[],
            branches: 0,
            group: None,
            worth: 0,
            max_parallel: None,
            fail_fast: false,
            timeout: None,
            parent: None,
        };
        self.sched.submit(&spec, now).unwrap()
    }

    fn start_all(&mut self, running: &mut Vec<CallId>) {
        while let Some(call) = self.sched.next(Nanos(1), &mut Unlimited, &mut self.actions) {
            running.push(call.id);
        }
    }

    /// Starts and ends calls until none is ready.
    fn run(&mut self, mut clock: impl FnMut() -> Nanos) {
        let mut now = clock();
        while let Some(call) = self.sched.next(now, &mut Unlimited, &mut self.actions) {
            now = clock();
            black_box(
                self.sched
                    .end(call.id, Verdict::Returned, now, &mut self.actions),
            );
        }
        while let Some(action) = self.actions.pop() {
            black_box(action);
        }
    }

    /// The same with limits, first started first ended.
    fn run_limited(&mut self, places: &mut Places) {
        let mut running = VecDeque::new();
        loop {
            while let Some(call) = self.sched.next(Nanos(1), places, &mut self.actions) {
                running.push_back(call.id);
            }
            let Some(id) = running.pop_front() else { break };
            self.sched
                .end(id, Verdict::Returned, Nanos(1), &mut self.actions);
            places.turn(&mut self.sched);
        }
        while self.actions.pop().is_some() {}
    }
}

/// Submit to end, flat: lanes, gates, slots, statistics.
fn flat(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    for calls in [1_000_usize, 100_000] {
        group.throughput(Throughput::Elements(calls as u64));
        let mut rig = Rig::new(calls);
        group.bench_function(format!("flat/{calls}"), |bencher| {
            bencher.iter(|| {
                rig.submit(&[], Nanos(1));
                rig.run(|| Nanos(1));
            });
        });
        let start = Instant::now();
        let mut rig = Rig::new(calls);
        group.bench_function(format!("flat_with_clock/{calls}"), |bencher| {
            let clock = || Nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(0));
            bencher.iter(|| {
                rig.submit(&[], clock());
                rig.run(clock);
            });
        });
    }
    group.finish();
}

/// Ten layers of a hundred calls with three parents each.
fn dag(criterion: &mut Criterion) {
    let mut edges = Vec::new();
    for layer in 1..10_u32 {
        for place in 0..100_u32 {
            let parents = (0..3).map(|more| (layer - 1) * 100 + (place + more) % 100);
            edges.extend(parents.map(|parent| (parent, layer * 100 + place)));
        }
    }
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(1_000));
    let mut rig = Rig::new(1_000);
    group.bench_function("dag/10x100x3", |bencher| {
        bencher.iter(|| {
            rig.submit(&edges, Nanos(1));
            rig.run(|| Nanos(1));
        });
    });
    group.finish();
}

/// A tool with eight places and ten thousand calls: every call waits at the gate once.
fn gated(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(10_000));
    let mut rig = Rig::new(10_000);
    rig.sched
        .set_tool_concurrency(ToolId(0), NonZeroU32::new(8));
    group.bench_function("gated/10000", |bencher| {
        let mut running = Vec::new();
        bencher.iter(|| {
            rig.submit(&[], Nanos(1));
            while rig.sched.has_ready() {
                rig.start_all(&mut running);
                for id in running.drain(..) {
                    rig.sched
                        .end(id, Verdict::Returned, Nanos(1), &mut rig.actions);
                }
            }
            while rig.actions.pop().is_some() {}
        });
    });
    group.finish();
}

/// A limiter that costs next to nothing: a few places, and waiters first come, first served.
#[derive(Default)]
struct Places {
    free: u32,
    waiting: VecDeque<CallId>,
}

impl Admit for Places {
    fn admit(&mut self, ask: &Ask, _now: Nanos) -> Admission {
        if self.free == 0 {
            self.waiting.push_back(ask.call);
            return Admission::Parked(Waiter(0));
        }
        self.free -= 1;
        Admission::Granted(Permit(0))
    }
}

impl Places {
    /// Takes back what calls held, and lets others in.
    fn turn(&mut self, sched: &mut Sched) {
        while let Some(returned) = sched.pop_returned() {
            self.free += u32::from(!matches!(returned, Returned::Forgotten(_)));
        }
        while self.free > 0
            && let Some(id) = self.waiting.pop_front()
        {
            self.free -= u32::from(sched.granted(id, Permit(0)));
        }
    }
}

/// Limits with room for all calls, and with eight places: every call waits with the limiter once.
fn limited(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(10_000));
    for (row, free) in [("asks", 10_000), ("waits", 8)] {
        let mut rig = Rig::new(10_000);
        let mut places = Places {
            free,
            ..Places::default()
        };
        for call in &mut rig.calls {
            call.limits = Some(0);
        }
        group.bench_function(format!("limited_{row}/10000"), |bencher| {
            bencher.iter(|| {
                rig.submit(&[], Nanos(1));
                rig.run_limited(&mut places);
            });
        });
    }
    group.finish();
}

/// A hundred groups take turns.
fn grouped(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(10_000));
    let mut rig = Rig::new(100);
    group.bench_function("grouped/100x100", |bencher| {
        bencher.iter(|| {
            for _ in 0..100 {
                rig.submit(&[], Nanos(1));
            }
            rig.run(|| Nanos(1));
        });
    });
    group.finish();
}

fn cancel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("cancel_queued/10000", |bencher| {
        let mut rig = Rig::new(10_000);
        bencher.iter(|| {
            let batch = rig.submit(&[], Nanos(1));
            let target = Target::Batch(batch);
            rig.sched
                .cancel(target, Reason::Caller, Nanos(1), &mut rig.actions);
            while let Some(action) = rig.actions.pop() {
                black_box(action);
            }
        });
    });
    group.bench_function("cancel_suspended/10000", |bencher| {
        let mut rig = Rig::new(10_000);
        bencher.iter_batched(
            || (),
            |()| cancel_suspended(&mut rig),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Submit, start, suspend with an attempt timeout, cancel, throw, end.
fn cancel_suspended(rig: &mut Rig) {
    let batch = rig.submit(&[], Nanos(1));
    while let Some(call) = rig.sched.next(Nanos(1), &mut Unlimited, &mut rig.actions) {
        rig.sched.suspended(call.id, Nanos(1));
    }
    rig.sched.cancel(
        Target::Batch(batch),
        Reason::Caller,
        Nanos(1),
        &mut rig.actions,
    );
    while let Some(action) = rig.actions.pop() {
        if let Action::Throw(call) = action {
            black_box(
                rig.sched
                    .end(call.id, Verdict::Cancelled, Nanos(1), &mut rig.actions),
            );
        }
    }
}

criterion_group!(benches, flat, dag, gated, limited, grouped, cancel);
criterion_main!(benches);
