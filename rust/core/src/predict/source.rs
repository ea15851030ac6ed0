//! Where a value may have come from: the left side of a template.
//!
//! Ground rules. A source names places by hash, the same in every process; it holds no value but that
//! of a constant. What it names is in the names of its tenant.

use super::key::combine;

/// A place in what a session has seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A leaf of a tool's result.
    Result { tool: u64, path: u64 },
    /// A token in a text that a tool gave.
    Text { tool: u64, shape: u64 },
    /// A token of what the user wrote, by its shape and the word before it.
    Input { shape: u64, left: u64 },
    /// An argument of an earlier call.
    Argument { tool: u64, path: u64 },
    /// The same value in several tasks.
    Constant { value: Box<str> },
}

impl Source {
    /// Identifies the source.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Self::Result { tool, path } => combine(&[1, *tool, *path]),
            Self::Text { tool, shape } => combine(&[2, *tool, *shape]),
            Self::Input { shape, left } => combine(&[3, *shape, *left]),
            Self::Argument { tool, path } => combine(&[4, *tool, *path]),
            Self::Constant { value } => combine(&[5, super::key::name_of(value)]),
        }
    }
}
