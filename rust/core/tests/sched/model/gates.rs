//! Gates: how many calls may be in flight at once, and who is woken.

use penstock_core::clock::Nanos;
use penstock_core::sched::{GateKind, Reason, Why};

use super::{Model, State, in_flight};

/// The lane of calls that nobody asked for.
pub const GUESS: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    Engine,
    Batch(usize),
    Tool(usize),
    Service(usize),
}

impl Gate {
    pub fn kind(self) -> GateKind {
        match self {
            Self::Engine => GateKind::Engine,
            Self::Batch(_) => GateKind::Batch,
            Self::Tool(_) => GateKind::Tool,
            Self::Service(_) => GateKind::Service,
        }
    }
}

#[derive(Clone, Debug)]
pub struct GateState {
    pub limit: u32,
    pub used: u32,
    pub woken: u32,
    pub aged: Nanos,
}

impl GateState {
    pub fn new(limit: Option<u32>) -> Self {
        Self {
            limit: limit.unwrap_or(u32::MAX),
            used: 0,
            woken: 0,
            aged: Nanos::ZERO,
        }
    }

    fn is_full(&self) -> bool {
        self.used >= self.limit
    }
}

impl Model {
    pub fn next(&mut self) -> Option<usize> {
        while let Some(call) = self.pop_ready() {
            let tool = &self.tools[self.calls[call].tool];
            if tool.detached >= self.max_detached {
                let why = Why::TooManyDetached {
                    limit: self.max_detached,
                };
                self.reject(call, why);
                continue;
            }
            let mut gates = self.gates_of(call).into_iter();
            if let Some(full) = gates.find(|gate| self.gates[gate].is_full()) {
                self.give_back(call);
                self.park(call, full);
            } else if self.passes_limits(call) {
                self.start(call);
                return Some(call);
            }
        }
        None
    }

    fn start(&mut self, call: usize) {
        for gate in self.gates_of(call) {
            self.gate(gate).used += 1;
        }
        for gate in std::mem::take(&mut self.calls[call].carries) {
            self.gate(gate).woken -= 1;
        }
        let group = self.group_of(call);
        self.groups[group].attained += 1_000;
        self.calls[call].state = State::Running;
        self.calls[call].stamp = self.now;
        if self.calls[call].priority == GUESS {
            self.guesses.push(call);
        }
    }

    fn park(&mut self, call: usize, full: Gate) {
        if self.is_locked_out(call, full) {
            self.reject(call, Why::WouldDeadlock { gate: full.kind() });
            return;
        }
        self.calls[call].state = State::Blocked; // neither here nor there, while others are woken
        if self.calls[call].carries.contains(&full) {
            self.calls[call].carries.retain(|gate| *gate != full);
            self.gate(full).woken -= 1;
        }
        self.pass_on(call, |gate| stands_for_all(gate, full));
        if self.waiting(full).is_empty() {
            self.gate(full).aged = Nanos::ZERO;
        }
        self.calls[call].state = State::Parked(full);
        if self.calls[call].priority != GUESS && full.kind() != GateKind::Batch {
            let holds = |guess: usize| self.gates_of(guess).contains(&full);
            self.make_room(self.cheapest(holds));
        }
    }

    /// Of the guesses that hold something, the one that is worth least; of equal ones the one that
    /// started last.
    pub fn cheapest(&self, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let free = |guess: &usize| self.calls[*guess].reason.is_none() && holds(*guess);
        let worth = |guess: &usize| self.batches[self.calls[*guess].batch].worth;
        self.guesses
            .iter()
            .copied()
            .rev()
            .filter(free)
            .min_by_key(worth)
    }

    pub fn make_room(&mut self, guess: Option<usize>) {
        if let Some(guess) = guess {
            self.cancel_call(guess, Reason::Preempted);
        }
    }

    pub fn pass_on(&mut self, call: usize, keep: impl Fn(Gate) -> bool) {
        for gate in self.calls[call].carries.clone() {
            if keep(gate) {
                continue;
            }
            self.calls[call].carries.retain(|carried| *carried != gate);
            self.gate(gate).woken -= 1;
            self.refill(gate, self.now);
        }
    }

    /// Every holder of the gate is a call inside which this one was submitted.
    fn is_locked_out(&self, call: usize, full: Gate) -> bool {
        let is_held = matches!(full, Gate::Tool(tool) if self.tools[tool].held.is_some());
        if full.kind() == GateKind::Batch || is_held {
            return false;
        }
        let holds = |parent: &usize| {
            in_flight(self.calls[*parent].state) && self.gates_of(*parent).contains(&full)
        };
        let held = self.ancestors(call).filter(holds).count();
        held > 0 && held == self.gates[&full].used as usize
    }

    /// The call inside which this one was submitted, the one around that, and so on.
    pub fn ancestors(&self, call: usize) -> impl Iterator<Item = usize> {
        let parent = |call: usize| {
            let parent = self.batches[self.calls[call].batch].parent;
            parent.filter(|parent| self.calls[*parent].state != State::Over)
        };
        std::iter::successors(parent(call), move |call| parent(*call))
    }

