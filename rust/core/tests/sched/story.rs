//! A story: random steps, told to the scheduler and to the model alike.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::num::NonZeroU32;

use penstock_core::clock::Nanos;
use penstock_core::sched::{
    self, Actions, BatchId, BatchSpec, CallId, CallSpec, Ended, Reason, Sched, SchedConfig,
    ServiceId, Status, Target, ToolId, ToolSpec, Verdict,
};
use proptest::prelude::*;

use crate::model::{
    Action, End, Gate, GateState, Limiter, Model, NewBatch, NewCall, State, Timers, Tool,
};

const MAX_DETACHED: u32 = 2;

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
    Pass(u64),
    Bound(usize, Option<u32>),
    BoundService(Option<u32>),
    Enter(usize),
    Leave(usize),
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Returned),
        1 => Just(Verdict::Raised),
        1 => Just(Verdict::Cancelled),
        1 => Just(Verdict::Rejected),
    ]
}

fn timeout() -> impl Strategy<Value = Option<Nanos>> {
    prop_oneof![5 => Just(None), 1 => (1_u64..3_000).prop_map(|ms| Some(Nanos::from_millis(ms)))]
}

fn new_call(branches: u32) -> impl Strategy<Value = NewCall> {
    let priority = prop_oneof![4 => Just(4_u8), 3 => 0_u8..=10];
    (0_usize..5, priority, 0..=branches, timeout()).prop_map(|(tool, priority, branch, timeout)| {
        NewCall {
            tool,
            priority,
            branch,
            timeout,
        }
    })
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
    let options = (
        proptest::option::of(0_u64..3),
        proptest::option::weighted(0.3, 1_u32..4),
        proptest::bool::weighted(0.2),
        timeout(),
    );
    (calls, edges, options).prop_map(|((branches, calls), edges, options)| {
        let (group, max_parallel, fail_fast, timeout) = options;
        let edges = forward(&edges, u32::try_from(calls.len()).unwrap());
        NewBatch {
            calls,
            edges,
            branches,
            group,
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
        6 => prop_oneof![0_u64..50, 200_u64..1_500, 1_000_u64..4_000].prop_map(Step::Pass),
        2 => (0_usize..5, proptest::option::of(1_u32..4))
            .prop_map(|(tool, limit)| Step::Bound(tool, limit)),
        1 => proptest::option::of(1_u32..4).prop_map(Step::BoundService),
        2 => (0_usize..5).prop_map(Step::Enter),
        2 => pick.prop_map(Step::Leave),
    ];
    proptest::collection::vec(step, 1..60)
}

pub struct Story {
    sched: Sched,
    limiter: Limiter,
    model: Model,
    ids: Vec<CallId>,
    seen: HashSet<CallId>,
    batches: Vec<BatchId>,
    numbers: BTreeMap<CallId, usize>,
    actions: Actions,
    entered: Vec<(usize, Nanos)>,
    outcomes: Vec<usize>,
    pub trace: Vec<String>,
}

impl Story {
    /// Five tools: plain; bounded; bounded in a service; in the service with limits; limits alone.
    pub fn new(parallel: Option<u32>) -> Self {
        let config = SchedConfig {
            max_pending: 10_000,
            max_parallel: parallel.and_then(NonZeroU32::new),
            max_detached: MAX_DETACHED,
            max_depth: 8,
        };
        let mut sched = Sched::new(config);
        let service = sched.add_service(NonZeroU32::new(3));
        let mut gates = BTreeMap::from([
            (Gate::Engine, GateState::new(parallel)),
            (Gate::Service(0), GateState::new(Some(3))),
            (Gate::Limits(0), GateState::new(None)),
            (Gate::Limits(1), GateState::new(None)),
        ]);
        let mut tools = Vec::new();
        for (number, (bound, served, limits)) in [
            (None, false, None),
            (Some(2), false, None),
            (Some(2), true, None),
            (None, true, Some((0, 1))),
            (Some(3), false, Some((1, 2))),
        ]
        .into_iter()
        .enumerate()
        {
            let timeout = (number % 2 == 1).then(|| Nanos::from_millis(700));
            let grace = Nanos::from_millis(100 * (number as u64 % 3));
            let concurrency = bound.and_then(NonZeroU32::new);
            let service = served.then_some(service);
            let tool = sched.add_tool(ToolSpec {
                concurrency,
                service,
                timeout,
                grace,
            });
            if let Some((set, cost)) = limits {
                sched.limit_tool(tool, Some(set), cost);
            }
            gates.insert(Gate::Tool(number), GateState::new(bound));
            let service = served.then_some(0);
            let (detached, ends) = (0, [0; 6]);
            tools.push(Tool {
                service,
                limits,
                timeout,
                grace,
                detached,
                ends,
            });
        }
        let model = Model {
            now: Nanos::from_secs(5),
            max_detached: MAX_DETACHED,
            max_depth: 8,
            calls: Vec::new(),
            batches: Vec::new(),
            groups: Vec::new(),
            tools,
            gates,
            ready_aged: Nanos::ZERO,
            timers: Timers::default(),
            limiter: Limiter::new(),
            settled: Vec::new(),
            actions: Vec::new(),
        };
        Self {
            sched,
            limiter: Limiter::new(),
            model,
            ids: Vec::new(),
            seen: HashSet::new(),
            batches: Vec::new(),
            numbers: BTreeMap::new(),
            actions: Actions::new(),
            entered: Vec::new(),
            outcomes: Vec::new(),
            trace: Vec::new(),
        }
    }

    pub fn play(&mut self, step: &Step) {
        let now = self.model.now;
        match step {
            Step::Submit(new, parent) => self.submit(new, *parent),
            Step::Start(count) => (0..*count).for_each(|_| self.start()),
            Step::Suspend(pick) => {
                if let Some(call) = self.pick_in_flight(*pick) {
                    self.sched.suspended(self.ids[call], now);
                    self.model.suspended(call);
                }
            }
            Step::Sleep(pick, ms) => {
                if let Some(call) = self.pick_in_flight(*pick) {
                    let due = now.saturating_add(Nanos::from_millis(*ms));
                    self.sched.sleep(self.ids[call], due);
                    self.model.sleep(call, due);
                }
            }
            Step::End(pick, verdict) => {
                if let Some(call) = self.pick_in_flight(*pick) {
                    self.end(call, *verdict);
                }
            }
            Step::EndAny(pick, verdict) => {
                if !self.ids.is_empty() {
                    self.end(pick % self.ids.len(), *verdict);
                }
            }
            Step::CancelCall(pick) => {
                if !self.ids.is_empty() {
                    let call = pick % self.ids.len();
                    let expected = self.model.cancel_call(call, Reason::Caller);
                    self.cancel(Target::Call(self.ids[call]), Reason::Caller, expected);
                }
            }
            Step::CancelBranch(pick, branch) => {
                if let Some(batch) = self.pick_batch(*pick) {
                    let expected = self.model.cancel_branch(batch, *branch, Reason::Branch);
                    let target = Target::Branch(self.batches[batch], *branch);
                    self.cancel(target, Reason::Branch, expected);
                }
            }
            Step::CancelBatch(pick) => {
                if let Some(batch) = self.pick_batch(*pick) {
                    let expected = self.model.cancel_batch(batch, Reason::Preempted);
                    self.cancel(
                        Target::Batch(self.batches[batch]),
                        Reason::Preempted,
                        expected,
                    );
                }
            }
            Step::CancelAll => self.cancel_all(),
            Step::Commit(pick, branch) => {
                if let Some(batch) = self.pick_batch(*pick) {
                    let id = self.batches[batch];
                    let over = self.model.batches[batch].over;
                    let expected = !over && self.model.commit(batch, *branch);
                    let committed = self.sched.commit(id, *branch, now, &mut self.actions);
                    assert_eq!(committed, expected);
                }
            }
            Step::Pass(ms) => self.pass(*ms),
            Step::Bound(tool, limit) => {
                self.model.gate(Gate::Tool(*tool)).limit = limit.unwrap_or(u32::MAX);
                self.model.refill(Gate::Tool(*tool), Nanos::ZERO);
                let id = ToolId(u32::try_from(*tool).unwrap());
                self.sched
                    .set_tool_concurrency(id, limit.and_then(NonZeroU32::new));
            }
            Step::BoundService(limit) => {
                self.model.gate(Gate::Service(0)).limit = limit.unwrap_or(u32::MAX);
                self.model.refill(Gate::Service(0), Nanos::ZERO);
                let limit = limit.and_then(NonZeroU32::new);
                self.sched.set_service_concurrency(ServiceId(0), limit);
            }
            Step::Enter(tool) => {
                let expected = self.model.try_enter(*tool);
                let id = ToolId(u32::try_from(*tool).unwrap());
                assert_eq!(self.sched.try_enter(id), expected);
                self.entered.extend(expected.then_some((*tool, now)));
            }
            Step::Leave(pick) => {
                if !self.entered.is_empty() {
                    let (tool, started) = self.entered.remove(pick % self.entered.len());
                    self.leave(tool, started);
                }
            }
        }
        self.settle();
    }

    /// Both tell the same.
    pub fn check(&mut self) {
        let told: Vec<Action> = self.told();
        assert_eq!(told, self.model.take_actions());
        for (call, id) in self.ids.iter().enumerate() {
            let expected = public(self.model.calls[call].state);
            assert_eq!(self.sched.state(*id), expected, "call {call}");
        }
        assert_eq!(self.sched.pending() as usize, self.model.pending());
        assert_eq!(self.sched.in_flight(), self.model.gates[&Gate::Engine].used);
        let expected = self.model.timers.next_due();
        assert_eq!(self.sched.next_due().is_some(), expected.is_some());
        assert!(self.sched.next_due() <= expected, "a timer would be late");
        assert_eq!(
            self.sched.statistics().timers as usize,
            self.model.timers.len()
        );
        for gate in [Gate::Engine, Gate::Tool(1), Gate::Service(0)] {
            let GateState {
                limit, used, woken, ..
            } = self.model.gates[&gate];
            let waiting = self.model.waiting(gate).len();
            assert!(
                waiting == 0 || woken >= limit.saturating_sub(used),
                "forgotten at {gate:?}"
            );
        }
    }

    /// Ends all that is left: nothing may be stuck, and every call has had one outcome.
    pub fn finish(&mut self) {
        while let Some((tool, started)) = self.entered.pop() {
            self.leave(tool, started);
            self.settle();
        }
        for _ in 0..10_000 {
            self.start();
            self.settle();
            self.check();
            let Some(call) = self.pick_in_flight(0) else {
                break;
            };
            self.end(call, Verdict::Returned);
            self.settle();
            self.check();
        }
        assert_eq!(self.sched.pending(), 0, "calls are stuck");
        assert_eq!(self.sched.in_flight(), 0);
        assert_eq!(self.sched.next_due(), None);
        assert!(!self.sched.has_ready());
        let statistics = self.sched.statistics();
        assert_eq!((statistics.batches, statistics.groups), (0, 0));
        assert_eq!(
            self.limiter.free,
            Limiter::new().free,
            "permits are conserved"
        );
        self.outcomes.sort_unstable();
        assert!(
            self.outcomes.iter().copied().eq(0..self.ids.len()),
            "one outcome a call"
        );
        for (number, tool) in self.model.tools.iter().enumerate() {
            let id = ToolId(u32::try_from(number).unwrap());
            let counters = self.sched.tool_statistics(id).unwrap().counters;
            assert_eq!(counters.by_status, tool.ends);
        }
    }

    fn submit(&mut self, new: &NewBatch, parent: Option<usize>) {
        let parent = parent.and_then(|pick| self.pick_in_flight(pick));
        let too_deep = parent.is_some_and(|parent| {
            self.model.batches[self.model.calls[parent].batch].depth >= self.model.max_depth
        });
        let new = NewBatch {
            parent: parent.filter(|_| !too_deep),
            ..new.clone()
        };
        let calls: Vec<CallSpec> = new
            .calls
            .iter()
            .map(|call| CallSpec {
                tool: ToolId(u32::try_from(call.tool).unwrap()),
                priority: call.priority,
                branch: call.branch,
                timeout: call.timeout,
            })
            .collect();
        let spec = BatchSpec {
            calls: &calls,
            edges: &new.edges,
            branches: new.branches,
            group: new.group,
            max_parallel: new.max_parallel.and_then(NonZeroU32::new),
            fail_fast: new.fail_fast,
            timeout: new.timeout,
            parent: new.parent.map(|parent| self.ids[parent]),
        };
        let batch = self.sched.submit(&spec, self.model.now).unwrap();
        self.model.submit(&new);
        self.batches.push(batch);
        for index in 0..u32::try_from(calls.len()).unwrap() {
            let id = self.sched.call_at(batch, index).unwrap();
            assert!(self.seen.insert(id), "an id came twice");
            self.numbers.insert(id, self.ids.len());
            self.ids.push(id);
        }
    }

    fn start(&mut self) {
        let now = self.model.now;
        let started = self.sched.next(now, &mut self.limiter, &mut self.actions);
        let expected = self.model.next();
        let started = started.map(|call| self.numbers[&call.id]);
        self.trace.push(format!("start {started:?}"));
        assert_eq!(started, expected);
        let Some(call) = started else { return };
        for gate in self.model.gates_of(call) {
            let GateState { limit, used, .. } = self.model.gates[&gate];
            assert!(used <= limit, "above {gate:?}");
        }
        assert_eq!(self.model.calls[call].parents, 0, "before its parents");
    }

    fn end(&mut self, call: usize, verdict: Verdict) {
        let now = self.model.now;
        let ended = self
            .sched
            .end(self.ids[call], verdict, now, &mut self.actions);
        let expected = self.model.end(call, verdict);
        let ended = ended.map(|ended| self.number(&ended));
        assert_eq!(ended, expected);
        self.outcomes.extend(ended.map(|end| end.call));
        self.trace.push(format!("end {ended:?}"));
    }

    fn cancel(&mut self, target: Target, reason: Reason, expected: usize) {
        let count = self
            .sched
            .cancel(target, reason, self.model.now, &mut self.actions);
        assert_eq!(count as usize, expected);
    }

    /// The scheduler goes by the place of its batch records, so the model is asked in that order.
    fn cancel_all(&mut self) {
        let mut open: Vec<usize> = (0..self.batches.len()).collect();
        open.retain(|batch| !self.model.batches[*batch].over);
        open.sort_by_key(|batch| self.batches[*batch].place());
        let counts = open
            .iter()
            .map(|batch| self.model.cancel_batch(*batch, Reason::Shutdown));
        let expected = counts.collect::<Vec<usize>>().into_iter().sum();
        self.cancel(Target::All, Reason::Shutdown, expected);
    }

    fn pass(&mut self, ms: u64) {
        self.model.now = self.model.now.saturating_add(Nanos::from_millis(ms));
        self.model.expire();
        self.sched.expire(self.model.now, &mut self.actions);
    }

    fn leave(&mut self, tool: usize, started: Nanos) {
        let service = self.model.tools[tool].service.map(Gate::Service);
        self.model.leave_shared(Gate::Tool(tool), service);
        self.model.tools[tool].ends[Status::Ok as usize] += 1;
        let id = ToolId(u32::try_from(tool).unwrap());
        let now = self.model.now;
        self.sched
            .leave(id, Status::Ok, started, now, &mut self.actions);
    }

    /// Permits that came back let the limiter admit somebody else.
    fn settle(&mut self) {
        let expected = std::mem::take(&mut self.model.settled);
        let mut settled = Vec::new();
        while let Some(permit) = self.sched.pop_settled() {
            settled.push(permit.0);
            let set = self.limiter.settle(permit.0);
            assert_eq!(self.model.limiter.settle(permit.0), set);
            self.sched.release(set, 1, self.model.now);
            self.model.wake(Gate::Limits(set), self.model.now);
        }
        assert_eq!(settled, expected);
    }

    fn told(&mut self) -> Vec<Action> {
        let mut told = Vec::new();
        while let Some(action) = self.actions.pop() {
            let action = match action {
                sched::Action::Throw(call) => Action::Throw(self.numbers[&call.id]),
                sched::Action::MustCancel(call) => Action::MustCancel(self.numbers[&call.id]),
                sched::Action::Resume(call) => Action::Resume(self.numbers[&call.id]),
                sched::Action::Ended { ended, why } => Action::Ended(self.number(&ended), why),
                sched::Action::Detached { ended } => Action::Detached(self.number(&ended)),
                sched::Action::BatchEnded(id) => {
                    let batch = self.batches.iter().position(|batch| *batch == id);
                    Action::BatchEnded(batch.unwrap())
                }
            };
            if let Action::Ended(end, _) | Action::Detached(end) = action {
                self.outcomes.push(end.call);
            }
            self.trace.push(format!("{action:?}"));
            told.push(action);
        }
        told
    }

    fn number(&self, ended: &Ended) -> End {
        let call = self.numbers[&ended.call.id];
        let Ended {
            status,
            late,
            detached,
            reason,
            started,
            ..
        } = *ended;
        let batch = &self.model.batches[self.model.calls[call].batch];
        assert_eq!(ended.submitted, batch.submitted);
        End {
            call,
            status,
            late,
            detached,
            reason,
            started,
        }
    }

    fn pick_in_flight(&self, pick: usize) -> Option<usize> {
        let calls = self.model.in_flight();
        calls.get(pick % calls.len().max(1)).copied()
    }

    fn pick_batch(&self, pick: usize) -> Option<usize> {
        (!self.batches.is_empty()).then(|| pick % self.batches.len())
    }
}

fn public(state: State) -> Option<sched::State> {
    Some(match state {
        State::Blocked => sched::State::Blocked,
        State::Ready => sched::State::Ready,
        State::Parked(_) => sched::State::Parked,
        State::Running => sched::State::Running,
        State::Suspended => sched::State::Suspended,
        State::Cancelling => sched::State::Cancelling,
        State::Detached => sched::State::Detached,
        State::Over => return None,
    })
}
