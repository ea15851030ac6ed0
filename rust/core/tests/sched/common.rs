//! A scheduler with a few tools, and shorthand for driving it.

use std::num::NonZeroU32;

use penstock_core::clock::Nanos;
use penstock_core::sched::{
    Action, Actions, BatchId, BatchSpec, CallId, CallRef, CallSpec, Ended, Reason, Sched,
    SchedConfig, Target, ToolId, ToolSpec, Unlimited, Verdict, Why,
};

/// So many, as a bound.
pub fn at_most(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}

/// A time of `millis` milliseconds.
pub fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// An ordinary call of `tool`.
pub fn call(tool: ToolId) -> CallSpec {
    CallSpec {
        tool,
        priority: 4,
        branch: 0,
        timeout: None,
        limits: None,
        since: None,
    }
}

/// A call of `tool` that must pass the limits `set`.
pub fn limited(tool: ToolId, set: u32) -> CallSpec {
    CallSpec {
        limits: Some(set),
        ..call(tool)
    }
}

/// A call of `tool` in lane `priority`.
pub fn urgent(tool: ToolId, priority: u8) -> CallSpec {
    CallSpec {
        priority,
        ..call(tool)
    }
}

/// A batch without any option.
pub fn batch<'a>(calls: &'a [CallSpec], edges: &'a [(u32, u32)]) -> BatchSpec<'a> {
    BatchSpec {
        calls,
        edges,
        held: &[],
        branches: 0,
        group: None,
        worth: 0,
        max_parallel: None,
        fail_fast: false,
        timeout: None,
        parent: None,
    }
}

/// Submits one call inside another.
pub fn nested(bench: &mut Bench, parent: CallId, call: CallSpec) -> BatchId {
    let calls = [call];
    let spec = BatchSpec {
        parent: Some(parent),
        ..batch(&calls, &[])
    };
    bench.submit(&spec)
}

/// A scheduler, its clock and its actions.
pub struct Bench {
    pub sched: Sched,
    pub actions: Actions,
    pub now: Nanos,
    /// A tool without any option.
    pub tool: ToolId,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(SchedConfig::default())
    }

    pub fn with(config: SchedConfig) -> Self {
        let mut sched = Sched::new(config);
        let tool = sched.add_tool(ToolSpec {
            grace: ms(250),
            ..ToolSpec::default()
        });
        Self {
            sched,
            actions: Actions::new(),
            now: ms(1_000),
            tool,
        }
    }

    pub fn add_tool(&mut self, concurrency: u32) -> ToolId {
        let spec = ToolSpec {
            concurrency: at_most(concurrency),
            grace: ms(250),
            ..ToolSpec::default()
        };
        self.sched.add_tool(spec)
    }

    pub fn submit(&mut self, spec: &BatchSpec<'_>) -> BatchId {
        self.sched.submit(spec, self.now).unwrap()
    }

    /// A batch of `count` plain calls of the plain tool.
    pub fn submit_plain(&mut self, count: usize) -> BatchId {
        let calls = vec![call(self.tool); count];
        self.submit(&batch(&calls, &[]))
    }

    pub fn id(&self, batch: BatchId, index: u32) -> CallId {
        self.sched.call_at(batch, index).unwrap()
    }

    /// Starts the next call.
    pub fn start(&mut self) -> Option<CallId> {
        self.next().map(|call| call.id)
    }

    /// Starts the next call, and says which it is.
    pub fn next(&mut self) -> Option<CallRef> {
        self.sched.next(self.now, &mut Unlimited, &mut self.actions)
    }

    /// Starts all that may start; their batch and index.
    pub fn start_all(&mut self) -> Vec<(BatchId, u32)> {
        let mut started = Vec::new();
        while let Some(call) = self.sched.next(self.now, &mut Unlimited, &mut self.actions) {
            started.push((call.batch, call.index));
        }
        started
    }

    /// The indices of all that may start.
    pub fn start_indices(&mut self) -> Vec<u32> {
        self.start_all()
            .into_iter()
            .map(|(_, index)| index)
            .collect()
    }

    pub fn end(&mut self, id: CallId, verdict: Verdict) -> Option<Ended> {
        self.sched.end(id, verdict, self.now, &mut self.actions)
    }

    pub fn end_at(&mut self, batch: BatchId, index: u32) -> Option<Ended> {
        self.end(self.id(batch, index), Verdict::Returned)
    }

    pub fn cancel(&mut self, target: Target) -> u32 {
        self.sched
            .cancel(target, Reason::Caller, self.now, &mut self.actions)
    }

    /// Lets time pass and acts on it.
    pub fn pass(&mut self, span: Nanos) -> Vec<Action> {
        self.now = self.now.saturating_add(span);
        self.sched.expire(self.now, &mut self.actions);
        self.drain()
    }

    pub fn drain(&mut self) -> Vec<Action> {
        self.actions.drain().collect()
    }

    /// Index and cause of the calls that the scheduler ended itself.
    pub fn ended(&mut self) -> Vec<(u32, Why)> {
        let ends = self.actions.drain().filter_map(|action| match action {
            Action::Ended { ended, why } => Some((ended.call.index, why)),
            _ => None,
        });
        ends.collect()
    }
}
