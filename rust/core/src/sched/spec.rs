//! What the host tells the scheduler: its bounds, its tools, the calls of a batch.

use std::num::NonZeroU32;

use super::ids::{CallId, ServiceId, ToolId};
use crate::clock::Nanos;

/// Calls in one batch, at most.
pub const MAX_CALLS: usize = 1_000_000;
/// Edges in one batch, at most.
pub const MAX_EDGES: usize = 16_000_000;
/// The last lane: 0-7 are the caller's priorities, 8 hedges, 9 prepares, 10 guesses.
pub const LAST_LANE: u8 = 10;

/// The bounds of one scheduler.
#[derive(Clone, Copy, Debug)]
pub struct SchedConfig {
    /// Calls held at once, whatever their state; a batch that would pass it is refused whole.
    pub max_pending: u32,
    /// Calls in flight at once; `None`: no bound.
    pub max_parallel: Option<NonZeroU32>,
    /// Detached calls of one tool before its new calls are rejected.
    pub max_detached: u32,
    /// Batches inside calls inside batches; a deeper one is refused.
    pub max_depth: u32,
}

impl Default for SchedConfig {
    fn default() -> Self {
        Self {
            max_pending: 100_000,
            max_parallel: None,
            max_detached: 100,
            max_depth: 32,
        }
    }
}

/// What the scheduler must know about a tool.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToolSpec {
    /// Its calls in flight at once; `None`: no bound.
    pub concurrency: Option<NonZeroU32>,
    /// The service whose gate its calls pass too.
    pub service: Option<ServiceId>,
    /// The longest one attempt may take, from its start. Armed when the call first suspends.
    pub timeout: Option<Nanos>,
    /// How long a cancelled call may still tidy up before it is reported as detached.
    pub grace: Nanos,
    /// Its calls are attempts of other calls, which stand in the engine's gate for them.
    pub is_attempt: bool,
}

/// One call of a batch.
#[derive(Clone, Copy, Debug)]
pub struct CallSpec {
    /// Its tool.
    pub tool: ToolId,
    /// Its lane, 0 is first, at most [`LAST_LANE`].
    pub priority: u8,
    /// Its branch, from 1; 0 is none.
    pub branch: u32,
    /// Its deadline, from submission.
    pub timeout: Option<Nanos>,
    /// The limits that it must pass, as the limiter numbers them; `None`: it has none.
    pub limits: Option<u32>,
    /// Since when it waits, for its place in the order of its limits; `None`: since it is submitted.
    pub since: Option<Nanos>,
}

/// The calls that are submitted together.
#[derive(Clone, Copy, Debug)]
pub struct BatchSpec<'a> {
    /// The calls; their index here names them in edges and outcomes.
    pub calls: &'a [CallSpec],
    /// `(parent, child)` by index: the child waits until the parent is ok.
    pub edges: &'a [(u32, u32)],
    /// Calls that wait until they are released, besides their parents: see [`super::Sched::release`].
    pub held: &'a [u32],
    /// Branches, numbered from 1.
    pub branches: u32,
    /// Whom the work is charged to, for fairness; `None`: the batch itself.
    pub group: Option<u64>,
    /// What it is worth against others of its lane and group: more goes first, and the least is the
    /// first to make room. Of guesses; 0 for what somebody asked for.
    pub worth: u64,
    /// Its calls in flight at once; `None`: no bound.
    pub max_parallel: Option<NonZeroU32>,
    /// Cancel the rest when one call fails, is rejected or times out.
    pub fail_fast: bool,
    /// The deadline of the whole batch, from submission.
    pub timeout: Option<Nanos>,
    /// The call inside which the batch is submitted.
    pub parent: Option<CallId>,
}
