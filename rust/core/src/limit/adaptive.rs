//! How many calls at once a service can take, found out by watching them end.
//!
//! Ground rules. A sign of overload (429, 503, a timeout, a refused connection) cuts the limit to
//! 0.7 of it, but only if its call started after the last cut: a hundred calls that fail together
//! cut once. Clean ends raise it, and only while at least half of it is in use: an idle service
//! proves nothing. Other failures say nothing of load. `Mode::Aimd` adds one call for each limit's
//! worth of clean ends; `Mode::Gradient` follows latency, see `gradient.rs`. A smaller limit stops
//! no running call: whoever asks compares it with what is in flight.

mod gradient;

use crate::clock::Nanos;
use gradient::Gradient;

/// What is left of the limit after a sign of overload.
const CUT: f64 = 0.7;

/// How a call ended, as far as the load of its service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With an answer that is not about load.
    Ok,
    /// Turned away: 429, 503, a refused connection.
    Overload,
    /// Not at all, in its time.
    Timeout,
    /// In another way, which says nothing of load.
    Failed,
}

/// What raises the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Clean ends: one call more for each round of them.
    #[default]
    Aimd,
    /// Latency near its baseline; latency above it lowers the limit.
    Gradient,
}

/// Bounds of a limit that adapts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveConfig {
    /// The limit never falls below; at least 1, for at 0 nothing would ever end.
    pub least: u32,
    /// The limit never rises above.
    pub most: u32,
    /// What raises it.
    pub mode: Mode,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            least: 1,
            most: 200,
            mode: Mode::Aimd,
        }
    }
}

/// One limit that adapts.
#[derive(Clone, Debug)]
pub struct Adaptive {
    least: f64,
    most: f64,
    mode: Mode,
    limit: f64,
    cut_at: Option<Nanos>,
    gradient: Gradient,
}

impl Adaptive {
    /// A limit that begins at `start`, within the bounds.
    #[must_use]
    pub fn new(config: AdaptiveConfig, start: u32) -> Self {
        let least = f64::from(config.least.max(1));
        let most = f64::from(config.most).max(least);
        Self {
            least,
            most,
            mode: config.mode,
            limit: f64::from(start).clamp(least, most),
            cut_at: None,
            gradient: Gradient::default(),
        }
    }

    /// Calls that may be in flight now.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bounds that were u32, and rounded down on purpose"
    )]
    pub fn limit(&self) -> u32 {
        let share = if self.gradient.is_probing() { 0.5 } else { 1.0 };
        (self.limit * share).max(self.least) as u32
    }

    /// Latency of a size class without load, as far as `Mode::Gradient` knows it.
    #[must_use]
    pub fn baseline(&self, size_class: u8) -> Option<Nanos> {
        self.gradient.baseline(size_class)
    }

    /// A call ended that `started` then and took `latency`, while `in_flight` calls were running,
    /// itself included. For the size class see [`size_class`].
    pub fn record(
        &mut self,
        end: End,
        started: Nanos,
        latency: Nanos,
        in_flight: u32,
        size_class: u8,
        now: Nanos,
    ) {
        let limit = match end {
            // In both modes: what a call takes that never ends is no latency. Timeouts all take the
            // same time, which would look like a service without a queue (Netflix #137).
            End::Overload | End::Timeout => self.after_overload(started, now),
            End::Ok if self.mode == Mode::Gradient => {
                self.gradient.count(started, latency, in_flight, size_class);
                self.gradient.next_limit(self.limit, now)
            }
            End::Ok if is_in_use(self.limit, in_flight) => self.limit + 1.0 / self.limit,
            End::Ok | End::Failed => self.limit,
        };
        self.limit = limit.clamp(self.least, self.most);
    }

    fn after_overload(&mut self, started: Nanos, now: Nanos) -> f64 {
        if self.cut_at.is_some_and(|cut_at| started <= cut_at) {
            return self.limit;
        }
        self.cut_at = Some(now);
        self.gradient.forget_sample();
        self.limit * CUT
    }
}

/// The class of a call by its input: up to 1,000 tokens, up to 8,000, more. Long inputs take long
/// without any queue, so each class has a baseline of its own.
#[must_use]
pub const fn size_class(input_tokens: u64) -> u8 {
    match input_tokens {
        0..=1_000 => 0,
        1_001..=8_000 => 1,
        _ => 2,
    }
}

/// At least half of the limit is in flight.
fn is_in_use(limit: f64, in_flight: u32) -> bool {
    2.0 * f64::from(in_flight) >= limit
}
