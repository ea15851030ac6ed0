//! A story: random steps, told to the scheduler and to the model alike.

mod limiter;

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::num::NonZeroU32;

use self::limiter::Door;
use crate::model::{
    Action, Ask, End, Gate, GateState, Limiter, Model, NewBatch, State, Timers, Tool,
};
use crate::steps::Step;
use penstock_core::clock::Nanos;
use penstock_core::sched::{
    self, Actions, BatchId, BatchSpec, CallId, CallSpec, Ended, Reason, Sched, SchedConfig,
    ServiceId, Status, Target, ToolId, ToolSpec, Verdict,
};

const MAX_DETACHED: u32 = 2;
const TOOLS: usize = 6;

pub struct Story {
    sched: Sched,
    limiter: Limiter,
    /// Whether the limiter tells what it decides after each step.
    answers: bool,
    asks: Vec<(Ask, u64)>,
    turns: BTreeMap<u64, usize>,
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
    pub fn new(parallel: Option<u32>) -> Self {
        let config = SchedConfig {
            max_pending: 10_000,
            max_parallel: parallel.and_then(NonZeroU32::new),
            max_detached: MAX_DETACHED,
            max_depth: 8,
        };
        let mut sched = Sched::new(config);
        sched.add_service(NonZeroU32::new(3));
        let mut gates = BTreeMap::from([
            (Gate::Engine, GateState::new(parallel)),
            (Gate::Service(0), GateState::new(Some(3))),
        ]);
        let tools = (0..TOOLS)
            .map(|number| add_tool(&mut sched, &mut gates, number))
            .collect();
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
            limiter: Limiter::default(),
            asks: Vec::new(),
            returned: Vec::new(),
            guesses: Vec::new(),
            actions: Vec::new(),
        };
        Self {
            sched,
            limiter: Limiter::default(),
            answers: true,
            asks: Vec::new(),
            turns: BTreeMap::new(),
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
        match step {
            Step::Submit(new, parent) => self.submit(new, *parent),
            Step::Start(count) => (0..*count).for_each(|_| self.start()),
            Step::Suspend(pick) => self.suspend(*pick),
            Step::Sleep(pick, ms) => self.sleep(*pick, *ms),
            Step::End(pick, verdict) => {
                if let Some(call) = self.pick_in_flight(*pick) {
                    self.end(call, *verdict);
                }
            }
            Step::EndAny(pick, verdict) => {
                if let Some(call) = self.pick_any(*pick) {
                    self.end(call, *verdict);
                }
            }
            Step::CancelCall(pick) => self.cancel_call(*pick),
            Step::CancelBranch(pick, branch) => self.cancel_branch(*pick, *branch),
            Step::CancelBatch(pick) => self.cancel_batch(*pick),
            Step::CancelAll => self.cancel_all(),
            Step::Commit(pick, branch) => self.commit(*pick, *branch),
            Step::LetGo(pick, calls) => {
                if let Some(batch) = self.pick_batch(*pick) {
                    self.let_go(batch, calls);
                }
            }
            Step::Pass(ms) => self.pass(*ms),
            Step::Bound(tool, limit) => self.bound(Gate::Tool(*tool), *limit),
            Step::BoundService(limit) => self.bound(Gate::Service(0), *limit),
            Step::Hold(tool) => self.hold(*tool),
            Step::Release(tool) => self.release(*tool),
            Step::RefuseHeld(tool) => self.refuse_held(*tool),
            Step::Enter(tool) => self.enter(*tool),
            Step::Leave(pick) => {
                if !self.entered.is_empty() {
                    let (tool, started) = self.entered.remove(pick % self.entered.len());
                    self.leave(tool, started);
                }
            }
            Step::Refuse(pick) => {
                self.limiter.refuse(*pick);
                self.model.limiter.refuse(*pick);
            }
            Step::Answer(answers) => self.answers = *answers,
        }
        self.visit_limiter();
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
        }
        (0..TOOLS).for_each(|tool| self.release(tool));
        (0..self.batches.len()).for_each(|batch| self.let_go(batch, &[0, 1, 2, 3, 4, 5, 6, 7, 8]));
        self.answers = true;
        for _ in 0..10_000 {
            self.visit_limiter();
            self.start();
            self.check();
            if let Some(call) = self.pick_in_flight(0) {
                self.end(call, Verdict::Returned);
                self.check();
            } else if !self.sched.has_ready() && !self.sched.has_returned() {
                break;
            }
        }
        assert_eq!(self.sched.pending(), 0, "calls are stuck");
        assert_eq!(self.sched.in_flight(), 0);
        assert_eq!(self.sched.next_due(), None);
        assert!(!self.sched.has_ready());
        let statistics = self.sched.statistics();
        assert_eq!((statistics.batches, statistics.groups), (0, 0));
        assert!(self.limiter.is_at_rest(), "permits are conserved");
        self.outcomes.sort_unstable();
        assert!(
            self.outcomes.iter().copied().eq(0..self.ids.len()),
            "one outcome a call"
        );
        for (number, tool) in self.model.tools.iter().enumerate() {
            let statistics = self.sched.tool_statistics(tool_id(number)).unwrap();
            assert_eq!(statistics.counters.by_status, tool.ends);
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
                tool: tool_id(call.tool),
                priority: call.priority,
                branch: call.branch,
                timeout: call.timeout,
                limits: call.limits,
                since: None,
            })
            .collect();
        let spec = BatchSpec {
            calls: &calls,
            edges: &new.edges,
            held: &new.held,
            branches: new.branches,
            group: new.group,
            worth: new.worth,
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
        let mut door = Door {
            limiter: &mut self.limiter,
            numbers: &self.numbers,
            asks: &mut self.asks,
        };
        let started = self.sched.next(now, &mut door, &mut self.actions);
        let expected = self.model.next();
        self.check_asks();
        let started = started.map(|call| self.numbers[&call.id]);
        self.trace.push(format!("start {started:?}"));
        assert_eq!(started, expected);
        let Some(call) = started else { return };
        for gate in self.model.gates_of(call) {
            let GateState { limit, used, .. } = self.model.gates[&gate];
            assert!(used <= limit, "above {gate:?}");
        }
        let waits = self.model.calls[call].parents;
        assert_eq!(waits, 0, "before its parents, or while it was held");
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

    fn suspend(&mut self, pick: usize) {
        if let Some(call) = self.pick_in_flight(pick) {
            self.sched.suspended(self.ids[call], self.model.now);
            self.model.suspended(call);
        }
    }

    fn sleep(&mut self, pick: usize, ms: u64) {
        if let Some(call) = self.pick_in_flight(pick) {
            let due = self.model.now.saturating_add(Nanos::from_millis(ms));
            self.sched.sleep(self.ids[call], due);
            self.model.sleep(call, due);
        }
    }

    fn cancel_call(&mut self, pick: usize) {
        if let Some(call) = self.pick_any(pick) {
            let expected = self.model.cancel_call(call, Reason::Caller);
            self.cancel(Target::Call(self.ids[call]), Reason::Caller, expected);
        }
    }

    fn cancel_branch(&mut self, pick: usize, branch: u32) {
        if let Some(batch) = self.pick_batch(pick) {
            let expected = self.model.cancel_branch(batch, branch, Reason::Branch);
            let target = Target::Branch(self.batches[batch], branch);
            self.cancel(target, Reason::Branch, expected);
        }
    }

    fn cancel_batch(&mut self, pick: usize) {
        if let Some(batch) = self.pick_batch(pick) {
            let expected = self.model.cancel_batch(batch, Reason::Preempted);
            let target = Target::Batch(self.batches[batch]);
            self.cancel(target, Reason::Preempted, expected);
        }
    }

    fn commit(&mut self, pick: usize, branch: u32) {
        if let Some(batch) = self.pick_batch(pick) {
            let expected = !self.model.batches[batch].over && self.model.commit(batch, branch);
            let (id, now) = (self.batches[batch], self.model.now);
            let committed = self.sched.commit(id, branch, now, &mut self.actions);
            assert_eq!(committed, expected);
        }
    }

    fn let_go(&mut self, batch: usize, calls: &[u32]) {
        let expected = self.model.release_calls(batch, calls);
        let (id, now) = (self.batches[batch], self.model.now);
        assert_eq!(self.sched.release(id, calls, now), expected);
    }

    fn bound(&mut self, gate: Gate, limit: Option<u32>) {
        self.model.bound(gate, limit.unwrap_or(u32::MAX));
        let limit = limit.and_then(NonZeroU32::new);
        match gate {
            Gate::Tool(tool) => self.sched.set_tool_concurrency(tool_id(tool), limit),
            _ => self.sched.set_service_concurrency(ServiceId(0), limit),
        }
    }

    fn hold(&mut self, tool: usize) {
        let expected = self.model.hold(tool);
        assert_eq!(self.sched.hold_tool(tool_id(tool)), expected);
    }

    fn release(&mut self, tool: usize) {
        self.model.release(tool);
        self.sched.release_tool(tool_id(tool), self.model.now);
    }

    fn refuse_held(&mut self, tool: usize) {
        let expected = self.model.refuse_held(tool);
        let now = self.model.now;
        let refused = self
            .sched
            .refuse_held(tool_id(tool), now, &mut self.actions);
        assert_eq!(refused, expected);
    }

    fn enter(&mut self, tool: usize) {
        let expected = self.model.try_enter(tool);
        assert_eq!(self.sched.try_enter(tool_id(tool)), expected);
        self.entered
            .extend(expected.then_some((tool, self.model.now)));
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
        self.model.leave_shared(tool);
        self.model.tools[tool].ends[Status::Ok as usize] += 1;
        let id = tool_id(tool);
        let now = self.model.now;
        self.sched
            .leave(id, Status::Ok, started, now, &mut self.actions);
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

    fn pick_any(&self, pick: usize) -> Option<usize> {
        (!self.ids.is_empty()).then(|| pick % self.ids.len())
    }

    fn pick_batch(&self, pick: usize) -> Option<usize> {
        (!self.batches.is_empty()).then(|| pick % self.batches.len())
    }
}

/// Six tools: plain; bounded; bounded in a service; in the service; bounded more widely; attempts in
/// the service.
fn add_tool(sched: &mut Sched, gates: &mut BTreeMap<Gate, GateState>, number: usize) -> Tool {
    let (bound, served) = [
        (None, false),
        (Some(2), false),
        (Some(2), true),
        (None, true),
        (Some(3), false),
        (None, true),
    ][number];
    let timeout = (number % 2 == 1).then(|| Nanos::from_millis(700));
    let grace = Nanos::from_millis(100 * (number as u64 % 3));
    sched.add_tool(ToolSpec {
        concurrency: bound.and_then(NonZeroU32::new),
        service: served.then_some(ServiceId(0)),
        timeout,
        grace,
        is_attempt: number == 5,
    });
    gates.insert(Gate::Tool(number), GateState::new(bound));
    Tool {
        service: served.then_some(0),
        timeout,
        grace,
        is_attempt: number == 5,
        held: None,
        detached: 0,
        ends: [0; 6],
    }
}

fn tool_id(number: usize) -> ToolId {
    ToolId(u32::try_from(number).unwrap())
}

fn public(state: State) -> Option<sched::State> {
    Some(match state {
        State::Blocked => sched::State::Blocked,
        State::Ready => sched::State::Ready,
        State::Parked(_) | State::AtLimits => sched::State::Parked,
        State::Running => sched::State::Running,
        State::Suspended => sched::State::Suspended,
        State::Cancelling => sched::State::Cancelling,
        State::Detached => sched::State::Detached,
        State::Over => return None,
    })
}
