//! The words of a breaker: its states, how calls end for it, why it changed, what it has seen.

use crate::clock::Nanos;

/// Whether calls are admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// All of them.
    #[default]
    Closed,
    /// None until its time is over.
    Open,
    /// A few probes at once.
    HalfOpen,
    /// One probe a minute: an operator has to correct the key or its rights.
    Misconfigured,
}

/// How a call ended, for its breaker. What is another tool's or a limit's business is `Ignored`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Answered; answers that blame the call (most of 4xx) are answers.
    Ok,
    /// Answered, but later than the tool's `slow_after`.
    Slow,
    /// Failed: an error of the service, a timeout.
    Fail,
    /// No connection.
    Connect,
    /// Proves nothing: refused by a limit (429), cancelled by its caller.
    Ignored,
    /// Not authorised: 401, 403.
    Misconfigured,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Too many of the last ten seconds' calls failed.
    Failures,
    /// Too many of them were slow.
    Slow,
    /// Connections failed one after the other.
    Connect,
    /// A probe failed, or did not end in its time.
    Probe,
    /// The open time is over.
    Waited,
    /// All probes passed.
    Recovered,
    /// A call was not authorised.
    Unauthorised,
    /// Someone reset the breaker.
    Reset,
}

/// One change of state, for listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state since.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Nanos,
}

/// What a breaker has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerStatistics {
    /// The state now.
    pub state: State,
    /// Ends of this generation in the last ten seconds.
    pub recent_ok: u32,
    /// The same, answered too late.
    pub recent_slow: u32,
    /// The same, failed.
    pub recent_failed: u32,
    /// Calls that were not admitted.
    pub refused: u64,
    /// Ends of calls that were admitted before the last change of state.
    pub late: u64,
    /// Times it opened.
    pub opened: u64,
    /// Probes that have not ended.
    pub probes: u32,
    /// When the next call may be admitted; in the past or zero if it may now.
    pub retry_at: Nanos,
    /// How long it stays open the next time, without jitter.
    pub next_open_time: Nanos,
    /// Thresholds are halved until then, because a peer's breaker opened.
    pub wary_until: Nanos,
}
