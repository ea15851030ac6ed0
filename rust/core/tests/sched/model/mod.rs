//! The scheduler written a second time, for the reader: lists that are searched from end to end,
//! no slab, no heap, no wheel. It knows calls by number, in the order of their submission.

mod clock;
mod ends;
mod gates;
mod limits;
mod order;
mod release;

use std::collections::BTreeMap;

pub use clock::Timers;
pub use gates::{Gate, GateState};
pub use limits::{Ask, Limiter, Returned};
use penstock_core::clock::Nanos;
use penstock_core::sched::{Reason, Status, Why};

/// Where a call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Blocked,
    Ready,
    Parked(Gate),
    AtLimits,
    Running,
    Suspended,
    Cancelling,
    Detached,
    Over,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub batch: usize,
    pub index: usize,
    pub tool: usize,
    pub priority: u8,
    pub lane: u8,
    pub branch: u32,
    pub rank: (std::cmp::Reverse<usize>, usize),
    /// What it waits for: parents that have not ended, and one more while it is held.
    pub parents: usize,
    pub held: bool,
    pub children: Vec<usize>,
    pub state: State,
    pub stamp: Nanos,
    pub reason: Option<Reason>,
    /// Gates that woke it and count on it.
    pub carries: Vec<Gate>,
    pub timer: Option<u64>,
    pub attempt_timer: bool,
    pub sleep: Option<u64>,
    pub limits: Option<u32>,
    pub waiter: Option<u32>,
    pub permit: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub first: usize,
    pub calls: usize,
    pub group: usize,
    pub worth: u64,
    pub submitted: Nanos,
    pub fail_fast: bool,
    pub parent: Option<usize>,
    pub depth: u32,
    pub timer: Option<u64>,
    /// `None`: open. The first branch has number 1.
    pub branches: Vec<Option<bool>>,
    pub ended: bool,
    pub over: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub key: Option<u64>,
    pub attained: u64,
    pub batches: usize,
}

#[derive(Clone, Debug)]
pub struct Tool {
    pub service: Option<usize>,
    pub timeout: Option<Nanos>,
    pub grace: Nanos,
    pub is_attempt: bool,
    /// The bound of its gate, while it is held.
    pub held: Option<u32>,
    pub detached: u32,
    pub ends: [u64; 6],
}

/// What the model says of an end, by number instead of by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub call: usize,
    pub status: Status,
    pub late: bool,
    pub detached: bool,
    pub reason: Option<Reason>,
    pub started: Option<Nanos>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Throw(usize),
    MustCancel(usize),
    Resume(usize),
    Ended(End, Why),
    Detached(End),
    BatchEnded(usize),
}

pub struct Model {
    pub now: Nanos,
    pub max_detached: u32,
    pub max_depth: u32,
    pub calls: Vec<Call>,
    pub batches: Vec<Batch>,
    pub groups: Vec<Group>,
    pub tools: Vec<Tool>,
    pub gates: BTreeMap<Gate, GateState>,
    pub ready_aged: Nanos,
    pub timers: Timers,
    pub limiter: Limiter,
    pub asks: Vec<Ask>,
    pub returned: Vec<Returned>,
    pub actions: Vec<Action>,
    /// Calls in flight that nobody asked for, in the order of their starts.
    pub guesses: Vec<usize>,
}

/// A batch as the story tells it.
#[derive(Clone, Debug)]
pub struct NewBatch {
    pub calls: Vec<NewCall>,
    pub edges: Vec<(u32, u32)>,
    pub held: Vec<u32>,
    pub branches: u32,
    pub group: Option<u64>,
    pub worth: u64,
    pub max_parallel: Option<u32>,
    pub fail_fast: bool,
    pub timeout: Option<Nanos>,
    pub parent: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct NewCall {
    pub tool: usize,
    pub priority: u8,
    pub branch: u32,
    pub timeout: Option<Nanos>,
    pub limits: Option<u32>,
}

impl Model {
    pub fn live(&self, state: impl Fn(State) -> bool) -> Vec<usize> {
        (0..self.calls.len())
            .filter(|call| state(self.calls[*call].state))
            .collect()
    }

