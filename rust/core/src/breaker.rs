//! One breaker: stops calling what keeps failing, and finds out carefully when it works again.
//!
//! Ground rules. *Closed*: every call is admitted; ends fall into ten cells of one second, and the
//! breaker opens when too large a share of them failed or was slow, or when connections fail one
//! after the other. *Open*: nothing is admitted until the open time is over; it doubles with each
//! opening and halves with each minute that was closed. *Half-open*: rounds of 1, 2, 4 and 8
//! probes; all of them passed closes, one failed opens. *Misconfigured*: our key was not accepted;
//! one probe a minute, until an answer says that it was. Each change starts a new generation: a
//! ticket of an older one is counted when it ends, and neither opens nor closes anything. A probe
//! fails at its deadline even if nobody reports it, which is noticed with the next verb and counts
//! from the deadline on. A cancelled call proves nothing; its probe's place is free at once.

mod config;
mod probes;
mod state;
mod ticket;
mod window;

use std::collections::VecDeque;

use crate::clock::Nanos;
pub use config::BreakerConfig;
use probes::{Passed, Probes};
pub use state::{BreakerStatistics, Cause, Class, State, Transition};
pub use ticket::Ticket;
use window::{Outcomes, Window};

const MINUTE: Nanos = Nanos::from_secs(60);
/// A probe without a deadline of its own has this long.
const PROBE_TIME: Nanos = Nanos::from_secs(10);
/// How long news of a peer's open breaker make this one wary.
const WARY: Nanos = Nanos::from_secs(30);
/// Transitions kept for listeners; older ones are dropped.
const KEPT_TRANSITIONS: usize = 64;

