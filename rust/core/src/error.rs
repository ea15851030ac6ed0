//! The errors of the core: one enum a verb, plain data. The host turns them into exceptions.

use std::fmt;

/// Why [`crate::sched::Sched::submit`] took nothing of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The engine holds as many calls as it may; worth another try later.
    Full {
        /// Calls that the engine holds now.
        pending: u32,
        /// Calls that it may hold.
        max_pending: u32,
    },
    /// The batch was submitted inside a call that is itself nested as deep as allowed.
    TooDeep {
        /// The deepest nesting allowed.
        limit: u32,
    },
    /// More calls than one batch may have.
    TooManyCalls {
        /// Calls given.
        calls: usize,
        /// Calls allowed.
        limit: usize,
    },
    /// More edges than one batch may have.
    TooManyEdges {
        /// Edges given.
        edges: usize,
        /// Edges allowed.
        limit: usize,
    },
    /// An edge starts at a call that is not in the batch.
    UnknownParent {
        /// The call that waits.
        child: u32,
        /// The parent that does not exist.
        parent: u32,
    },
    /// An edge ends at a call that is not in the batch.
    UnknownChild {
        /// The call that does not exist.
        child: u32,
        /// Its parent.
        parent: u32,
    },
    /// A call to hold is not in the batch.
    UnknownHeld {
        /// The call that does not exist.
        call: u32,
    },
    /// A call waits for itself.
    SelfEdge {
        /// The call.
        call: u32,
    },
    /// Calls wait for each other.
    Cycle {
        /// Each waits for the one before it, and the first for the last.
        calls: Vec<u32>,
    },
    /// A priority above the last lane.
    BadPriority {
        /// The call.
        call: u32,
        /// Its priority.
        priority: u8,
    },
    /// A branch that the batch does not have.
    BadBranch {
        /// The call.
        call: u32,
        /// Its branch.
        branch: u32,
        /// Branches of the batch.
        branches: u32,
    },
    /// A tool that was never added.
    UnknownTool {
        /// The call.
        call: u32,
    },
}

impl fmt::Display for SubmitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full {
                pending,
                max_pending,
            } => {
                write!(
                    formatter,
                    "{pending} calls are pending, {max_pending} are allowed"
                )
            }
            Self::TooDeep { limit } => write!(formatter, "calls are nested deeper than {limit}"),
            Self::TooManyCalls { calls, limit } => {
                write!(formatter, "a batch of {calls} calls, {limit} are allowed")
            }
            Self::TooManyEdges { edges, limit } => {
                write!(formatter, "a batch of {edges} edges, {limit} are allowed")
            }
            Self::UnknownParent { child, parent } => {
                write!(
                    formatter,
                    "call {child} waits for call {parent}, which is not in the batch"
                )
            }
            Self::UnknownChild { child, parent } => {
                write!(
                    formatter,
                    "call {child}, which is not in the batch, waits for call {parent}"
                )
            }
            Self::UnknownHeld { call } => {
                write!(formatter, "call {call}, which is not in the batch, is held")
            }
            Self::SelfEdge { call } => write!(formatter, "call {call} waits for itself"),
            Self::Cycle { calls } => write!(formatter, "calls {calls:?} wait for each other"),
            Self::BadPriority { call, priority } => {
                write!(
                    formatter,
                    "call {call} has the priority {priority}, which is no lane"
                )
            }
            Self::BadBranch {
                call,
                branch,
                branches,
            } => {
                write!(
                    formatter,
                    "call {call} is in branch {branch} of a batch with {branches}"
                )
            }
            Self::UnknownTool { call } => write!(formatter, "call {call} asks for an unknown tool"),
        }
    }
}

impl std::error::Error for SubmitError {}