    pub fn in_flight(&self) -> Vec<usize> {
        self.live(in_flight)
    }

    pub fn pending(&self) -> usize {
        self.live(|state| state != State::Over).len()
    }

    pub fn batch_calls(&self, batch: usize) -> std::ops::Range<usize> {
        let Batch { first, calls, .. } = self.batches[batch];
        first..first + calls
    }

    pub fn submit(&mut self, new: &NewBatch) {
        let batch = self.batches.len();
        let first = self.calls.len();
        let parent = new
            .parent
            .filter(|parent| self.calls[*parent].state != State::Over);
        let depth = parent.map_or(0, |parent| self.batches[self.calls[parent].batch].depth + 1);
        let group = self.join_group(new.group);
        self.gates
            .insert(Gate::Batch(batch), GateState::new(new.max_parallel));
        let timer = new.timeout.map(|timeout| {
            self.timers.catch_up(self.now);
            self.timers
                .arm(self.now.saturating_add(timeout), clock::Due::Batch(batch))
        });
        self.batches.push(Batch {
            first,
            calls: new.calls.len(),
            group,
            worth: new.worth,
            submitted: self.now,
            fail_fast: new.fail_fast,
            parent,
            depth,
            timer,
            branches: vec![None; new.branches as usize],
            ended: false,
            over: false,
        });
        for (index, spec) in new.calls.iter().enumerate() {
            self.push_call(batch, index, spec, new);
        }
    }

    fn push_call(&mut self, batch: usize, index: usize, spec: &NewCall, new: &NewBatch) {
        let first = self.batches[batch].first;
        let parents = new
            .edges
            .iter()
            .filter(|(_, child)| *child as usize == index)
            .count();
        let held = new.held.iter().any(|call| *call as usize == index);
        let parents = parents + usize::from(held);
        let children = new
            .edges
            .iter()
            .filter(|(parent, _)| *parent as usize == index);
        let children = children.map(|(_, child)| first + *child as usize).collect();
        let height = if new.edges.is_empty() {
            0
        } else {
            height(index, &new.edges)
        };
        let call = self.calls.len();
        self.calls.push(Call {
            batch,
            index,
            tool: spec.tool,
            priority: spec.priority,
            lane: spec.priority,
            branch: spec.branch,
            rank: (std::cmp::Reverse(height), index),
            parents,
            held,
            children,
            state: if parents == 0 {
                State::Ready
            } else {
                State::Blocked
            },
            stamp: self.now,
            reason: None,
            carries: Vec::new(),
            timer: None,
            attempt_timer: false,
            sleep: None,
            limits: spec.limits,
            waiter: None,
            permit: None,
        });
        let shorter = |timeout: &Nanos| new.timeout.is_none_or(|batch| *timeout < batch);
        if let Some(timeout) = spec.timeout.filter(shorter) {
            self.arm_call(call, self.now.saturating_add(timeout));
        }
    }

    fn join_group(&mut self, key: Option<u64>) -> usize {
        let known = |group: &Group| key.is_some() && group.key == key && group.batches > 0;
        let group = self.groups.iter().position(known).unwrap_or_else(|| {
            self.groups.push(Group {
                key,
                attained: 0,
                batches: 0,
            });
            self.groups.len() - 1
        });
        self.groups[group].batches += 1;
        group
    }

    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}

pub fn in_flight(state: State) -> bool {
    matches!(
        state,
        State::Running | State::Suspended | State::Cancelling | State::Detached
    )
}

/// The longest way down, found by going all ways.
fn height(index: usize, edges: &[(u32, u32)]) -> usize {
    let below = edges.iter().filter(|(parent, _)| *parent as usize == index);
    below
        .map(|(_, child)| 1 + height(*child as usize, edges))
        .max()
        .unwrap_or(0)
}