    pub fn leave_gates(&mut self, call: usize) {
        self.guesses.retain(|guess| *guess != call);
        let gate = Gate::Batch(self.calls[call].batch);
        self.gate(gate).used -= 1;
        self.released(gate);
        self.leave_shared(self.calls[call].tool);
    }

    pub fn leave_shared(&mut self, tool: usize) {
        for gate in self.shared_gates(tool) {
            self.gate(gate).used -= 1;
        }
        self.released(Gate::Engine);
        self.released(Gate::Tool(tool));
        if let Some(service) = self.tools[tool].service {
            self.released(Gate::Service(service));
        }
    }

    fn released(&mut self, gate: Gate) {
        let nested = self
            .batches
            .iter()
            .any(|batch| batch.depth > 0 && !batch.over);
        if !self.gates[&gate].is_full() {
            self.refill(gate, self.now);
        } else if nested && self.gates[&gate].used <= self.max_depth {
            while self.wake(gate, self.now) {}
        }
    }

    pub fn refill(&mut self, gate: Gate, now: Nanos) {
        let GateState {
            limit, used, woken, ..
        } = self.gates[&gate];
        for _ in woken..limit.saturating_sub(used) {
            if !self.wake(gate, now) {
                break;
            }
        }
    }

    pub fn wake(&mut self, gate: Gate, now: Nanos) -> bool {
        let Some(call) = self.pop_waiter(gate, now) else {
            return false;
        };
        self.gate(gate).woken += 1;
        self.calls[call].state = State::Ready;
        self.calls[call].carries.push(gate);
        self.calls[call].carries.sort_unstable();
        true
    }

    fn pop_waiter(&mut self, gate: Gate, now: Nanos) -> Option<usize> {
        let waiting = self.waiting(gate);
        let mut aged = self.gates[&gate].aged;
        self.age(&waiting, &mut aged, now);
        self.gate(gate).aged = aged;
        self.first_of(&waiting, now)
    }

    pub fn waiting(&self, gate: Gate) -> Vec<usize> {
        self.live(|state| state == State::Parked(gate))
    }

    pub fn gates_of(&self, call: usize) -> Vec<Gate> {
        let entry = &self.calls[call];
        let mut gates = self.shared_gates(entry.tool);
        gates.push(Gate::Batch(entry.batch));
        gates.sort_unstable();
        gates
    }

    /// The gates that all calls of a tool pass; attempts do not pass the engine's.
    fn shared_gates(&self, tool: usize) -> Vec<Gate> {
        let entry = &self.tools[tool];
        let mut gates = vec![Gate::Tool(tool)];
        gates.extend((!entry.is_attempt).then_some(Gate::Engine));
        gates.extend(entry.service.map(Gate::Service));
        gates
    }

    pub fn bound(&mut self, gate: Gate, limit: u32) {
        match gate {
            Gate::Tool(tool) if self.tools[tool].held.is_some() => {
                self.tools[tool].held = Some(limit);
            }
            _ => self.gate(gate).limit = limit,
        }
        self.refill(gate, Nanos::ZERO);
    }

    pub fn hold(&mut self, tool: usize) -> bool {
        let is_news = self.tools[tool].held.is_none();
        if is_news {
            self.tools[tool].held = Some(self.gates[&Gate::Tool(tool)].limit);
            self.gate(Gate::Tool(tool)).limit = 0;
        }
        is_news
    }

    pub fn release(&mut self, tool: usize) {
        if let Some(limit) = self.tools[tool].held.take() {
            self.gate(Gate::Tool(tool)).limit = limit;
            self.refill(Gate::Tool(tool), self.now);
        }
    }

    pub fn refuse_held(&mut self, tool: usize) -> u32 {
        let gate = Gate::Tool(tool);
        let mut refused = 0;
        while self.tools[tool].held.is_some()
            && let Some(call) = self.pop_waiter(gate, self.now)
        {
            self.calls[call].state = State::Blocked;
            self.reject(call, Why::Held);
            refused += 1;
        }
        refused
    }

    pub fn gate(&mut self, gate: Gate) -> &mut GateState {
        self.gates.get_mut(&gate).expect("every gate was opened")
    }

    pub fn try_enter(&mut self, tool: usize) -> bool {
        let entry = &self.tools[tool];
        let gates = self.shared_gates(tool);
        let open = |gate: &Gate| {
            let state = &self.gates[gate];
            !state.is_full() && state.woken == 0 && self.waiting(*gate).is_empty()
        };
        let enters = entry.detached < self.max_detached && gates.iter().all(open);
        if enters {
            for gate in gates {
                self.gate(gate).used += 1;
            }
        }
        enters
    }
}

fn stands_for_all(gate: Gate, full: Gate) -> bool {
    match full.kind() {
        GateKind::Engine => matches!(gate.kind(), GateKind::Tool | GateKind::Batch),
        GateKind::Service => gate.kind() == GateKind::Tool,
        _ => false,
    }
}
