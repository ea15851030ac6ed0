//! What a log keeps of one event.

use crate::clock::Nanos;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A batch was taken; `call` is how many calls it has.
    BatchStarted,
    /// A call waits for a limit.
    CallParked,
    /// The code of a call starts.
    CallStarted,
    /// A call tells how far it is.
    CallProgress,
    /// A call gives a part of its result.
    CallOutput,
    /// A call is to be tried again.
    CallRetrying,
    /// A second attempt runs beside the first.
    CallHedged,
    /// A call was asked to end.
    CallCancelling,
    /// A call has its outcome; `detail` is the number of its status.
    CallEnded,
    /// The code of a call ended after its outcome was given.
    CallReleased,
    /// A branch is kept; `call` is its number.
    BranchCommitted,
    /// A branch is given up; `call` is its number.
    BranchCancelled,
    /// A budget has reached a mark.
    BudgetWarning,
    /// Every call has its outcome.
    BatchEnded,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::BatchStarted,
        Self::CallParked,
        Self::CallStarted,
        Self::CallProgress,
        Self::CallOutput,
        Self::CallRetrying,
        Self::CallHedged,
        Self::CallCancelling,
        Self::CallEnded,
        Self::CallReleased,
        Self::BranchCommitted,
        Self::BranchCancelled,
        Self::BudgetWarning,
        Self::BatchEnded,
    ];

    /// Its name, in the API and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BatchStarted => "batch.started",
            Self::CallParked => "call.parked",
            Self::CallStarted => "call.started",
            Self::CallProgress => "call.progress",
            Self::CallOutput => "call.output",
            Self::CallRetrying => "call.retrying",
            Self::CallHedged => "call.hedged",
            Self::CallCancelling => "call.cancelling",
            Self::CallEnded => "call.ended",
            Self::CallReleased => "call.released",
            Self::BranchCommitted => "branch.committed",
            Self::BranchCancelled => "branch.cancelled",
            Self::BudgetWarning => "budget.warning",
            Self::BatchEnded => "batch.ended",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it tells of one call.
    #[must_use]
    pub const fn is_of_call(self) -> bool {
        !matches!(
            self,
            Self::BatchStarted
                | Self::BatchEnded
                | Self::BranchCommitted
                | Self::BranchCancelled
                | Self::BudgetWarning
        )
    }
}

/// An event, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub time: Nanos,
    /// The place of the call in its batch, or what `kind` says.
    pub call: u32,
    /// The attempt that it tells of, from 1; 0 if none has started.
    pub attempt: u16,
    /// What `kind` says.
    pub detail: u8,
}

impl Fact {
    /// A fact without an attempt or a detail.
    #[must_use]
    pub const fn new(kind: Kind, call: u32, time: Nanos) -> Self {
        Self {
            kind,
            time,
            call,
            attempt: 0,
            detail: 0,
        }
    }
}

/// An event, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it happened.
    pub time: Nanos,
    /// The place of the call in its batch, or what `kind` says.
    pub call: u32,
    /// Where its payload is; `NO_SLOT` if it has none.
    pub(super) slot: u32,
    /// What the payload takes.
    pub bytes: u32,
    /// The attempt that it tells of, from 1; 0 if none has started.
    pub attempt: u16,
    /// What happened.
    pub kind: Kind,
    /// What `kind` says.
    pub detail: u8,
}

/// The slot of a record without a payload.
pub(super) const NO_SLOT: u32 = u32::MAX;

// The design allows 48: 65,536 records are then 3 MiB, and these are half of that.
const _: () = assert!(size_of::<Record>() == 24);

impl Record {
    #[inline]
    pub(super) const fn of(fact: Fact) -> Self {
        Self {
            time: fact.time,
            call: fact.call,
            slot: NO_SLOT,
            bytes: 0,
            attempt: fact.attempt,
            kind: fact.kind,
            detail: fact.detail,
        }
    }
}
