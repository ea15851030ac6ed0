//! Rules: what a user says of a limit, and what is wrong with it.

use std::fmt;

use super::adaptive::AdaptiveConfig;
use super::budget::Overrun;
use super::cost::{Counted, MOST_UNITS, Unit};
use super::feedback::Follow;
use super::scope::Scope;
use crate::clock::Nanos;

const SHORTEST: Nanos = Nanos::from_millis(1);
const LONGEST: Nanos = Nanos::from_secs(366 * 24 * 60 * 60);
/// Warnings of one budget.
const MOST_WARNINGS: usize = 16;

/// How a limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Smooth: `n` units flow in each `per`, at most `burst` are kept.
    Bucket {
        /// Units.
        n: u64,
        /// In this span.
        per: Nanos,
        /// At once.
        burst: u64,
    },
    /// Strict: never more than `n` units in any `per`.
    Window {
        /// Units.
        n: u64,
        /// In any such span.
        per: Nanos,
    },
    /// `n` units until a boundary of the calendar: see [`super::Limiter::roll`].
    Calendar {
        /// Units.
        n: u64,
        /// When the running window ends.
        ends: Nanos,
    },
    /// `n` calls at once; 0 pauses.
    Slots {
        /// Calls.
        n: u32,
        /// Fewer while the service is slow.
        adaptive: Option<AdaptiveConfig>,
    },
    /// What is spent and reserved stays within an amount.
    Budget {
        /// Units.
        amount: u64,
        /// When the running period ends, if there is one.
        ends: Option<Nanos>,
        /// Shares in thousandths whose passing is told.
        warn: Vec<u16>,
        /// What a call in flight does that needs more.
        overrun: Overrun,
    },
    /// One call costs no more than so many units.
    Each {
        /// Units.
        most: u64,
    },
    /// Units that a driver hands in: see [`super::Limiter::hand_in`].
    Lease {
        /// The most that one call may cost.
        capacity: u64,
    },
}

/// A limit as a user defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// Unique.
    pub name: String,
    /// Which calls it speaks of.
    pub scope: Scope,
    /// What it counts; slots count calls whatever this is.
    pub unit: Unit,
    /// How.
    pub shape: Shape,
    /// Calls that may wait for one state of it.
    pub max_waiting: u32,
    /// Which changes that a provider tells are taken over.
    pub follow: Follow,
}

impl RuleSpec {
    /// A rule with the usual brim.
    #[must_use]
    pub fn new(name: impl Into<String>, scope: Scope, unit: Unit, shape: Shape) -> Self {
        Self {
            name: name.into(),
            scope,
            unit,
            shape,
            max_waiting: 10_000,
            follow: Follow::Down,
        }
    }
}

/// Why a rule, or a change of one, was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddError {
    /// Another rule has the name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// No such rule, or it was removed.
    UnknownRule,
    /// A field that is outside of its range, or not one of this shape.
    BadNumber {
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for AddError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateName { name } => {
                write!(
                    formatter,
                    "two limits are called \"{name}\": give one another name"
                )
            }
            Self::UnknownRule => formatter.write_str("there is no such limit"),
            Self::BadNumber { field } => {
                write!(formatter, "{field} is out of range, or this limit has none")
            }
        }
    }
}

impl std::error::Error for AddError {}

/// What of a limit is to be another; `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Units, calls, or the amount.
    pub n: Option<u64>,
    /// Of a bucket or a window.
    pub per: Option<Nanos>,
    /// Of a bucket.
    pub burst: Option<u64>,
}

impl Shape {
    /// What it counts of a cost.
    pub(crate) const fn counted(&self, unit: Unit) -> Counted {
        match self {
            Self::Slots { .. } => Counted::SLOT,
            _ => Counted::unit(unit),
        }
    }

    /// A provider may refuse on behalf of such a limit: it is no budget of ours.
    pub(crate) const fn is_enforced_by_provider(&self) -> bool {
        !matches!(self, Self::Budget { .. })
    }

    /// When the window or period ends that somebody else must name the next end of.
    pub(crate) const fn ends(&self) -> Option<Nanos> {
        match self {
            Self::Calendar { ends, .. } => Some(*ends),
            Self::Budget { ends, .. } => *ends,
            _ => None,
        }
    }

    pub(crate) fn set_ends(&mut self, next: Nanos) {
        match self {
            Self::Calendar { ends, .. } => *ends = next,
            Self::Budget { ends, .. } => *ends = Some(next),
            _ => {}
        }
    }

    /// The first field that is out of range.
    pub(crate) fn check(&self) -> Result<(), AddError> {
        let fine = |units: &u64| (1..=MOST_UNITS).contains(units);
        let lasts = |per: &Nanos| (SHORTEST..=LONGEST).contains(per);
        let bad = |field| Err(AddError::BadNumber { field });
        match self {
            Self::Bucket { n, .. } | Self::Window { n, .. } | Self::Calendar { n, .. }
                if !fine(n) =>
            {
                bad("n")
            }
            Self::Bucket { per, .. } | Self::Window { per, .. } if !lasts(per) => bad("per"),
            Self::Bucket { burst, .. } if !fine(burst) => bad("burst"),
            Self::Budget { amount, .. } if *amount > MOST_UNITS => bad("amount"),
            Self::Budget { warn, .. } if warn.len() > MOST_WARNINGS => bad("warn"),
            Self::Budget { warn, .. } if warn.iter().any(|share| *share > 1_000) => bad("warn"),
            Self::Lease { capacity } if !fine(capacity) => bad("capacity"),
            _ => Ok(()),
        }
    }

    /// The shape after a change.
    pub(crate) fn changed(&self, change: &Change) -> Result<Self, AddError> {
        let mut shape = self.clone();
        let (mut has_per, mut has_burst) = (false, false);
        match &mut shape {
            Self::Bucket { n, per, burst } => {
                (has_per, has_burst) = (true, true);
                set(n, change.n);
                set(per, change.per);
                set(burst, change.burst);
            }
            Self::Window { n, per } => {
                has_per = true;
                set(n, change.n);
                set(per, change.per);
            }
            Self::Slots { n, .. } => {
                let most = change.n.unwrap_or(u64::from(*n));
                *n = u32::try_from(most).map_err(|_| AddError::BadNumber { field: "n" })?;
            }
            Self::Calendar { n: units, .. }
            | Self::Budget { amount: units, .. }
            | Self::Each { most: units }
            | Self::Lease { capacity: units } => set(units, change.n),
        }
        if change.per.is_some() && !has_per {
            return Err(AddError::BadNumber { field: "per" });
        }
        if change.burst.is_some() && !has_burst {
            return Err(AddError::BadNumber { field: "burst" });
        }
        shape.check().map(|()| shape)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