/// One breaker.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    generation: u32,
    window: Window,
    /// Failed connections since the last answer.
    connects: u32,
    probes: Probes,
    /// Open and misconfigured: nothing is admitted before.
    until: Nanos,
    closed_at: Nanos,
    next_open_time: Nanos,
    wary_until: Nanos,
    /// The last one given: for openings that nobody reported.
    jitter_permille: u32,
    refused: u64,
    late: u64,
    opened: u64,
    transitions: VecDeque<Transition>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: State::Closed,
            generation: 0,
            window: Window::default(),
            connects: 0,
            probes: Probes::default(),
            until: Nanos::ZERO,
            closed_at: Nanos::ZERO,
            next_open_time: config.open_least,
            wary_until: Nanos::ZERO,
            jitter_permille: 0,
            refused: 0,
            late: 0,
            opened: 0,
            transitions: VecDeque::new(),
        }
    }

    /// The state since the last verb.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Admits a call that starts now, or says when to ask again: then, or when a transition is
    /// reported. A probe fails at `deadline`, or ten seconds from now without one. The ticket ends
    /// once, by `record` or `cancel`.
    #[inline]
    pub fn admit(&mut self, now: Nanos, deadline: Option<Nanos>) -> Result<Ticket, Nanos> {
        if self.state == State::Closed {
            return Ok(Ticket::plain(self.generation));
        }
        self.admit_probe(now, deadline)
    }

    /// Whether a call would be admitted, for one that has to wait for a limit first: it takes no
    /// place meanwhile, and asks `admit` when it can start.
    pub fn check(&mut self, now: Nanos) -> Result<(), Nanos> {
        self.fail_overdue_probes(now);
        let retry_at = self.retry_at();
        if retry_at <= now {
            return Ok(());
        }
        self.refused += 1;
        Err(retry_at)
    }

    /// A call ended. `jitter_permille` (0 to 1,000) lengthens the open time by up to a fifth, if
    /// this opens the breaker. True if whoever waits should ask again: the state has changed, or a
    /// probe has ended.
    #[inline]
    pub fn record(
        &mut self,
        ticket: Ticket,
        class: Class,
        now: Nanos,
        jitter_permille: u32,
    ) -> bool {
        self.jitter_permille = jitter_permille.min(1_000);
        let before = self.generation;
        if self.state != State::Closed {
            self.fail_overdue_probes(now);
        }
        if ticket.generation != self.generation {
            self.late += 1;
        } else if self.state == State::Closed {
            self.record_call(class, now);
        } else {
            return self.record_probe(ticket, class, now);
        }
        self.generation != before
    }

    /// A call was cancelled, or never sent: it counts neither way.
    pub fn cancel(&mut self, ticket: Ticket, now: Nanos) {
        self.fail_overdue_probes(now);
        if ticket.generation == self.generation {
            self.probes.free(ticket);
        }
    }

    /// A peer's breaker of the same name opened: thresholds are halved for 30 s.
    pub fn remote_open(&mut self, now: Nanos) {
        self.wary_until = now.saturating_add(WARY);
    }

    /// Closes the breaker, whatever it knew.
    pub fn reset(&mut self, now: Nanos) {
        self.enter(State::Closed, Cause::Reset, now);
        self.next_open_time = self.config.open_least;
        self.wary_until = Nanos::ZERO;
    }

    /// The oldest change of state that was not yet reported.
    pub fn pop_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// What was seen until now.
    #[must_use]
    pub fn statistics(&mut self, now: Nanos) -> BreakerStatistics {
        self.fail_overdue_probes(now);
        let recent = self.window.recent(now);
        BreakerStatistics {
            state: self.state,
            recent_ok: recent.ok,
            recent_slow: recent.slow,
            recent_failed: recent.failed,
            refused: self.refused,
            late: self.late,
            opened: self.opened,
            probes: self.probes.running(),
            retry_at: self.retry_at(),
            next_open_time: self.open_time_after_calm(now),
            wary_until: self.wary_until,
        }
    }

    #[cold]
    fn admit_probe(&mut self, now: Nanos, deadline: Option<Nanos>) -> Result<Ticket, Nanos> {
        self.check(now)?;
        if self.state == State::Open {
            self.enter(State::HalfOpen, Cause::Waited, now);
        }
        let deadline = deadline.unwrap_or(now.saturating_add(PROBE_TIME));
        if self.state == State::Misconfigured {
            self.until = now.saturating_add(MINUTE);
        }
        Ok(self.probes.start(self.generation, deadline))
    }

    /// The earliest time at which a call is sure to be admitted, or a probe's deadline passes.
    fn retry_at(&self) -> Nanos {
        let probes = self.probes.free_at();
        match self.state {
            State::Closed => Nanos::ZERO,
            State::Open => self.until,
            State::HalfOpen => probes,
            State::Misconfigured => self.until.max(probes),
        }
    }

    #[inline]
    fn record_call(&mut self, class: Class, now: Nanos) {
        match class {
            Class::Ignored => return,
            Class::Misconfigured => return self.enter_misconfigured(now),
            Class::Connect => self.connects += 1,
            Class::Ok | Class::Slow => self.connects = 0,
            // The connection may have worked or not: a timeout does not say.
            Class::Fail => {}
        }
        let recent = self.window.count(class, now);
        if let Some(cause) = self.reason_to_open(recent, now) {
            self.open(cause, now);
        }
    }

    #[inline]
    fn reason_to_open(&self, recent: Outcomes, now: Nanos) -> Option<Cause> {
        let config = &self.config;
        let wary = now < self.wary_until;
        let reached = |part: u32, whole: u32, permille: u32| {
            let threshold = if wary { permille.div_ceil(2) } else { permille };
            part > 0 && u64::from(part) * 1_000 >= u64::from(whole) * u64::from(threshold)
        };
        let at_least = |threshold: u32| {
            if wary {
                threshold.div_ceil(2)
            } else {
                threshold
            }
        };
        if self.connects > 0 && self.connects >= at_least(config.consecutive) {
            return Some(Cause::Connect);
        }
        let calls = recent.ok + recent.slow + recent.failed;
        if calls < at_least(config.min_calls) {
            None
        } else if reached(recent.failed, calls, config.failures_permille) {
            Some(Cause::Failures)
        } else if reached(recent.slow, calls, config.slow_permille) {
            Some(Cause::Slow)
        } else {
            None
        }
    }

    fn record_probe(&mut self, ticket: Ticket, class: Class, now: Nanos) -> bool {
        let probed = self.probes.free(ticket);
        if probed {
            self.judge_probe(class, now);
        } else {
            self.late += 1;
        }
        probed
    }

    fn judge_probe(&mut self, class: Class, now: Nanos) {
        let half_open = self.state == State::HalfOpen;
        match class {
            Class::Ok if half_open => {
                if self.probes.pass() == Passed::All {
                    self.enter(State::Closed, Cause::Recovered, now);
                }
            }
            // Slow as well: a breaker that opened because of it would close and open in turn.
            Class::Slow | Class::Fail | Class::Connect if half_open => self.open(Cause::Probe, now),
            Class::Misconfigured if half_open => self.enter_misconfigured(now),
            // Misconfigured: any answer means that the key is accepted now; errors mean nothing.
            Class::Ok | Class::Slow => self.enter(State::Closed, Cause::Recovered, now),
            Class::Fail | Class::Connect | Class::Misconfigured | Class::Ignored => {}
        }
    }

    fn fail_overdue_probes(&mut self, now: Nanos) {
        let Some(deadline) = self.probes.free_overdue(now) else {
            return;
        };
        if self.state == State::HalfOpen {
            // From the deadline on: a breaker that nobody asked was open all the while.
            self.open(Cause::Probe, deadline);
        } else {
            // Still misconfigured. The place is used again, so the old ticket must be out of date.
            self.generation = self.generation.wrapping_add(1);
        }
    }

    fn open(&mut self, cause: Cause, at: Nanos) {
        let open_time = self.open_time_after_calm(at).0;
        let jitter = u64::from(self.jitter_permille);
        self.enter(State::Open, cause, at);
        self.opened += 1;
        self.until = at.saturating_add(Nanos(open_time.saturating_add(open_time / 5_000 * jitter)));
        self.next_open_time = Nanos(open_time.saturating_mul(2)).min(self.config.open_most);
    }

    fn enter_misconfigured(&mut self, now: Nanos) {
        self.enter(State::Misconfigured, Cause::Unauthorised, now);
        self.until = now.saturating_add(MINUTE);
    }

    /// The next open time, halved for each minute closed.
    fn open_time_after_calm(&self, now: Nanos) -> Nanos {
        let calm = match self.state {
            State::Closed => now.saturating_sub(self.closed_at).0 / MINUTE.0,
            State::Open | State::HalfOpen | State::Misconfigured => 0,
        };
        Nanos(self.next_open_time.0 >> calm.min(63)).max(self.config.open_least)
    }

    fn enter(&mut self, to: State, cause: Cause, at: Nanos) {
        if to == State::Closed {
            // What the last open time costs is kept; it fades while the breaker stays closed.
            self.closed_at = at;
        }
        self.window = Window::default();
        self.probes = Probes::default();
        self.connects = 0;
        self.generation = self.generation.wrapping_add(1);
        let from = std::mem::replace(&mut self.state, to);
        if self.transitions.len() == KEPT_TRANSITIONS {
            self.transitions.pop_front();
        }
        self.transitions.push_back(Transition {
            from,
            to,
            cause,
            at,
        });
    }
}
