//! The door to the limits: the scheduler asks, somebody else counts.
//!
//! A call that its limits do not let in waits with the limiter, not here: [`Admission::Parked`]. The
//! limiter's answer comes later, by `Sched::granted` or `Sched::refused`. What the scheduler gives
//! back it lays down as [`Returned`], for it never calls the limiter by itself.

use super::action::Status;
use super::ids::{BatchId, CallId, ToolId};
use crate::clock::Nanos;

/// What a limiter gave for an admitted call. The scheduler keeps it and hands it back once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permit(pub u32);

impl Permit {
    /// Nothing was taken, so nothing is handed back.
    pub const NONE: Self = Self(u32::MAX);
}

/// A place in the limiter's own order. The scheduler keeps it until the call starts or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter(pub u32);

/// What a call asks of its limits. Its cost is the limiter's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The call.
    pub call: CallId,
    /// Its tool.
    pub tool: ToolId,
    /// Its batch.
    pub batch: BatchId,
    /// Its limit set.
    pub set: u32,
    /// Its lane when it was submitted: with `arrival` it is the whole key, so waiting counts once.
    pub lane: u8,
    /// Since when it is ready; it stays when a call asks again.
    pub arrival: Nanos,
    /// Its turn among those that arrived with it: that of its batch, then its own in the batch.
    pub turn: u64,
    /// When it must have started at the latest, if anything bounds it.
    pub deadline: Option<Nanos>,
    /// Calls that are ready behind it.
    pub behind: u32,
}

/// The answer of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Every limit of the set has paid.
    Granted(Permit),
    /// Not now, and nothing was taken: the limiter will say when.
    Parked(Waiter),
    /// Never: the call ends rejected.
    Refused,
}

/// What the limiter gets back, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The code of a call has really ended.
    Settled {
        /// What it held.
        permit: Permit,
        /// The call; its id is stale.
        call: CallId,
        /// Its batch, which may have ended with it.
        batch: BatchId,
        /// What became of it.
        status: Status,
        /// When it started.
        started: Nanos,
    },
    /// The call did not start: nothing was spent.
    Refunded(Permit),
    /// The call waits no more.
    Forgotten(Waiter),
}

/// Whoever keeps the limits.
pub trait Admit {
    /// Takes what the call costs from every limit of its set at `now`, or from none.
    fn admit(&mut self, ask: &Ask, now: Nanos) -> Admission;

    /// Whether a limit of `set` is held by nothing but `permits`: those of calls that wait for the
    /// one that asks.
    fn is_held_by(&mut self, set: u32, permits: &[Permit]) -> bool {
        let _ = (set, permits);
        false
    }

    /// Whether calls of `set` wait for a place that this permit holds.
    fn wants_place(&mut self, set: u32, permit: Permit) -> bool {
        let _ = (set, permit);
        false
    }
}

/// No limits at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Admit for Unlimited {
    fn admit(&mut self, _ask: &Ask, _now: Nanos) -> Admission {
        Admission::Granted(Permit::NONE)
    }
}
