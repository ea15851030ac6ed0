//! What the scheduler tells the host: how calls ended, and what must be done now.

use std::collections::VecDeque;
use std::fmt;

use super::ids::{BatchId, CallId, ToolId};
use crate::clock::Nanos;

/// An empty [`Actions`] gives memory back above this many places.
const KEPT_PLACES: usize = 4_096;

/// A call as the host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// Its id.
    pub id: CallId,
    /// Its tool.
    pub tool: ToolId,
    /// Its batch.
    pub batch: BatchId,
    /// Its index in the batch.
    pub index: u32,
}

/// How the tool's code ended, as the host saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It returned a value.
    Returned,
    /// It raised.
    Raised,
    /// It let the cancellation out.
    Cancelled,
    /// The host refused it: unknown tool, bad arguments, unresolved reference.
    Rejected,
    /// It gave up by itself, for its time was over.
    TimedOut,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// It has a value.
    Ok,
    /// Its tool raised.
    Failed,
    /// It was refused before it ran.
    Rejected,
    /// A call that it waits for was not ok.
    Skipped,
    /// It was cancelled.
    Cancelled,
    /// Its time was over.
    Timeout,
}

impl Status {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Failed,
        Self::Rejected,
        Self::Skipped,
        Self::Cancelled,
        Self::Timeout,
    ];

    /// The word used everywhere: outcomes, metrics, documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
        }
    }
}

/// Why a call was cancelled. The first reason stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Somebody asked for it.
    Caller,
    /// Its branch was cancelled.
    Branch,
    /// Another call of a fail-fast batch failed.
    FailFast,
    /// The deadline of the call or of its batch.
    Deadline,
    /// The longest time of one attempt.
    Timeout,
    /// Another branch was committed.
    Race,
    /// Something more urgent needed its place.
    Preempted,
    /// The engine closes.
    Shutdown,
}

impl Reason {
    /// The word used everywhere: outcomes, metrics, documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Branch => "branch",
            Self::FailFast => "fail_fast",
            Self::Deadline => "deadline",
            Self::Timeout => "timeout",
            Self::Race => "race",
            Self::Preempted => "preempted",
            Self::Shutdown => "shutdown",
        }
    }

    /// The status of a call that ends because of it.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Deadline | Self::Timeout => Status::Timeout,
            _ => Status::Cancelled,
        }
    }
}

/// A place where calls queue for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GateKind {
    /// `max_parallel` of the engine.
    Engine,
    /// `max_parallel` of the batch.
    Batch,
    /// `concurrency` of the tool.
    Tool,
    /// `concurrency` of the tool's service.
    Service,
    /// The limits that the call must pass.
    Limits,
}

impl fmt::Display for GateKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Engine => "engine",
            Self::Batch => "batch",
            Self::Tool => "tool",
            Self::Service => "service",
            Self::Limits => "limits",
        })
    }
}

/// Why the scheduler itself ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Cancelled, or its deadline came, before it started.
    Cancelled(Reason),
    /// A call before it was not ok.
    Skipped {
        /// Index of the call that was not ok: the first cause, not the last link.
        parent: u32,
    },
    /// Only calls that wait for it hold the gate that it needs.
    WouldDeadlock {
        /// The gate.
        gate: GateKind,
    },
    /// Too many calls of its tool run on although they were given up.
    TooManyDetached {
        /// How many are allowed.
        limit: u32,
    },
    /// The limiter refused it, and knows why.
    Refused,
    /// Its tool was held for too long; the host knows what for.
    Held,
}

/// The end of one call: all the scheduler knows about its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The call; its id is stale unless `detached`.
    pub call: CallRef,
    /// What became of it.
    pub status: Status,
    /// It was cancelled, and yet returned or raised.
    pub late: bool,
    /// Its code still runs.
    pub detached: bool,
    /// Why it was cancelled.
    pub reason: Option<Reason>,
    /// When its batch was submitted.
    pub submitted: Nanos,
    /// When it started; `None`: never.
    pub started: Option<Nanos>,
}

/// Something the host must do or tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Cancel this call, which has suspended before: its awaited future, or its job. The host that
    /// is stepping this very call right now does as for [`Action::MustCancel`].
    Throw(CallRef),
    /// Cancel this call, which has never suspended, when it suspends or returns.
    MustCancel(CallRef),
    /// Its sleep is over: step it.
    Resume(CallRef),
    /// The scheduler ended this call; no code of it ran or will run.
    Ended {
        /// Its end.
        ended: Ended,
        /// Why.
        why: Why,
    },
    /// Its grace is over: this is its outcome. It keeps slot and gates until `end`.
    Detached {
        /// Its end.
        ended: Ended,
    },
    /// Every call of the batch has its outcome; detached code may still run. Comes once, last.
    BatchEnded(BatchId),
}

/// A reused first-in-first-out list of actions. The host may call the scheduler between two of them.
#[derive(Debug, Default)]
pub struct Actions {
    queue: VecDeque<Action>,
}

impl Actions {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The oldest action, taken out.
    pub fn pop(&mut self) -> Option<Action> {
        let action = self.queue.pop_front();
        if self.queue.is_empty() && self.queue.capacity() > KEPT_PLACES {
            self.queue.shrink_to(KEPT_PLACES);
        }
        action
    }

    /// All actions, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.queue.drain(..)
    }

    /// Nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.queue.push_back(action);
    }
}
